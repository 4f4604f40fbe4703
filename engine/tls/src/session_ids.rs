//! Sessions of TLS 1.2 clients that know no tickets (BearSSL): remembered here, for all shards, until a restart.
#![allow(clippy::disallowed_types, reason = "a client may come back on another shard: the one place that is shared")]

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use rustls::server::StoresServerSessions;
use zeroize::Zeroizing;

use crate::Clock;
use crate::limits::{SESSION_BYTES, SESSION_LIFETIME, SESSION_STRIPES};

/// Session ids are drawn by rustls: 32 random bytes.
const ID_BYTES: usize = 32;

struct Remembered {
    value: Zeroizing<Vec<u8>>,
    since_s: u64,
}

/// A part of the store under its own lock.
#[derive(Default)]
struct Stripe {
    sessions: HashMap<[u8; ID_BYTES], Remembered>,
    /// In the order in which they came; the oldest goes first.
    order: VecDeque<[u8; ID_BYTES]>,
}

/// The store. Bounded: the newest pushes the oldest out.
pub struct SessionIds {
    stripes: Vec<Mutex<Stripe>>,
    per_stripe: usize,
    clock: Clock,
}

impl std::fmt::Debug for SessionIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionIds({} of {})", self.len(), self.per_stripe * self.stripes.len())
    }
}

impl SessionIds {
    /// For `capacity` sessions, at least one a stripe. Takes memory as it fills.
    #[must_use]
    pub fn new(capacity: usize, clock: Clock) -> Self {
        let stripes = (0..SESSION_STRIPES).map(|_| Mutex::default()).collect();
        Self { stripes, per_stripe: capacity.div_ceil(SESSION_STRIPES).max(1), clock }
    }

    /// Sessions that it remembers.
    #[must_use]
    pub fn len(&self) -> usize {
        (0..self.stripes.len()).map(|at| self.locked(at, |stripe| stripe.sessions.len())).sum()
    }

    /// Does it remember none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn locked<T>(&self, at: usize, act: impl FnOnce(&mut Stripe) -> T) -> T {
        // Nothing in here can panic half way, and a store of caches is good in any state.
        act(&mut self.stripes[at % SESSION_STRIPES].lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn find(&self, key: &[u8], remove: bool) -> Option<Vec<u8>> {
        let id: [u8; ID_BYTES] = key.try_into().ok()?;
        let oldest = self.clock.unix_s().saturating_sub(SESSION_LIFETIME.as_secs());
        self.locked(usize::from(id[0]), |stripe| {
            let remembered = stripe.sessions.get(&id)?;
            let value = (remembered.since_s >= oldest).then(|| remembered.value.to_vec());
            if remove || value.is_none() {
                stripe.sessions.remove(&id);
            }
            value
        })
    }
}

impl StoresServerSessions for SessionIds {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        let Ok(id) = <[u8; ID_BYTES]>::try_from(key) else { return false };
        if value.len() > SESSION_BYTES {
            return false;
        }
        let since_s = self.clock.unix_s();
        self.locked(usize::from(id[0]), |stripe| {
            if stripe.sessions.insert(id, Remembered { value, since_s }).is_none() {
                stripe.order.push_back(id);
            }
            while stripe.order.len() > self.per_stripe {
                if let Some(oldest) = stripe.order.pop_front() {
                    stripe.sessions.remove(&oldest);
                }
            }
        });
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, false)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.find(key, true)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> Vec<u8> {
        let mut id = vec![0; ID_BYTES];
        id[0] = n as u8;
        id[1..5].copy_from_slice(&n.to_be_bytes());
        id
    }

    #[test]
    fn remembers_the_newest_within_its_bound() {
        let store = SessionIds::new(128, Clock::new(1_000_000));
        for n in 0..1_000 {
            assert!(store.put(id(n), vec![n as u8; 100]));
        }
        assert_eq!(store.len(), 128);
        assert_eq!(store.get(&id(999)), Some(vec![231; 100]));
        assert_eq!(store.get(&id(3)), None);
        assert_eq!(store.take(&id(999)).map(|v| v.len()), Some(100));
        assert_eq!(store.get(&id(999)), None);
    }

    #[test]
    fn forgets_in_time_and_refuses_what_is_no_session() {
        let clock = Clock::new(1_000_000);
        let store = SessionIds::new(64, clock.clone());
        assert!(store.put(id(1), vec![1]));
        clock.set(1_000_000 + SESSION_LIFETIME.as_secs());
        assert!(store.get(&id(1)).is_some());
        clock.set(1_000_001 + SESSION_LIFETIME.as_secs());
        assert!(store.get(&id(1)).is_none() && store.is_empty());
        assert!(!store.put(vec![1; 31], vec![1]));
        assert!(!store.put(id(2), vec![1; SESSION_BYTES + 1]));
        assert!(store.get(&[1; 33]).is_none());
    }

    #[test]
    fn shards_share_it() {
        let store = SessionIds::new(4_096, Clock::new(0));
        std::thread::scope(|scope| {
            for shard in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    (0..1_000).for_each(|n| assert!(store.put(id(shard * 1_000 + n), vec![shard as u8; 10])));
                });
            }
        });
        assert!(store.len() > 3_000 && store.len() <= 4_096);
    }
}

//! Requests of programs, counted by the minute: those of each key, and those of all keys of an organization together.
//!
//! People are not counted here: a program that runs wild must not keep them from taking its key away. What they ask at once
//! is bounded by [`crate::limits::ASKS_PER_OWNER`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use linchpin_storage::schema::OrgId;

use crate::limits;

const MINUTE_MS: u64 = 60_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Paced {
    Key(OrgId, u32),
    Org(OrgId),
}

/// Requests since the begin of a minute of their own.
#[derive(Clone, Copy, Debug)]
struct Minute {
    begun_ms: u64,
    count: u32,
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct KeyPace {
    minutes: Mutex<HashMap<Paced, Minute>>,
    refused: AtomicU64,
}

impl KeyPace {
    /// A request of a key. `limits`: of the key and of its organization, requests a minute; 0: the server's setting.
    ///
    /// # Errors
    /// One of them is used up: when there is room again, ms from now. The request is not counted then.
    pub fn take(&self, (org, key): (OrgId, u32), (of_key, of_org): (u32, u32), now_ms: u64) -> Result<(), u64> {
        let or = |limit: u32, setting: u32| if limit == 0 { setting } else { limit };
        let both = [
            (Paced::Key(org, key), or(of_key, limits::KEY_REQUESTS_PER_MINUTE)),
            (Paced::Org(org), or(of_org, limits::ORG_REQUESTS_PER_MINUTE)),
        ];
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = |minute: &Minute| now_ms < minute.begun_ms.saturating_add(MINUTE_MS);
        let waits = both.iter().filter_map(|(paced, limit)| {
            let minute = minutes.get(paced).filter(|minute| is_running(minute))?;
            (minute.count >= *limit).then(|| minute.begun_ms.saturating_add(MINUTE_MS) - now_ms)
        });
        if let Some(retry_ms) = waits.max() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(retry_ms);
        }
        for (paced, _) in both {
            if minutes.len() >= limits::PACED && !minutes.contains_key(&paced) {
                minutes.retain(|_, minute| is_running(minute));
                let oldest = minutes.iter().min_by_key(|(_, minute)| minute.begun_ms).map(|(paced, _)| *paced);
                if let Some(oldest) = oldest.filter(|_| minutes.len() >= limits::PACED) {
                    minutes.remove(&oldest);
                }
            }
            let minute = minutes.entry(paced).or_insert(Minute { begun_ms: now_ms, count: 0 });
            if !is_running(minute) {
                *minute = Minute { begun_ms: now_ms, count: 0 };
            }
            minute.count += 1;
        }
        Ok(())
    }

    /// How many requests were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: u32) -> OrgId {
        OrgId::new(number).expect("not zero")
    }

    #[test]
    fn a_key_has_so_many_requests_a_minute() {
        let pace = KeyPace::default();
        let take = |now_ms| pace.take((org(1), 7), (3, 0), now_ms);
        assert_eq!([take(1_000), take(2_000), take(30_000)], [Ok(()); 3]);
        assert_eq!(take(31_000), Err(30_000), "until the minute that began at 1 s is over");
        assert_eq!(take(60_999), Err(1));
        assert_eq!(take(61_000), Ok(()));
        assert_eq!(pace.refused(), 2);
        assert_eq!(pace.take((org(1), 8), (3, 0), 31_000), Ok(()), "another key has its own");
    }

    #[test]
    fn keys_of_an_organization_share_its_limit() {
        let pace = KeyPace::default();
        let take = |at, key, now_ms| pace.take((org(at), key), (10, 4), now_ms);
        for key in 0..4 {
            assert_eq!(take(1, key, 5), Ok(()));
        }
        assert_eq!(take(1, 9, 5), Err(MINUTE_MS));
        assert_eq!(take(2, 9, 5), Ok(()), "another organization has its own");
        // What was refused is not counted.
        assert_eq!(take(1, 9, 5 + MINUTE_MS), Ok(()));
    }

    #[test]
    fn the_table_stays_within_its_bound() {
        let pace = KeyPace::default();
        for key in 0..limits::PACED as u32 + 100 {
            assert_eq!(pace.take((org(1), key), (1, u32::MAX), u64::from(key)), Ok(()));
        }
        assert!(pace.minutes.lock().expect("nobody panicked").len() <= limits::PACED);
    }
}

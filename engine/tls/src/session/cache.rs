//! Expanded keys of the connections that are active: 544 bytes each, built from the raw key in 0.2 us.

use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::{LessSafeKey, UnboundKey};

use super::keys::Suite;

/// Stamps are unique in the process, so that a connection that moved to another shard never finds a stranger's key.
/// Each cache takes them by the block.
const BLOCK: u64 = 1 << 24;
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(BLOCK);

/// No stamp yet.
pub(crate) const NO_STAMP: u64 = 0;

struct Entry {
    stamp: u64,
    keys: [Option<LessSafeKey>; 2],
}

/// A ring of expanded keys: the newest replaces the oldest, and who lost its place builds its keys again.
pub struct KeyCache {
    entries: Vec<Entry>,
    capacity: usize,
    next: u64,
    /// Keys expanded so far, for metrics.
    expanded: u64,
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyCache({} of {})", self.entries.len(), self.capacity)
    }
}

impl KeyCache {
    /// For `capacity` connections, rounded up to a power of two. Takes memory as it fills.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { entries: Vec::new(), capacity: capacity.max(1).next_power_of_two(), next: 0, expanded: 0 }
    }

    /// The expanded form of `raw`, which is the key of `direction` of the connection with this stamp.
    pub(crate) fn key(&mut self, stamp: &mut u64, direction: usize, suite: Suite, raw: &[u8]) -> &LessSafeKey {
        let mut at = self.place(*stamp);
        if *stamp == NO_STAMP || self.entries.get(at).is_none_or(|entry| entry.stamp != *stamp) {
            *stamp = self.new_stamp();
            at = self.place(*stamp);
            let entry = Entry { stamp: *stamp, keys: [None, None] };
            // Stamps are dense within a block, but a new block may begin anywhere in the ring.
            while self.entries.len() <= at {
                self.entries.push(Entry { stamp: NO_STAMP, keys: [None, None] });
            }
            self.entries[at] = entry;
        }
        let expanded = &mut self.expanded;
        self.entries[at].keys[direction].get_or_insert_with(|| {
            *expanded += 1;
            LessSafeKey::new(UnboundKey::new(suite.aead(), raw).expect("keys are as long as their suite says"))
        })
    }

    /// The raw key of `direction` changed.
    pub(crate) fn forget(&mut self, stamp: u64, direction: usize) {
        let at = self.place(stamp);
        if stamp != NO_STAMP
            && let Some(entry) = self.entries.get_mut(at).filter(|entry| entry.stamp == stamp)
        {
            entry.keys[direction] = None;
        }
    }

    /// The connection ended: no key of it stays.
    pub(crate) fn forget_all(&mut self, stamp: u64) {
        self.forget(stamp, super::keys::TX);
        self.forget(stamp, super::keys::RX);
    }

    /// Keys that were expanded since the start: many a message mean that the cache is too small for its connections.
    #[must_use]
    pub fn expanded(&self) -> u64 {
        self.expanded
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    fn place(&self, stamp: u64) -> usize {
        stamp as usize & (self.capacity - 1)
    }

    fn new_stamp(&mut self) -> u64 {
        if self.next.is_multiple_of(BLOCK) {
            self.next = NEXT_BLOCK.fetch_add(BLOCK, Ordering::Relaxed);
        }
        let stamp = self.next;
        self.next += 1;
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::keys::{RX, TX};

    fn tag(key: &LessSafeKey) -> Vec<u8> {
        let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), &mut []).expect("seals");
        tag.as_ref().to_vec()
    }

    #[test]
    fn gives_everybody_his_own_key_whoever_lost_a_place() {
        let mut cache = KeyCache::new(4);
        let mut stamps = [NO_STAMP; 20];
        let direct =
            |n: u8| tag(&LessSafeKey::new(UnboundKey::new(Suite::Aes128Gcm.aead(), &[n; 16]).expect("16 bytes")));
        for round in 0..3 {
            for (n, stamp) in stamps.iter_mut().enumerate() {
                let raw = [n as u8; 16];
                let direction = if round == 1 { RX } else { TX };
                assert_eq!(tag(cache.key(stamp, direction, Suite::Aes128Gcm, &raw)), direct(n as u8));
            }
        }
        assert_eq!(cache.entries.len(), 4);
        let before = cache.expanded();
        tag(cache.key(&mut stamps[19], TX, Suite::Aes128Gcm, &[19; 16]));
        assert_eq!(cache.expanded(), before, "the last one is still there");
        cache.forget(stamps[19], TX);
        assert_eq!(tag(cache.key(&mut stamps[19], TX, Suite::Aes128Gcm, &[99; 16])), direct(99));
    }

    #[test]
    fn another_shards_stamp_means_nothing() {
        let (mut here, mut there) = (KeyCache::new(1), KeyCache::new(1));
        let (mut a, mut b) = (NO_STAMP, NO_STAMP);
        let tag_a = tag(here.key(&mut a, TX, Suite::Aes128Gcm, &[1; 16]));
        tag(there.key(&mut b, TX, Suite::Aes128Gcm, &[2; 16]));
        assert_ne!(a, b);
        assert_eq!(tag(there.key(&mut a, TX, Suite::Aes128Gcm, &[1; 16])), tag_a, "b's key was in that place");
    }
}

//! What firmwares say of themselves, stored once for all devices that say the same.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::limits::{INFO_BLOBS, INFO_BYTES};

/// Names a blob; counted, so every one that [`Blobs::intern`] gave is to be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobId(NonZeroU32);

/// SipHash under a secret seed: devices choose the contents.
#[derive(Clone, Copy)]
struct Seeded([u8; 16]);

impl BuildHasher for Seeded {
    type Hasher = DefaultHasher;
    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher
    }
}

struct Entry {
    bytes: Arc<[u8]>,
    uses: u32,
}

/// See the module's page.
pub(crate) struct Blobs {
    ids: HashMap<Arc<[u8]>, BlobId, Seeded>,
    entries: Vec<Entry>,
    free: Vec<BlobId>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blobs({})", self.ids.len())
    }
}

impl Blobs {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self { ids: HashMap::with_hasher(Seeded(seed)), entries: Vec::new(), free: Vec::new() }
    }

    /// The id of `bytes`. `None`: longer than [`INFO_BYTES`], or [`INFO_BLOBS`] different ones are stored already; the
    /// device then works without its firmware being known.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> Option<BlobId> {
        if let Some(&id) = self.ids.get(bytes) {
            self.entry(id).uses += 1;
            return Some(id);
        }
        if bytes.len() > INFO_BYTES || self.ids.len() >= INFO_BLOBS {
            return None;
        }
        let bytes: Arc<[u8]> = bytes.into();
        let entry = Entry { bytes: Arc::clone(&bytes), uses: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                *self.entry(id) = entry;
                id
            }
            None => {
                self.entries.push(entry);
                BlobId(NonZeroU32::MIN.saturating_add(self.entries.len() as u32 - 1))
            }
        };
        self.ids.insert(bytes, id);
        Some(id)
    }

    /// Add a reference.
    pub(crate) fn retain(&mut self, id: BlobId) {
        self.entry(id).uses += 1;
    }

    /// Remove a reference.
    pub(crate) fn release(&mut self, id: BlobId) {
        let entry = self.entry(id);
        entry.uses -= 1;
        if entry.uses == 0 {
            let bytes = std::mem::replace(&mut entry.bytes, Arc::from([]));
            self.ids.remove(&bytes);
            self.free.push(id);
        }
    }

    /// The bytes.
    pub(crate) fn get(&self, id: BlobId) -> &[u8] {
        &self.entries[id.0.get() as usize - 1].bytes
    }

    fn entry(&mut self, id: BlobId) -> &mut Entry {
        &mut self.entries[id.0.get() as usize - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_contents_are_stored_once_and_forgotten_after_the_last_use() {
        let mut blobs = Blobs::new([1; 16]);
        let a = blobs.intern(b"ver\x001.4.0").expect("room");
        let b = blobs.intern(b"ver\x001.0.1").expect("room");
        assert_eq!(blobs.intern(b"ver\x001.4.0"), Some(a));
        assert_ne!(a, b);
        blobs.release(a);
        assert_eq!(blobs.get(a), b"ver\x001.4.0");
        blobs.release(a);
        assert_eq!((blobs.ids.len(), blobs.get(b)), (1, &b"ver\x001.0.1"[..]));
        assert_eq!(blobs.intern(b"other"), Some(a), "the place is used again");
        assert_eq!(blobs.intern(&[0; INFO_BYTES + 1]), None);
    }
}

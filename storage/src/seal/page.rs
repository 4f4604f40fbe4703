//! Memory for keys: locked where the limits allow it, left out of dumps, and cleared when it is given back.

use memmap2::{Advice, MmapMut};
use zeroize::Zeroize as _;

use crate::Error;

/// Bytes that never change until they are cleared.
pub(crate) struct Page {
    map: MmapMut,
    len: usize,
    is_locked: bool,
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({} bytes, locked {})", self.len, self.is_locked)
    }
}

impl Page {
    /// A copy of these bytes in memory of their own.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let no_memory = |error: std::io::Error| Error::Key { reason: format!("no memory for keys: {error}") };
        let mut map = MmapMut::map_anon(bytes.len().max(1)).map_err(no_memory)?;
        // Both are best effort: RLIMIT_MEMLOCK may forbid the one, an old kernel the other.
        let is_locked = map.lock().is_ok();
        let _ = map.advise(Advice::DontDump);
        map[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { map, len: bytes.len(), is_locked })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map[..self.len]
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// The 32 bytes that begin here.
    pub(crate) fn key(&self, at: usize) -> &[u8; 32] {
        self.bytes()[at..].first_chunk().expect("places of keys come from the layout of this page")
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.map.zeroize();
    }
}

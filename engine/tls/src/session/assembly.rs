//! Records that came in pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroize;

use crate::Fault;
use crate::limits::{MAX_RECORD_BYTES, RECORD_HEADER_BYTES};

/// Bytes that the unfinished records of a shard may take: a last bound, since the caller's ledger ends whoever holds most
/// long before. What a record takes comes back when it is dropped, wherever that happens.
#[derive(Clone, Debug)]
pub struct AssemblyBudget {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

impl AssemblyBudget {
    /// Of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { taken: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// Bytes that are taken now.
    #[must_use]
    pub fn taken_bytes(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), Fault> {
        // Only the owning shard adds, so the check and the sum cannot be torn apart.
        if self.taken_bytes() + bytes > self.limit {
            return Err(Fault::AssemblyBudget(self.limit));
        }
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

/// A record of which a part is there.
pub(crate) struct Assembly {
    bytes: Vec<u8>,
    budget: AssemblyBudget,
    /// Capacity that was taken from the budget.
    charged: usize,
    /// Length of the record with its header, once that is there.
    whole: usize,
}

impl Assembly {
    pub(crate) fn new(budget: &AssemblyBudget) -> Self {
        Self { bytes: Vec::new(), budget: budget.clone(), charged: 0, whole: 0 }
    }

    /// Take from `more` what the record lacks; returns how many bytes were taken, and `check` sees the header once.
    pub(crate) fn extend(
        &mut self,
        mut more: &[u8],
        check: impl Fn(&[u8; RECORD_HEADER_BYTES]) -> Result<usize, Fault>,
    ) -> Result<usize, Fault> {
        let before = self.bytes.len();
        if self.bytes.len() < RECORD_HEADER_BYTES {
            more = self.append(more, RECORD_HEADER_BYTES)?;
        }
        if let Some(header) = self.bytes.first_chunk() {
            self.whole = RECORD_HEADER_BYTES + check(header)?;
            self.append(more, self.whole)?;
        }
        Ok(self.bytes.len() - before)
    }

    fn append<'m>(&mut self, more: &'m [u8], up_to: usize) -> Result<&'m [u8], Fault> {
        let (taken, rest) = more.split_at(more.len().min(up_to.saturating_sub(self.bytes.len())));
        self.reserve(self.bytes.len() + taken.len(), up_to)?;
        self.bytes.extend_from_slice(taken);
        Ok(rest)
    }

    /// Make room for bytes that have come, never for what a header only claims: by doubling, up to the whole record.
    fn reserve(&mut self, len: usize, whole: usize) -> Result<(), Fault> {
        debug_assert!(len <= whole && whole <= MAX_RECORD_BYTES);
        if len > self.charged {
            let grown = (2 * self.charged).clamp(len, whole.max(len));
            self.budget.take(grown - self.charged)?;
            self.charged = grown;
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        Ok(())
    }

    /// Are all bytes of the record there?
    pub(crate) fn is_whole(&self) -> bool {
        self.whole > 0 && self.bytes.len() == self.whole
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The part that is there.
    pub(super) fn part(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes on the heap.
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

impl Drop for Assembly {
    fn drop(&mut self) {
        self.bytes.zeroize();
        self.budget.taken.fetch_sub(self.charged, Ordering::Relaxed);
    }
}

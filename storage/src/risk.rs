//! Telemetry that a power cut would lose now: its age is a figure that operators watch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
struct Batch {
    begun: Instant,
    /// The disk did not take it: it stays at risk until its points are stored another way.
    has_failed: bool,
}

/// Batches that are not on the disk yet, by number.
#[derive(Debug, Default)]
pub(crate) struct AtRisk {
    batches: Mutex<BTreeMap<u64, Batch>>,
    failed: AtomicU64,
}

impl AtRisk {
    fn with<T>(&self, edit: impl FnOnce(&mut BTreeMap<u64, Batch>) -> T) -> T {
        edit(&mut self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn begin(&self, number: u64, begun: Instant) {
        self.with(|batches| batches.insert(number, Batch { begun, has_failed: false }));
    }

    /// The journal's batch is synced, or was refused.
    pub(crate) fn done(&self, number: u64, is_synced: bool) {
        if !is_synced {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.with(|batches| {
            if is_synced {
                batches.remove(&number);
            } else if let Some(batch) = batches.get_mut(&number) {
                batch.has_failed = true;
            }
        });
    }

    /// All points of batches below this number are stored.
    pub(crate) fn stored_below(&self, number: u64) {
        self.with(|batches| batches.retain(|at, batch| *at >= number || !batch.has_failed));
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.with(|batches| batches.values().any(|batch| batch.has_failed))
    }

    /// How many batches the disk did not take since the start.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Age of the oldest, ms; 0 if there is none.
    pub(crate) fn oldest_ms(&self) -> u64 {
        let oldest = self.with(|batches| batches.values().map(|batch| batch.begun).min());
        oldest.map_or(0, |begun| begun.elapsed().as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_stays_until_it_is_stored() {
        let risk = AtRisk::default();
        let long_ago = Instant::now() - std::time::Duration::from_secs(9);
        risk.begin(1, long_ago);
        risk.begin(2, Instant::now());
        assert!(risk.oldest_ms() >= 9_000);
        risk.done(2, true);
        risk.done(1, false);
        assert!(risk.has_failed() && risk.failed() == 1 && risk.oldest_ms() >= 9_000);
        risk.stored_below(1);
        assert!(risk.has_failed());
        risk.stored_below(2);
        assert!(!risk.has_failed() && risk.oldest_ms() == 0);
    }
}

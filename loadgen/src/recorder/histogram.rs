//! Histograms of times in ns.

use hdrhistogram::Histogram;

use crate::limits::{DIGITS, HIGHEST_NS, LOWEST_NS};

/// A histogram of times.
pub(crate) fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("the bounds are asserted in limits.rs")
}

/// Record a time; beyond the highest one it enters as that.
pub(crate) fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record(ns.max(LOWEST_NS));
}

/// The same answers measured twice.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// From the intended send time.
    pub(crate) corrected: Histogram<u64>,
    /// From the real send time.
    pub(crate) uncorrected: Histogram<u64>,
}

impl Default for Pair {
    fn default() -> Self {
        Self { corrected: empty(), uncorrected: empty() }
    }
}

impl Pair {
    /// Add another's.
    pub(crate) fn add(&mut self, other: &Self) {
        // Same bounds: nothing to refuse.
        let _ = self.corrected.add(&other.corrected);
        let _ = self.uncorrected.add(&other.uncorrected);
    }
}

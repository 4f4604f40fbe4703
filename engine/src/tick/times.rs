//! How long ticks take, for the metrics. Plain integers of one thread.

use std::time::Duration;

use linchpin_shard::EngineCounters;

/// Upper bounds of the buckets, us; longer ones are in the last bucket. `EngineCounters::ticks` has one more entry.
const BOUNDS_US: [u64; 8] = linchpin_shard::limits::TICK_BOUNDS_US;

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
    max_us: u64,
}

impl Ticks {
    /// One more.
    pub(crate) fn note(&mut self, took: Duration) {
        let us = took.as_micros() as u64;
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket] += 1;
        self.sum_us += us;
        self.max_us = self.max_us.max(us);
    }

    /// Tell them; the longest is forgotten, so that every report has its own.
    pub(crate) fn report(&mut self, to: &mut EngineCounters) {
        to.ticks = self.buckets;
        to.tick_sum_us = self.sum_us;
        to.tick_max_us = std::mem::take(&mut self.max_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_fall_into_their_buckets() {
        let mut ticks = Ticks::default();
        for us in [1, 100, 101, 2_000, 5_000_000] {
            ticks.note(Duration::from_micros(us));
        }
        let mut counters = EngineCounters::default();
        ticks.report(&mut counters);
        assert_eq!(counters.ticks, [2, 1, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!((counters.tick_sum_us, counters.tick_max_us), (5_002_202, 5_000_000));
        ticks.report(&mut counters);
        assert_eq!((counters.ticks[0], counters.tick_max_us), (2, 0));
    }
}

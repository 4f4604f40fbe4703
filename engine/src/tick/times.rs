//! How long ticks take, for the metrics. Plain integers of one thread.

use std::time::Duration;

use linchpin_control::Times;
use linchpin_protocol::model::Millis;

use super::counters::EngineCounters;
use crate::limits::TICK_BOUNDS_US as BOUNDS_US;

const MINUTE_MS: u64 = 60_000;

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct TickTimes {
    buckets: [u64; BOUNDS_US.len() + 1],
    sum_us: u64,
    /// The minute of `max_us`.
    minute: u64,
    max_us: u64,
    /// The longest of the minute before.
    before_us: u64,
}

impl TickTimes {
    /// One more.
    pub(crate) fn note(&mut self, now: Millis, took: Duration) {
        let us = took.as_micros() as u64;
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket] += 1;
        self.sum_us += us;
        self.turn(now);
        self.max_us = self.max_us.max(us);
    }

    /// Begin a new minute if one has begun.
    fn turn(&mut self, now: Millis) {
        let minute = now.0 / MINUTE_MS;
        if minute != self.minute {
            self.before_us = if minute == self.minute + 1 { self.max_us } else { 0 };
            (self.minute, self.max_us) = (minute, 0);
        }
    }

    /// Write them down. The longest is that of this minute and the one before, so that no reader hides it from another.
    pub(crate) fn report(&mut self, now: Millis, to: &mut EngineCounters) {
        self.turn(now);
        to.ticks = Times { bounds_us: BOUNDS_US.to_vec(), counts: self.buckets.to_vec(), sum_us: self.sum_us };
        to.tick_max_us = self.max_us.max(self.before_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ticks: &mut TickTimes, at_ms: u64) -> EngineCounters {
        let mut counters = EngineCounters::default();
        ticks.report(Millis(at_ms), &mut counters);
        counters
    }

    #[test]
    fn ticks_fall_into_their_buckets() {
        let mut ticks = TickTimes::default();
        for us in [1, 100, 101, 2_000, 5_000_000] {
            ticks.note(Millis(7), Duration::from_micros(us));
        }
        let counters = report(&mut ticks, 8);
        assert_eq!(counters.ticks.counts, [2, 1, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!((counters.ticks.sum_us, counters.tick_max_us), (5_002_202, 5_000_000));
    }

    #[test]
    fn the_longest_is_seen_by_everybody_for_a_minute_at_least() {
        let mut ticks = TickTimes::default();
        ticks.note(Millis(59_999), Duration::from_millis(7));
        ticks.note(Millis(60_000), Duration::from_millis(1));
        for at_ms in [60_000, 60_001, 119_999] {
            assert_eq!(report(&mut ticks, at_ms).tick_max_us, 7_000, "at {at_ms}");
        }
        assert_eq!(report(&mut ticks, 120_000).tick_max_us, 1_000);
        assert_eq!(report(&mut ticks, 180_000).tick_max_us, 0);
        ticks.note(Millis(200_000), Duration::from_millis(3));
        assert_eq!(report(&mut ticks, 9_000_000).tick_max_us, 0, "an idle shard has no old peak");
    }
}

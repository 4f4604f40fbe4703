//! How long frames took.

use std::time::Duration;

/// From writes, as they were intended, to frames.
#[derive(Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn extend(&mut self, time: Option<Duration>) {
        self.0.extend(time);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// This percentile.
    pub(super) fn at(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get((sorted.len().max(1) - 1) * percent / 100).copied().unwrap_or(Duration::MAX)
    }

    pub(super) fn words(&self) -> String {
        let ms = |percent| self.at(percent).as_secs_f64() * 1_000.0;
        format!("{} frames, median {:.1} ms, p99 {:.1} ms, slowest {:.1} ms", self.len(), ms(50), ms(99), ms(100))
    }
}

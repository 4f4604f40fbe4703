//! Histograms in a few numbers.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recorder::Pair;

/// The same answers, measured twice.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Latency {
    /// From the intended send time: what a device feels.
    pub(crate) corrected: Summary,
    /// From the real send time: what hides waiting.
    pub(crate) uncorrected: Summary,
}

/// A histogram in a few numbers, microseconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) mean_us: f64,
    pub(crate) max_us: f64,
    /// Quantile (0 to 1) and time; as far as there are samples beyond the quantile, then the longest at 1.
    pub(crate) quantiles: Vec<(f64, f64)>,
}

/// Do so many samples have a quantile? One of them at least must lie beyond it.
fn is_known(count: u64, quantile: f64) -> bool {
    quantile >= 1.0 || count as f64 * (1.0 - quantile) >= 1.0 - 1e-9
}

/// Quantiles of a summary: enough for a curve.
const QUANTILES: [f64; 22] = [
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995,
    0.9999, 0.99999, 1.0,
];

impl Summary {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let us = |ns: u64| ns as f64 / 1e3;
        Self {
            count: histogram.len(),
            mean_us: histogram.mean() / 1e3,
            max_us: us(histogram.max()),
            quantiles: QUANTILES
                .into_iter()
                .filter(|q| is_known(histogram.len(), *q))
                .map(|q| (q, us(histogram.value_at_quantile(q))))
                .collect(),
        }
    }

    /// The time at a quantile; between two that are stored, the higher one. `None`: too few samples reach so far.
    pub(crate) fn at(&self, quantile: f64) -> Option<f64> {
        if !is_known(self.count, quantile) {
            return None;
        }
        self.quantiles.iter().find(|(q, _)| *q >= quantile - 1e-9).map(|(_, us)| *us)
    }
}

impl Latency {
    pub(super) fn of(pair: &Pair) -> Self {
        Self { corrected: Summary::of(&pair.corrected), uncorrected: Summary::of(&pair.uncorrected) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{empty, record};

    #[test]
    fn a_summary_keeps_quantiles_in_microseconds() {
        let mut histogram = empty();
        (1..=1_000).for_each(|n| record(&mut histogram, n * 1_000));
        let summary = Summary::of(&histogram);
        assert_eq!(summary.count, 1_000);
        let near = |quantile, us: f64| summary.at(quantile).is_some_and(|at| (at - us).abs() < 2.0);
        assert!(near(0.5, 500.0) && near(0.99, 990.0) && near(0.999, 999.0) && near(1.0, 1_000.0), "{summary:?}");
        assert_eq!(Summary::of(&empty()).at(0.5), None);
    }

    #[test]
    fn quantiles_end_where_samples_end() {
        let mut histogram = empty();
        (1..=9).for_each(|n| record(&mut histogram, n * 1_000));
        let few = Summary::of(&histogram);
        assert_eq!((few.at(0.9), few.at(0.99), few.at(0.999)), (None, None, None), "{few:?}");
        assert!(few.at(0.5).is_some() && few.at(1.0).is_some());
        assert!(few.quantiles.iter().all(|(q, _)| *q <= 1.0 - 1.0 / 9.0 || *q >= 1.0), "{few:?}");
        (10..=100).for_each(|n| record(&mut histogram, n * 1_000));
        let hundred = Summary::of(&histogram);
        assert!(hundred.at(0.99).is_some() && hundred.at(0.999).is_none(), "{hundred:?}");
    }
}

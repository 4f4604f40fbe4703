//! A point a second: NDJSON, and what the page draws over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recorder::{Totals, totals::Second};
use crate::scenario::Scenario;

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Point {
    /// The second.
    pub(crate) at_s: u64,
    /// Its phase.
    pub(crate) phase: String,
    /// Devices online at its end.
    pub(crate) online: u64,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Answers and arrivals.
    pub(crate) answers: u64,
    /// What the server or the network did wrong.
    pub(crate) errors: u64,
    /// Connections begun.
    pub(crate) connects: u64,
    /// Corrected latency of messages, us: median, 99th percentile, longest.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    /// The same measured from the real send time.
    pub(crate) uncorrected_p99_us: f64,
    /// Schedule lag of this generator, us.
    pub(crate) lag_p99_us: f64,
}

impl Point {
    pub(crate) fn of(at_s: usize, second: &Second, scenario: &Scenario) -> Self {
        let us = |ns: u64| ns as f64 / 1e3;
        let messages = &second.messages;
        let counts = &second.counts;
        Self {
            at_s: at_s as u64,
            phase: scenario.phase.get(second.phase).map(crate::scenario::Phase::title).unwrap_or_default(),
            online: second.online.iter().sum(),
            sent: counts.sent(),
            answers: counts.answers,
            errors: counts.errors(),
            connects: counts.connects,
            p50_us: us(messages.corrected.value_at_quantile(0.5)),
            p99_us: us(messages.corrected.value_at_quantile(0.99)),
            max_us: us(messages.corrected.max()),
            uncorrected_p99_us: us(messages.uncorrected.value_at_quantile(0.99)),
            lag_p99_us: us(second.lag.value_at_quantile(0.99)),
        }
    }
}

/// All seconds of a run.
pub(crate) fn points(totals: &Totals, scenario: &Scenario) -> Vec<Point> {
    totals.seconds.iter().enumerate().map(|(at, second)| Point::of(at, second, scenario)).collect()
}

/// One JSON object a line.
pub(crate) fn ndjson(points: &[Point]) -> String {
    points.iter().map(|point| serde_json::to_string(point).unwrap_or_default() + "\n").collect()
}

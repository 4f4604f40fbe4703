//! A point a second: NDJSON, and what the page draws over time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recorder::{Closed, Totals};
use crate::scenario::{Scenario, ScenarioPhase};

/// One second of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeriesPoint {
    /// The second.
    pub(crate) at_s: u64,
    /// Its phase.
    pub(crate) phase: String,
    /// Devices online at its end.
    pub(crate) online: u64,
    /// Messages that were due, heartbeats included.
    #[serde(default)]
    pub(crate) planned: u64,
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

impl SeriesPoint {
    pub(crate) fn of(at_s: usize, second: &Closed, scenario: &Scenario) -> Self {
        let counts = &second.counts;
        Self {
            at_s: at_s as u64,
            phase: scenario.phase.get(second.phase).map(ScenarioPhase::title).unwrap_or_default(),
            online: second.online,
            planned: counts.planned,
            sent: counts.sent(),
            answers: counts.answers,
            errors: counts.errors(),
            connects: counts.connects,
            p50_us: second.p50_us,
            p99_us: second.p99_us,
            max_us: second.max_us,
            uncorrected_p99_us: second.uncorrected_p99_us,
            lag_p99_us: second.lag_p99_us,
        }
    }
}

/// The seconds of a run from `first` on.
pub(crate) fn points(totals: &Totals, scenario: &Scenario, first: usize) -> Vec<SeriesPoint> {
    let seconds = totals.seconds(first, false).enumerate();
    seconds.map(|(at, second)| SeriesPoint::of(first + at, &second, scenario)).collect()
}

/// One JSON object a line.
pub(crate) fn ndjson(points: &[SeriesPoint]) -> String {
    points.iter().map(|point| serde_json::to_string(point).unwrap_or_default() + "\n").collect()
}

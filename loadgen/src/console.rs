//! The terminal: text, colour where it is wanted, and a line a second where nobody looks at a screen.

use std::io::{self, Write};

use crate::report::series::{self, SeriesPoint};
use crate::report::table::time;
use crate::run::{RunGlance, Watch};

/// Write to standard output. A reader that went away is no mistake.
pub(crate) fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Write to standard error.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A line a second on standard error.
#[derive(Debug, Default)]
pub(crate) struct Lines;

impl Watch for Lines {
    fn glance(&mut self, glance: &RunGlance<'_>) {
        if glance.is_second {
            warn(&line(glance));
        }
    }
}

/// Shows nothing.
#[derive(Debug, Default)]
pub(crate) struct Quiet;

impl Watch for Quiet {
    fn glance(&mut self, _: &RunGlance<'_>) {}
}

/// The last whole second in a line.
pub(crate) fn line(glance: &RunGlance<'_>) -> String {
    let phase = glance.scenario.phase.get(glance.phase).map(crate::scenario::ScenarioPhase::title).unwrap_or_default();
    let last = glance.totals.len_s().saturating_sub(2);
    let point: SeriesPoint =
        series::points(glance.totals, glance.scenario, last).into_iter().next().unwrap_or_default();
    let waits = if glance.waits_at_gate { " (waits for the devices)" } else { "" };
    format!(
        "{:>5.0} s  {phase}{waits}  online {}  sent {}/s  answers {}/s  p50 {}  p99 {}  max {}  errors {}  lag p99 {}",
        glance.elapsed_s,
        glance.online,
        point.sent,
        point.answers,
        time(point.p50_us),
        time(point.p99_us),
        time(point.max_us),
        point.errors,
        time(point.lag_p99_us)
    )
}

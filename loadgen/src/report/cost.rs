//! What the server cost, from looks at its process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::OutcomePart;
use super::series::SeriesPoint;
use crate::server::ServerSample;

/// What the server cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Cost {
    /// CPU time of the server per message that was sent to it, microseconds; 0 if not seen.
    pub(crate) cpu_us_per_message: f64,
    /// Of it, spent in the kernel.
    #[serde(default)]
    pub(crate) system_us_per_message: f64,
    /// Part of one core, in the measured phases.
    pub(crate) cores: f64,
    /// Growth of its memory from before the first connection, over the devices online, bytes; without the kernel's.
    pub(crate) bytes_per_connection: f64,
}

/// From looks in the measured phases and the messages between them.
pub(super) fn cost(phases: &[OutcomePart], series: &[SeriesPoint], samples: &[ServerSample], online: u64) -> Cost {
    let (mut cpu_s, mut system_s, mut length_s, mut messages) = (0.0, 0.0, 0.0, 0.0);
    let mut first_rss = 0;
    for phase in phases.iter().filter(|phase| phase.measured) {
        let (start_s, end_s) = (phase.start_s, phase.start_s + phase.length_s);
        let is_inside = |sample: &&ServerSample| sample.at_s >= start_s - 0.5 && sample.at_s <= end_s + 0.5;
        let inside: Vec<&ServerSample> = samples.iter().filter(is_inside).collect();
        let (Some(first), Some(last)) = (inside.first(), inside.last()) else { continue };
        if first_rss == 0 {
            first_rss = first.rss_bytes;
        }
        cpu_s += used(&inside, |sample| sample.cpu_s);
        system_s += used(&inside, |sample| sample.system_s);
        length_s += last.at_s - first.at_s;
        // A second counts for as much of it as lies between the two looks.
        messages += series
            .iter()
            .map(|point| {
                let at_s = point.at_s as f64;
                let part = (at_s + 1.0).min(last.at_s) - at_s.max(first.at_s);
                part.max(0.0) * point.sent as f64
            })
            .sum::<f64>();
    }
    let before = samples.first().map_or(0, |sample| sample.rss_bytes);
    let per_message = |seconds: f64| if messages > 0.0 { seconds * 1e6 / messages } else { 0.0 };
    Cost {
        cpu_us_per_message: per_message(cpu_s),
        system_us_per_message: per_message(system_s.min(cpu_s)),
        cores: if length_s > 0.0 { cpu_s / length_s } else { 0.0 },
        bytes_per_connection: first_rss.saturating_sub(before) as f64 / online.max(1) as f64,
    }
}

/// What was used between looks. A counter that fell is that of another process, after a restart or a thread's end: what
/// it had used before is lost, and nothing is taken off.
fn used(samples: &[&ServerSample], of: fn(&ServerSample) -> f64) -> f64 {
    samples.windows(2).map(|pair| (of(pair[1]) - of(pair[0])).max(0.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::totals::PhaseTotals;

    #[test]
    fn cost_is_what_the_server_used_between_two_looks() {
        let sample = |at_s, cpu_s: f64, rss_bytes| {
            let system_s = cpu_s / 4.0;
            ServerSample { at_s, cpu_s, system_s, rss_bytes, connections: 0, frames: 0 }
        };
        let phase = |measured, start_s, end_s: f64| {
            let mut totals = PhaseTotals::new(1);
            (totals.start_ns, totals.end_ns) = ((start_s * 1e9) as u64, (end_s * 1e9) as u64);
            OutcomePart::of("phase", measured, &totals)
        };
        let phases = [phase(false, 0.0, 2.0), phase(true, 2.0, 12.0), phase(false, 12.0, 20.0)];
        let point = |at_s| SeriesPoint { at_s, sent: if at_s < 12 { 1_000 } else { 50_000 }, ..SeriesPoint::default() };
        let series: Vec<SeriesPoint> = (0..20).map(point).collect();
        let looks =
            [sample(0.0, 0.5, 1_000), sample(2.0, 1.0, 101_000), sample(12.0, 3.0, 200_000), sample(20.0, 9.0, 0)];
        let cost = cost(&phases, &series, &looks, 100);
        assert!((cost.cpu_us_per_message - 200.0).abs() < 1e-6 && (cost.cores - 0.2).abs() < 1e-9, "{cost:?}");
        assert!((cost.system_us_per_message - 50.0).abs() < 1e-6, "{cost:?}");
        assert!((cost.bytes_per_connection - 1_000.0).abs() < 1e-9, "{cost:?}");
    }

    #[test]
    fn a_restart_of_the_server_gives_no_negative_figure() {
        let at = |at_s, cpu_s| ServerSample { at_s, cpu_s, ..ServerSample::default() };
        let looks = [at(0.0, 5.0), at(1.0, 6.0), at(2.0, 0.2), at(3.0, 0.5)];
        let looks: Vec<&ServerSample> = looks.iter().collect();
        assert!((used(&looks, |sample| sample.cpu_s) - 1.3).abs() < 1e-9);
    }
}

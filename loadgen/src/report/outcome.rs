//! A run as JSON. docs/loadgen-outcome.schema.json is the published form.

use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost::{Cost, cost};
use super::heat::{Heat, heat};
use super::series::{self, SeriesPoint};
use super::summary::{Latency, Summary};
use crate::environment::Environment;
use crate::host::HostUse;
use crate::recorder::totals::PhaseTotals;
use crate::recorder::verdict::{self, RunVerdict};
use crate::recorder::{Counts, Metric};
use crate::run::{RunEnd, Setup};
use crate::scenario::ScenarioPhase;
use crate::server::ServerSample;
use crate::slo::{Slo, SloFigure};

/// Version of this form; it grows when a field changes its meaning or goes.
pub(crate) const VERSION: u32 = 1;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RunOutcome {
    /// Version of this form.
    pub(crate) version: u32,
    /// Name of the scenario.
    pub(crate) scenario: String,
    /// Its seed.
    pub(crate) seed: u64,
    /// Sends a second at load 1 that it plans, without heartbeats.
    pub(crate) planned_rate: f64,
    /// Devices.
    pub(crate) devices: u64,
    /// Where the server is.
    pub(crate) target: String,
    /// The command line that made it; empty in runs before it was stored.
    #[serde(default)]
    pub(crate) command: String,
    /// The plan, phase by phase, in words.
    #[serde(default)]
    pub(crate) plan: String,
    /// Begin, seconds since 1970.
    pub(crate) started_unix_s: u64,
    /// Ended by a signal before its time.
    pub(crate) was_interrupted: bool,
    /// What to think of it.
    pub(crate) verdict: RunVerdict,
    /// What it had to meet, and what it missed of it.
    pub(crate) slo: Option<SloResult>,
    /// Devices online when the measured phases could begin.
    pub(crate) online_at_gate: u64,
    /// Time after the ramp until then, seconds.
    pub(crate) settle_s: f64,
    /// The measured phases together.
    pub(crate) measured: OutcomePart,
    /// All phases, measured or not, in their order.
    pub(crate) phases: Vec<OutcomePart>,
    /// Differences below this say nothing about the server: the generator's own schedule lag (99th percentile) in the
    /// measured phases, microseconds.
    #[serde(default)]
    pub(crate) resolution_us: f64,
    /// A point a second.
    pub(crate) series: Vec<SeriesPoint>,
    /// How corrected latencies of messages lie over time.
    #[serde(default)]
    pub(crate) heat: Heat,
    /// The server, seen from outside; empty if nobody looked.
    pub(crate) server: Vec<ServerSample>,
    /// What the server cost.
    pub(crate) cost: Option<Cost>,
    /// Machine and versions.
    pub(crate) environment: Environment,
    /// What the machine did during the run.
    #[serde(default)]
    pub(crate) host: HostUse,
}

/// What a run had to meet.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SloResult {
    /// As it was written.
    pub(crate) text: String,
    /// What was missed, in words; empty: met.
    pub(crate) missed: Vec<String>,
}

impl SloResult {
    /// Met or missed; a run that says nothing about the server says nothing about this either.
    pub(crate) fn in_words(&self, is_valid: bool) -> String {
        match (is_valid, self.missed.is_empty()) {
            (false, _) => "not judged, the run is INVALID".to_owned(),
            (true, true) => "met".to_owned(),
            (true, false) => format!("missed: {}", self.missed.join("; ")),
        }
    }
}

/// One phase, or several together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct OutcomePart {
    /// Its name.
    pub(crate) name: String,
    /// Does it count?
    pub(crate) measured: bool,
    /// Begin and length, seconds of the run.
    pub(crate) start_s: f64,
    pub(crate) length_s: f64,
    /// Messages sent a second.
    pub(crate) sent_per_s: f64,
    /// Answers and arrivals a second.
    pub(crate) answers_per_s: f64,
    /// What happened.
    pub(crate) counts: Counts,
    /// What the server or the network did wrong.
    pub(crate) errors: u64,
    /// All messages with an answer together.
    pub(crate) messages: Latency,
    /// Each kind.
    pub(crate) kinds: BTreeMap<String, Latency>,
    /// How late sends left because of this generator.
    pub(crate) lag: Summary,
    /// CPU of each worker, part of one core.
    pub(crate) worker_busy: Vec<f64>,
    /// Time that each worker waited for a CPU, part of the whole.
    pub(crate) worker_waited: Vec<f64>,
    /// Storms: time until 95 % of all devices were online again, seconds.
    pub(crate) back_online_s: Option<f64>,
}

impl OutcomePart {
    pub(super) fn of(name: &str, measured: bool, totals: &PhaseTotals) -> Self {
        let length_s = totals.len_s().max(1e-9);
        let counts = totals.counts;
        let kinds = Metric::ALL.into_iter().zip(&totals.pairs);
        let share = |at: usize| {
            let of = move |worker: &[u64; 3]| worker[at] as f64 / worker[2].max(1) as f64;
            totals.workers.iter().map(of).collect()
        };
        Self {
            name: name.to_owned(),
            measured,
            start_s: if totals.start_ns == u64::MAX { 0.0 } else { totals.start_ns as f64 / 1e9 },
            length_s: totals.len_s(),
            sent_per_s: counts.sent() as f64 / length_s,
            answers_per_s: counts.answers as f64 / length_s,
            errors: counts.errors(),
            messages: Latency::of(&totals.messages()),
            kinds: kinds.filter_map(|(m, p)| Some((m.name().to_owned(), Latency::of(p.as_ref()?)))).collect(),
            lag: Summary::of(&totals.lag),
            worker_busy: share(0),
            worker_waited: share(1),
            back_online_s: None,
            counts,
        }
    }
}

impl RunOutcome {
    /// Put a run into this form.
    pub(crate) fn new(setup: &Setup, done: &RunEnd, slo: Option<&Slo>) -> Self {
        let scenario = &setup.scenario;
        let is_measured: Vec<bool> = scenario.phase.iter().map(ScenarioPhase::is_measured).collect();
        let measured = done.totals.measured(&is_measured);
        let verdict = Self::verdict(setup, done, &measured);
        let mut phases: Vec<OutcomePart> = scenario
            .phase
            .iter()
            .zip(&done.totals.phases)
            .map(|(phase, totals)| OutcomePart::of(&phase.title(), phase.is_measured(), totals))
            .collect();
        for recovery in &done.recoveries {
            phases[recovery.phase].back_online_s = recovery.to_95_s;
        }
        let measured = OutcomePart::of("measured", true, &measured);
        let mut environment = Environment::here();
        environment.server = setup.eye.version();
        let looked = setup.eye.is_open();
        let mut series = series::points(&done.totals, scenario, 0);
        // What is left of the last second, in which only late answers came, is no second.
        let end_s = phases.iter().map(|phase| phase.start_s + phase.length_s).fold(0.0, f64::max);
        series.retain(|point| point.at_s as f64 + 0.5 <= end_s);
        let mut outcome = Self {
            version: VERSION,
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            planned_rate: scenario.rate(),
            devices: scenario.devices(),
            target: setup.reach.target.to_string(),
            command: command_line(std::env::args()),
            plan: scenario.in_words(),
            started_unix_s: done.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            was_interrupted: done.was_interrupted,
            verdict,
            slo: None,
            online_at_gate: done.online_at_gate,
            settle_s: done.settle_s,
            cost: looked.then(|| cost(&phases, &series, &done.samples, done.online_at_gate)),
            series,
            heat: heat(&done.totals, end_s),
            resolution_us: measured.lag.at(0.99).unwrap_or(measured.lag.max_us),
            measured,
            phases,
            server: if looked { done.samples.clone() } else { Vec::new() },
            environment,
            host: done.host,
        };
        outcome.slo =
            slo.map(|slo| SloResult { text: slo.to_string(), missed: slo.missed(|figure| outcome.figure(figure)) });
        outcome
    }

    fn verdict(setup: &Setup, done: &RunEnd, measured: &PhaseTotals) -> RunVerdict {
        let mut verdict = verdict::judge(measured, done.unsent);
        let devices = setup.scenario.devices();
        if done.was_interrupted {
            verdict.reasons.push("the run was interrupted before its end".to_owned());
        }
        if done.online_at_gate < devices {
            verdict.notes.push(format!(
                "{} of {devices} devices were online when the measured phases began",
                done.online_at_gate
            ));
        }
        if let Some(why) = &done.refusal {
            verdict.notes.push(format!("a login was refused: {why}"));
        }
        if cfg!(debug_assertions) {
            verdict.notes.push("loadgen was built with checks (debug): the figures are of no use".to_owned());
        }
        verdict.valid = verdict.reasons.is_empty();
        verdict
    }

    /// A figure of the measured phases; times in microseconds.
    pub(crate) fn figure(&self, figure: SloFigure) -> Option<f64> {
        let latency = &self.measured.messages.corrected;
        match figure {
            SloFigure::Latency(millionths) => latency.at(f64::from(millionths) / 1e6),
            SloFigure::Mean if latency.count == 0 => None,
            SloFigure::Mean => Some(latency.mean_us),
            SloFigure::Errors => Some(self.measured.errors as f64),
            SloFigure::Rate => Some(self.measured.sent_per_s),
            SloFigure::Cpu => self.cost.map(|cost| cost.cpu_us_per_message).filter(|cpu| *cpu > 0.0),
        }
    }

    /// As text.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A command line that a shell takes again.
pub(crate) fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,%+@".contains(c);
    let quoted = |text: String| {
        let is_plain = !text.is_empty() && text.chars().all(plain);
        if is_plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    arguments.map(quoted).collect::<Vec<_>>().join(" ")
}

/// The schema of this form.
pub(crate) fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(RunOutcome)).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let arguments = ["loadgen", "quick", "--slo", "p99<5ms", "it's", ""].map(str::to_owned);
        let line = command_line(arguments.into_iter());
        assert_eq!(line, r"loadgen quick --slo 'p99<5ms' 'it'\''s' ''");
    }

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/loadgen-outcome.schema.json");
        if std::env::var_os("LINCHPIN_BLESS").is_some() {
            std::fs::write(path, schema()).expect("writes the schema");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == schema(), "docs/loadgen-outcome.schema.json is old: LINCHPIN_BLESS=1 cargo test -p loadgen");
    }
}

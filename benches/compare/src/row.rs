//! What is done to each server, and what of the load generator's outcome is kept.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use linchpin_protocol::model::Token;
use serde_json::Value;

use crate::subject::{Programs, spawn_on};

/// Something that all servers are asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the devices send, its rate over all of them, and how many at once.
    kind: &'static str,
    rate: u32,
    burst: u16,
    pub(crate) devices: u32,
    /// Rings of ours, all on one core, and workers of the load generator on the other: a ring holds below 20,000.
    rings: u16,
    /// Time in which they connect, ms.
    ramp_ms: u32,
    pub(crate) metrics: &'static [&'static str],
    /// No other server is asked to do this.
    pub(crate) is_ours_only: bool,
}

/// Longest tick while all are connected.
const TICK: &str = "longest_tick_us";
/// After the ramp, until everybody is online and quiet; and as long before the end.
const SETTLED: Duration = Duration::from_millis(1_500);
const MESSAGE: &[&str] = &["cpu_ns_per_message"];

/// What most rows have.
const BASE: Row = Row {
    name: "",
    kind: "ping",
    rate: 0,
    burst: 1,
    devices: 1_000,
    rings: 1,
    ramp_ms: 500,
    metrics: MESSAGE,
    is_ours_only: false,
};

/// All rows. Rates are the same for all servers and leave each of them time; the core table is of 1,000 connections.
pub(crate) const ROWS: [Row; 9] = [
    Row { name: "request/response", rate: 100_000, ..BASE },
    Row { name: "request/response, half load", rate: 50_000, ..BASE },
    Row { name: "telemetry", kind: "telemetry", rate: 200_000, ..BASE },
    // What a board does that reports four pins each time.
    Row {
        name: "telemetry, four writes at once",
        kind: "telemetry",
        rate: 400_000,
        burst: 4,
        is_ours_only: true,
        ..BASE
    },
    // At 1,000,000 a second the load generator's own core has no time left, and it is late.
    Row { name: "pipelined x16, 500,000 a second", rate: 500_000, burst: 16, ..BASE },
    Row {
        name: "pipelined x16, 2,000,000 a second offered",
        rate: 2_000_000,
        burst: 16,
        metrics: &["answers_per_second", "p50_us"],
        is_ours_only: true,
        ..BASE
    },
    // About half of what one core answers with so many connections.
    Row {
        name: "request/response, 10,000 connections",
        rate: 75_000,
        devices: 10_000,
        ramp_ms: 1_000,
        metrics: &["cpu_ns_per_message", TICK],
        ..BASE
    },
    Row {
        name: "accept and login",
        devices: 15_000,
        ramp_ms: 1_000,
        metrics: &["cpu_ns_per_login", "rss_bytes_per_connection"],
        ..BASE
    },
    // As fast as the load's core connects them; the others cannot hold so many in a process with 20,000 descriptors.
    Row {
        name: "accept and login, 39,000 on three rings",
        devices: 39_000,
        rings: 3,
        ramp_ms: 1_000,
        metrics: &["cpu_ns_per_login"],
        is_ours_only: true,
        ..BASE
    },
];

/// A figure of a run.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) metric: &'static str,
    pub(crate) value: f64,
}

/// What came of a run: figures, and why they do not count if they do not.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<Figure>,
    pub(crate) wrong: Option<String>,
}

impl Row {
    /// The same with less to do.
    pub(crate) const fn divided(self, by: u32) -> Self {
        Self { rate: self.rate / by, devices: self.devices.div_ceil(by), ..self }
    }

    /// Seconds that a measurement takes about.
    pub(crate) fn seconds(&self, measured_s: u32) -> u32 {
        measured_s + self.ramp_ms / 1_000 + 2
    }

    /// Start the server on the first CPU, load it from the second, and end both.
    ///
    /// # Errors
    /// A program could not be started or said nothing that can be read.
    pub(crate) fn measure(
        &self,
        programs: &Programs,
        subject: &str,
        cpus: [usize; 2],
        seconds: u32,
    ) -> Result<Outcome, String> {
        let server = programs.start(subject, self.devices, self.rings, cpus[0])?;
        let made_up = std::env::temp_dir().join(format!("linchpin-compare-tokens-{}", std::process::id()));
        let tokens = match &server.tokens {
            Some(path) => path.clone(),
            None => {
                make_up_tokens(&made_up, self.devices)?;
                made_up
            }
        };
        let mut load = Command::new(&programs.loadgen);
        let (workers, on) = (self.rings.to_string(), vec![cpus[1].to_string(); self.rings.into()].join(","));
        load.args(["quick", "--json", "--quiet", "--cpus", &on, "--h-beat", "1h", "--workers", &workers]);
        load.args(["-k", self.kind, "-c", &self.devices.to_string(), "-r", &format!("{}/s", self.rate)]);
        load.args(["--burst", &self.burst.to_string(), "--ramp", &format!("{}ms", self.ramp_ms)]);
        load.args(["-d", &format!("{seconds}s"), "--server-pid", &server.pid().to_string(), "--tokens"]);
        load.arg(tokens).arg(server.address.to_string());
        if programs.allow_debug_build {
            load.arg("--allow-debug-build");
        }
        load.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = spawn_on(cpus[1], &mut load)?;
        // Asked once so that connecting is forgotten, and again before all leave.
        let mut longest_tick_us = None;
        if self.metrics.contains(&TICK) {
            std::thread::sleep(Duration::from_millis(self.ramp_ms.into()) + SETTLED);
            let _ = server.longest_tick_us();
            std::thread::sleep(Duration::from_secs(seconds.into()).saturating_sub(SETTLED));
            longest_tick_us = server.longest_tick_us();
        }
        let ran = child.wait_with_output().map_err(|error| format!("loadgen: {error}"))?;
        let said = || String::from_utf8_lossy(&ran.stderr).into_owned();
        let outcome = serde_json::from_slice(&ran.stdout).map_err(|error| format!("loadgen: {error}: {}", said()))?;
        self.read(&outcome, longest_tick_us)
    }

    fn read(&self, outcome: &Value, longest_tick_us: Option<f64>) -> Result<Outcome, String> {
        let missing = |what: &str| format!("loadgen's outcome has no {what}");
        let number = |value: &Value, what: &str| value.as_f64().ok_or_else(|| missing(what));
        let mut figures = Vec::new();
        for &metric in self.metrics {
            let value = match metric {
                "cpu_ns_per_message" => number(&outcome["cost"]["cpu_us_per_message"], "CPU per message")? * 1_000.0,
                TICK => match longest_tick_us {
                    Some(us) => us,
                    // Servers without metrics do not say it.
                    None => continue,
                },
                "answers_per_second" => number(&outcome["measured"]["answers_per_s"], "answers a second")?,
                "p50_us" => self.median_us(outcome).ok_or_else(|| missing("median"))?,
                "rss_bytes_per_connection" => number(&outcome["cost"]["bytes_per_connection"], "memory")?,
                _ => self.cpu_per_login(outcome).ok_or_else(|| missing("looks at the server"))?,
            };
            figures.push(Figure { metric, value });
        }
        let reasons = outcome["verdict"]["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut wrong: Vec<String> = reasons.map(str::to_owned).collect();
        let errors = number(&outcome["measured"]["errors"], "errors")?;
        if errors > 0.0 {
            wrong.push(format!("{errors} errors"));
        }
        if outcome["online_at_gate"].as_u64() != Some(u64::from(self.devices)) {
            wrong.push(format!("{} of {} devices are online", outcome["online_at_gate"], self.devices));
        }
        Ok(Outcome { figures, wrong: (!wrong.is_empty()).then(|| wrong.join("; ")) })
    }

    /// Time to an answer, from the moment at which its message was due.
    fn median_us(&self, outcome: &Value) -> Option<f64> {
        let quantiles = outcome["measured"]["messages"]["corrected"]["quantiles"].as_array()?;
        let median = quantiles.iter().find(|pair| pair[0].as_f64().is_some_and(|share| share >= 0.5))?;
        median[1].as_f64()
    }

    /// Between the look before the first connection and the first look after the gate.
    fn cpu_per_login(&self, outcome: &Value) -> Option<f64> {
        let gate_s = outcome["measured"]["start_s"].as_f64()?;
        let looks = outcome["server"].as_array()?;
        let after = looks.iter().find(|look| look["at_s"].as_f64().is_some_and(|at_s| at_s >= gate_s))?;
        let cpu_s = after["cpu_s"].as_f64()? - looks.first()?["cpu_s"].as_f64()?;
        Some(cpu_s * 1e9 / f64::from(self.devices))
    }
}

/// Tokens of the right form, for servers that take any.
fn make_up_tokens(path: &Path, devices: u32) -> Result<(), String> {
    let token = |number: u32| {
        let mut seed = [7; 24];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        Token::from_random(&seed).expose().to_owned() + "\n"
    };
    let lines: String = (0..devices).map(token).collect();
    std::fs::write(path, lines).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> Row {
        ROWS.into_iter().find(|row| row.name == name).expect("a row")
    }

    fn outcome(valid: bool, online: u32) -> Value {
        let reasons: Vec<&str> = if valid { vec![] } else { vec!["late"] };
        serde_json::json!({
            "cost": {"cpu_us_per_message": 4.5, "cores": 0.5, "bytes_per_connection": 200.0},
            "verdict": {"valid": valid, "reasons": reasons}, "online_at_gate": online,
            "measured": {"errors": 0, "start_s": 1.2, "answers_per_s": 1e6,
                "messages": {"corrected": {"quantiles": [[0.0, 20.0], [0.5, 75.0], [0.99, 900.0]]}}},
            "server": [{"at_s": 0.0, "cpu_s": 0.1}, {"at_s": 1.0, "cpu_s": 0.2}, {"at_s": 2.0, "cpu_s": 0.25}],
        })
    }

    #[test]
    fn figures_come_from_the_outcome() {
        let read = row("request/response").read(&outcome(true, 1_000), None).expect("whole");
        assert!(read.wrong.is_none() && (read.figures[0].value - 4_500.0).abs() < 1e-9, "{read:?}");
        let read = row("accept and login").read(&outcome(true, 15_000), None).expect("whole");
        assert!((read.figures[0].value - 10_000.0).abs() < 1e-3, "0.15 s for 15,000: {read:?}");
        assert!((read.figures[1].value - 200.0).abs() < 1e-9, "{read:?}");
        let read = row("pipelined x16, 2,000,000 a second offered").read(&outcome(true, 1_000), None).expect("whole");
        assert!((read.figures[1].value - 75.0).abs() < 1e-9, "the median: {read:?}");
        let ticks = |us| {
            row("request/response, 10,000 connections").read(&outcome(true, 10_000), us).expect("whole").figures.len()
        };
        assert_eq!((ticks(Some(900.0)), ticks(None)), (2, 1));
    }

    #[test]
    fn what_does_not_count_has_its_reason() {
        assert_eq!(
            row("request/response").read(&outcome(false, 1_000), None).expect("whole").wrong.as_deref(),
            Some("late")
        );
        let few =
            row("request/response").read(&outcome(true, 999), None).expect("whole").wrong.expect("not all are online");
        assert!(few.contains("999 of 1000"), "{few}");
        assert!(row("request/response").read(&serde_json::json!({}), None).is_err());
    }
}

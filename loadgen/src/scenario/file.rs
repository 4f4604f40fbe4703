//! Scenario files, their JSON schema, and the scenario that the flags of `quick` stand for.

use std::path::Path;

use super::{
    Arrival, Group, MessageKind, Mix, Mqtt, Payload, PhaseKind, Scenario, ScenarioPhase, TlsVersion, Transport,
};
use crate::exit::Exit;
use crate::limits;
use crate::units::{Count, Rate, Span};

/// Read and check a scenario file.
pub(crate) fn read(path: &Path) -> Result<Scenario, Exit> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Exit::usage(format!("cannot read the scenario {}: {error}; check its path", path.display()))
    })?;
    parse(&text).map_err(|faults| Exit::usage(format!("{}: {faults}", path.display())))
}

/// Parse and check; the error shows all that is wrong.
pub(crate) fn parse(text: &str) -> Result<Scenario, String> {
    let scenario: Scenario = toml::from_str(text).map_err(|error| form_faults(text, error).join("\n  "))?;
    let faults = scenario.faults();
    if faults.is_empty() { Ok(scenario) } else { Err(faults.join("\n  ")) }
}

/// All that is wrong with the form of a file. Reading ends at the first fault: its line is taken out, and the rest is read again.
fn form_faults(text: &str, first: toml::de::Error) -> Vec<String> {
    let (mut left, mut faults, mut next) = (text.to_owned(), Vec::new(), Some(first));
    while let Some(fault) = next.take() {
        let place = fault.span().map(|span| span.start.min(left.len()));
        let line = place.map(|place| line_at(&left, place)).filter(|line| !left[line.clone()].trim().is_empty());
        // What is missing after a line was taken out may have been in it.
        if faults.is_empty() || line.is_some() && !fault.message().starts_with("missing field") {
            faults.push(fault.to_string().trim_end().replace('\n', "\n  "));
        }
        let Some(line) = line.filter(|_| faults.len() < limits::FORM_FAULTS) else { break };
        let is_missing = fault.message().starts_with("missing field");
        left.replace_range(line.clone(), &" ".repeat(line.len()));
        // The rest of a value that goes over several lines is no fault.
        if is_missing || left.parse::<toml::Table>().is_err() {
            break;
        }
        next = toml::from_str::<Scenario>(&left).err();
    }
    faults
}

fn line_at(text: &str, place: usize) -> std::ops::Range<usize> {
    let start = text[..place].rfind('\n').map_or(0, |at| at + 1);
    start..text[place..].find('\n').map_or(text.len(), |at| place + at)
}

/// The schema that editors complete scenario files with.
pub(crate) fn schema() -> String {
    let schema = schemars::schema_for!(Scenario);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}

/// What `quick` asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuickPhase {
    pub(crate) connections: Count,
    pub(crate) rate: Rate,
    pub(crate) duration: Span,
    pub(crate) ramp: Option<Span>,
    pub(crate) transport: Transport,
    pub(crate) kind: MessageKind,
    pub(crate) payload_bytes: u16,
    pub(crate) burst: u16,
    pub(crate) seed: u64,
    pub(crate) timeout: Span,
    pub(crate) h_beat: Span,
    pub(crate) tls: Option<TlsVersion>,
    pub(crate) resume: bool,
}

impl QuickPhase {
    /// One group, a ramp and a steady phase.
    pub(crate) fn scenario(self, is_mqtt: bool) -> Result<Scenario, Exit> {
        // 5,000 connections a second, or a second.
        let ramp = Span(std::time::Duration::from_secs((self.connections.0 / 5_000).max(1)));
        let phase = |kind, duration| ScenarioPhase {
            name: None,
            kind,
            duration,
            load: None,
            load_from: None,
            measured: None,
            settle: None,
            storm: None,
            share: None,
            within: None,
            arrival: Arrival::Uniform,
            rate: None,
            hold: None,
        };
        let mix = Mix {
            kind: self.kind,
            every: None,
            rate: Some(self.rate),
            jitter: None,
            arrival: Arrival::Uniform,
            pin: 1,
            payload_bytes: Payload::One(self.payload_bytes),
            burst: self.burst,
            connections: None,
        };
        let scenario = Scenario {
            name: "quick".to_owned(),
            about: String::new(),
            seed: self.seed,
            timeout: self.timeout,
            in_flight: None,
            tokens: None,
            slo: None,
            group: vec![Group {
                name: "devices".to_owned(),
                count: self.connections,
                transport: self.transport,
                h_beat: self.h_beat,
                reconnect: Span(std::time::Duration::from_secs(5)),
                echo: false,
                tls: self.tls,
                resume: self.resume,
                mqtt: Mqtt::default(),
                mix: if self.rate.0 > 0.0 { vec![mix] } else { Vec::new() },
            }],
            phase: vec![phase(PhaseKind::Ramp, self.ramp.unwrap_or(ramp)), phase(PhaseKind::Steady, self.duration)],
        };
        if is_mqtt {
            return scenario.over_mqtt().map_err(Exit::usage);
        }
        let faults = scenario.faults();
        if faults.is_empty() { Ok(scenario) } else { Err(Exit::usage(faults.join("\n  "))) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const SMALL: &str = r#"
name = "small"
[[group]]
name = "sensors"
count = 10
mix = [{ kind = "ping", rate = "100/s" }, { kind = "telemetry", every = "2s", jitter = "500ms" }]
[[phase]]
kind = "ramp"
duration = "1s"
[[phase]]
kind = "steady"
duration = "10s"
"#;

    #[test]
    fn a_scenario_is_read_with_its_defaults() {
        let scenario = parse(SMALL).expect("valid");
        assert_eq!((scenario.devices(), scenario.rate()), (10, 105.0));
        assert_eq!(scenario.group[0].transport, Transport::Plain);
        assert_eq!(scenario.phase.iter().map(ScenarioPhase::is_measured).collect::<Vec<_>>(), [false, true]);
        assert_eq!(scenario.scaled(2.0).rate(), 210.0);
    }

    #[test]
    fn faults_tell_the_place_the_value_and_what_to_do() {
        for (from, to, words) in [
            ("count = 10", "count = 0", &["group 1", "count is 0"][..]),
            ("rate = \"100/s\"", "rate = \"100/x\"", &["50k/s", "100/x"]),
            ("rate = \"100/s\"", "pin = 1", &["mix 1", "either every"]),
            ("count = 10", "cuont = 10", &["cuont", "count"]),
            ("kind = \"steady\"", "kind = \"storm\"", &["phase 2", "storm ="]),
            ("kind = \"ramp\"", "kind = \"steady\"", &["first phase must be a ramp"]),
            ("duration = \"10s\"", "duration = \"10s\"\nmeasured = false", &["no phase is measured"]),
            ("\"500ms\"", "500", &["30s"]),
            ("kind = \"ping\"", "kind = \"ping\", burst = 65", &["burst is 65", "1 to 64"]),
            ("kind = \"ping\"", "kind = \"http_read\", burst = 2", &["burst is 2", "telemetry"]),
            ("kind = \"ping\"", "kind = \"ping\", payload_bytes = [9, 3]", &["9 to 3", "1000"]),
            ("duration = \"10s\"", "duration = \"10000h\"", &["604800"]),
        ] {
            let text = SMALL.replace(from, to);
            assert_ne!(text, SMALL, "{from} is in the text");
            let error = parse(&text).expect_err(to);
            assert!(words.iter().all(|word| error.contains(word)), "{to}: {error}");
        }
    }

    #[test]
    fn all_faults_of_the_form_are_told_at_once() {
        let text = SMALL
            .replace("name = \"small\"", "nmae = \"small\"")
            .replace("count = 10", "count = 10\ndevcies = 3")
            .replace("duration = \"10s\"", "duration = \"10 parsec\"");
        let error = parse(&text).expect_err("three faults");
        for word in ["nmae", "devcies", "10 parsec"] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
        assert_eq!(error.matches("TOML parse error").count(), 3, "{error}");
        let one = parse(&SMALL.replace("count = 10", "cuont = 10")).expect_err("one fault");
        assert_eq!(one.matches("TOML parse error").count(), 1, "{one}");
    }

    #[test]
    fn the_published_schema_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/loadgen-scenario.schema.json");
        if std::env::var_os("LINCHPIN_BLESS").is_some() {
            std::fs::write(path, schema()).expect("writes the schema");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == schema(), "docs/loadgen-scenario.schema.json is old: LINCHPIN_BLESS=1 cargo test -p loadgen");
    }

    #[test]
    fn all_scenarios_that_are_shipped_are_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).expect("the scenarios").flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "toml") {
                let text = std::fs::read_to_string(entry.path()).expect("text");
                parse(&text).unwrap_or_else(|faults| panic!("{}: {faults}", entry.path().display()));
                seen += 1;
            }
        }
        assert!(seen >= 6, "only {seen} scenarios");
    }
}

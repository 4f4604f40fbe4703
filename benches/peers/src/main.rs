//! `bench-peers`: resident memory that a server takes for an idle, logged-in connection, Linchpin beside MQTT brokers,
//! plain and over TLS. Rounds are interleaved: in each, every server is started afresh once plain and once with TLS, in an
//! order that is shuffled. Every finished measurement is one line of `RESULTS/results.jsonl`; the same command goes on
//! after an interruption. docs/performance.md says what is compared and what is not.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

mod hold;
mod launch;
mod plan;
mod running;
mod subject;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use hold::Hold;
use launch::Folder;
use linchpin_bench_compare::results::{Measurement, Results};
use plan::{Step, Transport};
use subject::{Found, Subject};

/// What is measured: growth of the resident memory, bytes a connection.
const METRIC: &str = "rss_bytes_per_connection";

/// Descriptors that a server and the load generator need beside those of the connections.
const SPARE_DESCRIPTORS: u64 = 200;

/// Memory per idle connection: Linchpin beside MQTT brokers that benches/peers/setup.sh puts in place.
///
/// Exit codes: 0 all measured, 1 something was not (the same command tries it again), 2 usage.
#[derive(Parser)]
#[command(name = "bench-peers", version)]
struct Line {
    /// Folder of results.jsonl; what is there already is not measured again.
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Idle connections to each server.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=19_000))]
    connections: u32,
    /// Rounds.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only these, separated by commas.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<Subject>,
    /// Only plain or only tls.
    #[arg(long, value_name = "NAME")]
    transport: Option<Transport>,
    /// Seconds of rest between the last login and the reading.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    rest_s: u64,
    /// Seconds of rest between the first moment at which the server listens and the reading before the first connection.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(..=3_600))]
    settle_s: u64,
    /// Decides the order of each round.
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,
    /// The server; default: beside this program.
    #[arg(long, value_name = "PATH")]
    linchpin: Option<PathBuf>,
    /// The load generator; default: beside this program.
    #[arg(long, value_name = "PATH")]
    loadgen: Option<PathBuf>,
    /// Where benches/peers/setup.sh put the brokers; default: tools in Linchpin's cache folder.
    #[arg(long, value_name = "FOLDER")]
    tools: Option<PathBuf>,
    /// Take a load generator that was built for debugging; for tests.
    #[arg(long)]
    allow_debug_build: bool,
}

/// All that a measurement needs.
struct Bench {
    found: Vec<Found>,
    hold: Hold,
    settle: Duration,
    folder: Folder,
}

fn beside_this_program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    this.with_file_name(name)
}

/// Where setup.sh puts things.
fn cache_tools() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("LINCHPIN_CACHE").unwrap_or_else(|| {
        let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        base.unwrap_or_default().join("linchpin")
    });
    cache.join("tools")
}

/// Let this program and what it starts have as many descriptors as may be.
fn raise_descriptors(connections: u32) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| format!("the limit of descriptors cannot be raised to its hard value: {error}"))?;
    let needed = u64::from(connections) + SPARE_DESCRIPTORS;
    match limit.maximum {
        Some(maximum) if maximum < needed => Err(format!(
            "{connections} connections take {needed} descriptors, the hard limit is {maximum}: take fewer \
             --connections or raise it (ulimit -Hn)"
        )),
        _ => Ok(()),
    }
}

impl Bench {
    fn new(line: &Line) -> Result<Self, String> {
        let program = |given: &Option<PathBuf>, name: &str| {
            let path = given.clone().unwrap_or_else(|| beside_this_program(name));
            let hint = || format!("{} is missing: cargo build --release -p {name}", path.display());
            path.is_file().then(|| path.clone()).ok_or_else(hint)
        };
        let linchpin = program(&line.linchpin, "linchpin")?;
        let loadgen = program(&line.loadgen, "loadgen")?;
        let tools = line.tools.clone().unwrap_or_else(cache_tools);
        let wanted = |subject: &Subject| line.only.is_empty() || line.only.contains(subject);
        let mut found = Vec::new();
        for subject in Subject::ALL.into_iter().filter(wanted) {
            match subject.find(&linchpin, &tools) {
                Some(one) => found.push(one),
                None => eprintln!("{} is left out, it is missing: {}", subject.name(), subject.how_to_get()),
            }
        }
        raise_descriptors(line.connections)?;
        let hold = Hold {
            loadgen,
            connections: line.connections,
            rest: Duration::from_secs(line.rest_s),
            allow_debug_build: line.allow_debug_build,
        };
        Ok(Self { found, hold, settle: Duration::from_secs(line.settle_s), folder: Folder::new()? })
    }

    /// One measurement: a fresh server, its memory before, all connections, its memory after the rest.
    fn measure(&self, step: &Step, found: &Found) -> Result<Measurement, String> {
        let server = launch::start(found, step.transport, self.hold.connections, &self.folder)?;
        std::thread::sleep(self.settle);
        let before = server.resident_bytes()?;
        let held = self.hold.run(step.transport, &server, &self.folder)?;
        let grown = held.resident_bytes as f64 - before as f64;
        Ok(Measurement {
            row: step.transport.row().to_owned(),
            subject: found.label.clone(),
            round: step.round,
            metric: METRIC.to_owned(),
            value: grown / f64::from(self.hold.connections),
            valid: held.fault.is_none(),
            note: held.fault.unwrap_or_else(|| found.note()),
            connections: self.hold.connections,
            before_bytes: before,
        })
    }
}

/// Make what is missing; says how many could not be made.
fn measure_all(line: &Line, bench: &Bench, results: &mut Results) -> Result<u32, String> {
    let mut failed = 0;
    for step in plan::steps(line.rounds, bench.found.len(), line.transport, line.seed) {
        let found = &bench.found[step.subject];
        if results.has(step.transport.row(), &found.label, step.round, line.connections) {
            continue;
        }
        let what = format!("round {}: {}, {}", step.round, found.label, step.transport.name());
        match bench.measure(&step, found) {
            Ok(one) => {
                let verdict = if one.valid { "" } else { ", INVALID: " };
                let why = if one.valid { "" } else { &one.note };
                eprintln!("{what}: {:.0} bytes a connection{verdict}{why}", one.value);
                failed += u32::from(!one.valid);
                results.append(one)?;
            }
            Err(error) => {
                eprintln!("{what}: not measured: {error}");
                failed += 1;
            }
        }
    }
    Ok(failed)
}

fn run(line: &Line) -> Result<u32, String> {
    let bench = Bench::new(line)?;
    let mut results = Results::open(Path::new(&line.results))?;
    let failed = measure_all(line, &bench, &mut results)?;
    let labels: Vec<(&str, &str)> = bench.found.iter().map(|found| (&*found.label, found.subject.wire())).collect();
    print!("{}", table::markdown(results.all(), &labels, line.connections));
    Ok(failed)
}

fn main() -> ExitCode {
    match run(&Line::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("bench-peers: {failed} measurements are missing; the same command tries them again");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

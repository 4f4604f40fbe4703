//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::scenario::{MessageKind, TlsVersion, Transport};
use crate::slo::{FailOn, Slo, SloFigure};
use crate::units::{Count, Rate, Span};

/// Open-loop load generator for Blynk devices: latency from the time at which a message should have left, a verdict on
/// itself, storms as phases, runs that can be compared.
///
/// Exit codes: 0 ok, 1 usage, 2 target unreachable, 3 SLO missed, 4 run invalid, 5 regression.
#[derive(Parser)]
#[command(name = "loadgen", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Task,
}

const EXAMPLES: &str = "Examples:
  loadgen quick --dev -c 1k -r 10k -d 10s --out runs/first  a first report, without a server at hand
  linchpin dev --devices 10000 --tokens-out tokens        in one terminal
  loadgen quick -c 10k -r 50k -d 30s 127.0.0.1:8080 --tokens tokens
  loadgen run loadgen/scenarios/storm.toml 127.0.0.1:8080 --tokens tokens --out runs/storm
  loadgen ab --rounds 9 old/linchpin new/linchpin loadgen/scenarios/telemetry.toml
  loadgen search --slo 'p99<5ms,errors=0' loadgen/scenarios/readme.toml 127.0.0.1:8080 --tokens tokens";

#[derive(Subcommand)]
pub(crate) enum Task {
    /// One kind of message at one rate.
    Quick(Quick),
    /// Run a scenario.
    Run(RunArgs),
    /// Check a scenario file and say what it plans.
    Check {
        /// The file (TOML).
        scenario: PathBuf,
    },
    /// Run two servers or builds in turn and tell whether one is faster.
    Ab(Ab),
    /// Compare two sets of kept runs.
    Compare(Compare),
    /// Find the highest rate that meets an SLO.
    Search(Search),
    /// Print a JSON schema.
    Schema {
        /// Of what.
        of: SchemaOf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum SchemaOf {
    /// Scenario files.
    Scenario,
    /// outcome.json.
    Outcome,
}

/// How a run is made.
#[derive(Args, Clone)]
pub(crate) struct How {
    /// Tokens of the devices, one a line; with MQTT USER:PASSWORD or USER, and none for a broker that asks for no name.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Threads; default: one a core but one, and enough for the connections.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(crate::limits::WORKERS)))]
    pub(crate) workers: Option<u16>,
    /// Requests without their answer at once, over all workers; what is due beyond waits.
    #[arg(long, value_name = "N")]
    pub(crate) in_flight: Option<Count>,
    /// What the run must meet, such as p99<5ms,errors=0.
    #[arg(long, value_name = "SLO")]
    pub(crate) slo: Option<Slo>,
    /// Write outcome.json, report.html, series.ndjson, histograms (.hgrm) and intervals.hlog into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Print the outcome as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Another seed than the scenario's.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Back end.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "io_uring", "portable"])]
    pub(crate) driver: String,
    /// Source addresses, separated by commas; on the loopback all of 127.0.0.0/8 are used without it.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    pub(crate) source: Vec<IpAddr>,
    /// CPUs of the workers, separated by commas; default: one each from the last one down, if one is left over.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) cpus: Vec<usize>,
    /// Metrics of the server (HOST:PORT), for its CPU per message and its version.
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// The server's process, when it is on this machine and its port does not show it.
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Certificates (PEM) that TLS servers are checked against.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Name that the server's certificate must have.
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub(crate) server_name: String,
    /// Speak MQTT 3.1.1 instead of Blynk: plain groups as mqtt, tls groups as mqtts.
    #[arg(long)]
    pub(crate) mqtt: bool,
    /// Program that restarts the server, for storms of that kind.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) restart_command: Option<PathBuf>,
    /// The target beyond this machine is mine, or its owner agrees.
    #[arg(long)]
    pub(crate) i_own_this_target: bool,
    /// Run although this build is too slow for figures; for tests.
    #[arg(long)]
    pub(crate) allow_debug_build: bool,
    /// A line a second even on a terminal.
    #[arg(long)]
    pub(crate) no_tui: bool,
    /// No progress at all.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Args)]
pub(crate) struct Quick {
    /// Devices.
    #[arg(short, long, value_name = "N", default_value = "1k")]
    pub(crate) connections: Count,
    /// Messages a second of all devices, such as 50k; 0: heartbeats only.
    #[arg(short, long, value_name = "RATE", default_value = "1k/s")]
    pub(crate) rate: Rate,
    /// How long to measure.
    #[arg(short, long, value_name = "TIME", default_value = "30s")]
    pub(crate) duration: Span,
    /// Time in which the devices connect; default: 5,000 a second.
    #[arg(long, value_name = "TIME")]
    pub(crate) ramp: Option<Span>,
    /// How devices connect.
    #[arg(short, long, value_name = "NAME", default_value = "plain", value_parser = transport)]
    pub(crate) transport: Transport,
    /// TLS version, 1.2 or 1.3; default: the newest that the server speaks.
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    pub(crate) tls_version: Option<TlsVersion>,
    /// Devices that come back resume a TLS session.
    #[arg(long)]
    pub(crate) resume: bool,
    /// What they send: ping, sync, property, telemetry, publish (MQTT), http_read, http_write or bridge.
    #[arg(short, long, value_name = "KIND", default_value = "ping", value_parser = kind)]
    pub(crate) kind: MessageKind,
    /// Length of values.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) payload_bytes: u16,
    /// Messages of a device at once, in one send; the rate counts messages.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) burst: u16,
    /// An answer that takes longer is a timeout.
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) timeout: Span,
    /// Heartbeat of the devices.
    #[arg(long, value_name = "TIME", default_value = "40s")]
    pub(crate) h_beat: Span,
    /// Start `linchpin dev` on free ports for this run, with devices of its own, and end it afterwards.
    #[arg(long)]
    pub(crate) dev: bool,
    /// The server's program for --dev; default: `linchpin` beside this program, else on the PATH.
    #[arg(long, value_name = "PROGRAM", requires = "dev")]
    pub(crate) server: Option<PathBuf>,
    /// The server, HOST:PORT.
    #[arg(value_name = "HOST:PORT", required_unless_present = "dev", conflicts_with = "dev")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The scenario (TOML).
    pub(crate) scenario: PathBuf,
    /// The server, HOST:PORT.
    #[arg(value_name = "HOST:PORT")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Search {
    /// The scenario (TOML); all its rates are multiplied.
    pub(crate) scenario: PathBuf,
    /// The server, HOST:PORT.
    #[arg(value_name = "HOST:PORT")]
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Ab {
    /// Valid rounds, each a run of both; INVALID ones are made again, 9 times at most.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::limits::ROUNDS)))]
    pub(crate) rounds: u32,
    /// A server (HOST:PORT), or a program that is started with `dev` for each run.
    pub(crate) a: String,
    /// The other one.
    pub(crate) b: String,
    /// The scenario (TOML).
    pub(crate) scenario: PathBuf,
    /// The figure that decides: p50, p99, p99.9, max, mean, rate or cpu.
    #[arg(long, value_name = "FIGURE", default_value = "p99")]
    pub(crate) figure: SloFigure,
    /// End with 5 if B is worse by more, such as p99>5%.
    #[arg(long, value_name = "CHANGE")]
    pub(crate) fail_on: Option<FailOn>,
    /// Go on with what an interrupted comparison has kept in --out.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Tokens of B, if they are not those of A.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens_b: Option<PathBuf>,
    /// More flags for A's program.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) a_flag: Vec<String>,
    /// More flags for B's program.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub(crate) b_flag: Vec<String>,
    #[command(flatten)]
    pub(crate) how: How,
}

#[derive(Args)]
pub(crate) struct Compare {
    /// Runs of the first set: outcome.json files, or folders of runs.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) base: Vec<PathBuf>,
    /// Runs of the second set.
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub(crate) new: Vec<PathBuf>,
    /// The figure that decides.
    #[arg(long, value_name = "FIGURE", default_value = "p99")]
    pub(crate) figure: SloFigure,
    /// End with 5 if the second set is worse by more, such as p99>5%.
    #[arg(long, value_name = "CHANGE")]
    pub(crate) fail_on: Option<FailOn>,
    /// Write the comparison as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
    /// Compare runs of different machines, and INVALID ones, too.
    #[arg(long)]
    pub(crate) force: bool,
}

fn transport(text: &str) -> Result<Transport, String> {
    serde_json::from_value(text.into())
        .map_err(|_| format!("{text:?} is no transport; write plain, tls, ws, wss, mqtt or mqtts"))
}

fn tls_version(text: &str) -> Result<TlsVersion, String> {
    serde_json::from_value(text.into()).map_err(|_| format!("{text:?} is no version of TLS here; write 1.2 or 1.3"))
}

fn kind(text: &str) -> Result<MessageKind, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        format!("{text:?} is no kind; write ping, sync, property, telemetry, publish, http_read, http_write or bridge")
    })
}

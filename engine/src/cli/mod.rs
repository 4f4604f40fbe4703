//! The command line.

mod client;
mod device;
mod doctor;
mod shell;
mod show;
mod sim;
mod store;
mod top;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use linchpin_driver::Features;
use linchpin_shard::End;
use linchpin_tls::Layer;
use serde_json::json;

use crate::cli::device::{ask, say};
use crate::cli::store::{BackupVerb, Erase, KeysVerb, OrgVerb, StoreVerb};
use crate::config::{self, Assignment, EngineOptions};
use crate::limits;
use crate::serve::ServeError;
use crate::serve::{launch, log};
use crate::store::FillError;

/// Self-hosted server for Blynk devices.
#[derive(Parser)]
#[command(name = "linchpin", version, about)]
struct Line {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start a server without any configuration, with demo devices.
    Dev(Dev),
    /// Start a server from a configuration file.
    Serve {
        /// The file (TOML).
        #[arg(long)]
        config: PathBuf,
        /// Write where it listens to this file (JSON, 0600) once it does.
        #[arg(long)]
        ready_file: Option<PathBuf>,
        /// How log lines look; goes before [log] format of the file.
        #[arg(long, value_name = "FORMAT")]
        log_format: Option<log::Format>,
        /// Open a store that is older than its anchor says, once: what is missing stays missing.
        #[arg(long)]
        accept_rollback: bool,
    },
    /// Check a configuration file.
    Check {
        /// The file (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// The configuration file.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// What the running server does.
    Status(At),
    /// Devices of the running server.
    #[command(subcommand)]
    Device(DeviceVerb),
    /// Templates of the running server.
    #[command(subcommand)]
    Template(TemplateVerb),
    /// End all connections of the running server at a pace and take no new ones.
    Drain {
        /// Send the devices to another server first.
        #[arg(long, value_name = "HOST:PORT")]
        redirect: Option<String>,
        /// Connections a second.
        #[arg(long)]
        per_second: Option<u32>,
        #[command(flatten)]
        at: At,
    },
    /// Keys of the store.
    #[command(subcommand)]
    Keys(KeysVerb),
    /// Erase an organization or a device for ever.
    Erase(Erase),
    /// The store itself.
    #[command(subcommand)]
    Store(StoreVerb),
    /// Backups: made while the server runs, checked and restored without it.
    #[command(subcommand)]
    Backup(BackupVerb),
    /// Organizations, which own devices.
    #[command(subcommand)]
    Org(OrgVerb),
    /// A live view of the running server's shards.
    Top {
        /// Seconds between two looks.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_600))]
        every: u64,
        /// One look over one interval, then end.
        #[arg(long)]
        once: bool,
        #[command(flatten)]
        at: At,
    },
    /// Check this machine: limits, kernel settings, io_uring, disk, clock; what is wrong and how to mend it.
    Doctor {
        /// Check for what this configuration file asks.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the completions of a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Write man pages to a folder.
    Man {
        /// The folder.
        folder: PathBuf,
    },
    /// What an end code such as E0103 means and what to do about it.
    Explain {
        /// The code.
        code: String,
    },
}

/// Where `linchpin dev` speaks TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TlsFlag {
    Auto,
    Off,
    At(SocketAddr),
}

impl std::str::FromStr for TlsFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|_| {
                format!("{address:?} is neither \"off\" nor an address with a port, such as 127.0.0.1:9443")
            }),
        }
    }
}

impl TlsFlag {
    /// The address; `any` is the one that the plain port has without flags.
    pub(crate) fn address(self, any: IpAddr) -> Option<SocketAddr> {
        match self {
            Self::Auto => Some(SocketAddr::new(any, 9_443)),
            Self::Off => None,
            Self::At(address) if address.ip().is_loopback() && !any.is_loopback() => {
                Some(SocketAddr::new(any, address.port()))
            }
            Self::At(address) => Some(address),
        }
    }
}

fn record_layer(text: &str) -> Result<Layer, String> {
    match text {
        "in-place" => Ok(Layer::InPlace),
        "rustls" => Ok(Layer::Rustls),
        _ => Err("the record layer is \"in-place\" or \"rustls\"".to_owned()),
    }
}

#[derive(Args)]
pub(crate) struct Dev {
    /// Listen on all addresses, for boards on the network.
    #[arg(long)]
    pub(crate) lan: bool,
    /// Address of the plain port; port 0 = any free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) plain: Option<SocketAddr>,
    /// Address of the TLS port, with a certificate of an authority of its own; "off" = no TLS. [default: port 9443]
    #[arg(long, value_name = "ADDR", default_value = "auto", hide_default_value = true)]
    pub(crate) tls: TlsFlag,
    /// Who opens and seals TLS records: in-place or rustls.
    #[arg(long, value_name = "NAME", default_value = "in-place", value_parser = record_layer)]
    pub(crate) record_layer: Layer,
    /// Address of the metrics; port 0 = any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback)]
    pub(crate) metrics: SocketAddr,
    /// Data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Threads with their own sockets; default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::SHARDS)))]
    pub(crate) shards: Option<u16>,
    /// Back end.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "io_uring", "portable"])]
    pub(crate) driver: String,
    /// Newer io_uring features: all, 6.1, or a list such as -no_sqarray.
    #[arg(long, value_name = "LIST", value_parser = Features::parse, allow_hyphen_values = true)]
    pub(crate) driver_features: Option<Features>,
    /// Connections to be ready for.
    #[arg(long, value_name = "N", default_value_t = EngineOptions::CONNECTIONS,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Write where it listens and the devices' tokens to this file (JSON, 0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Keep nothing on the disk: devices, tokens and values are gone when the server stops.
    #[arg(long)]
    pub(crate) memory: bool,
    /// Open a store that is older than its anchor says, once: what is missing stays missing.
    #[arg(long, conflicts_with = "memory")]
    pub(crate) accept_rollback: bool,
    /// Have so many more devices, without template.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "tokens_out",
          value_parser = clap::value_parser!(u32).range(0..=i64::from(limits::DEVICES)))]
    pub(crate) devices: u32,
    /// Write the ids and tokens of --devices to this file (0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens_out: Option<PathBuf>,
    /// A limit by its name in the configuration's [limits], such as message_burst=1000; may be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = Assignment::parse)]
    pub(crate) set: Vec<Assignment>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<log::Format>,
}

/// Which server.
#[derive(Args)]
pub(crate) struct At {
    /// Data directory of the server.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Its admin socket, if it is elsewhere.
    #[arg(long, value_name = "PATH")]
    pub(crate) admin: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum DeviceVerb {
    /// All devices.
    List(At),
    /// One device with its latest values.
    Show {
        /// Its id.
        id: u32,
        #[command(flatten)]
        at: At,
    },
    /// Make devices with new tokens.
    Add {
        /// How many.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// Their template.
        #[arg(long)]
        template: Option<String>,
        /// Their organization, by its number; the server's own without it.
        #[arg(long, value_name = "N")]
        org: Option<u32>,
        /// Their name.
        #[arg(long)]
        name: Option<String>,
        /// Write ids and tokens to this file (0600) instead of showing them.
        #[arg(long, value_name = "FILE")]
        tokens_out: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Write a value to a device's pin, as an app would.
    Write {
        /// Its id.
        id: u32,
        /// V0 to V255, D0 to D255, A0 to A255.
        pin: String,
        /// The value.
        #[arg(allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        at: At,
    },
    /// Send a device something else: `ota URL`, `reboot`, `debug TEXT`.
    Push {
        /// Its id.
        id: u32,
        /// ota, reboot or debug.
        what: String,
        /// The URL or the text.
        argument: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// The token of a device: what goes into its sketch.
    Token {
        /// Its id.
        id: u32,
        #[command(flatten)]
        at: At,
    },
    /// Remove a device: its connection ends, its token and values are gone.
    Remove {
        /// Its id.
        id: u32,
        #[command(flatten)]
        at: At,
    },
    /// History of a device as CSV, or as JSON with --json, however long it is.
    Export(Export),
    /// How connections ended lately and what to do about it: of one device, or of everybody.
    Diary {
        /// Its id.
        id: Option<u32>,
        /// At most this many, newest first.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        at: At,
    },
    /// Show the frames of a device as they come and go, without its secrets; Ctrl-C ends it.
    Watch {
        /// Its id.
        id: u32,
        /// Stop after so many seconds.
        #[arg(long, value_name = "N")]
        seconds: Option<u32>,
        #[command(flatten)]
        at: At,
    },
    /// A virtual device that keeps writing and shows what it receives.
    Sim(Sim),
}

#[derive(Args)]
pub(crate) struct Sim {
    /// HOST:PORT of the server.
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "ready_file")]
    pub(crate) server: Option<String>,
    /// The device's token; better in a file.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) token: Option<String>,
    /// File with the device's token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The server's ready file: address and tokens.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Which device of the ready file, from 0.
    #[arg(long, default_value_t = 1)]
    pub(crate) index: usize,
    /// Also write to V10 of this device of the ready file, over a bridge.
    #[arg(long, value_name = "INDEX")]
    pub(crate) bridge_index: Option<usize>,
    /// Also write to V10 of the device with this token, over a bridge.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) bridge_to: Option<String>,
    /// Values to write; 0 = until interrupted.
    #[arg(long, default_value_t = 0)]
    pub(crate) count: u32,
    /// Time between two: 500ms, 1s, 1m.
    #[arg(long, default_value = "1s", value_parser = parse_period)]
    pub(crate) period: Duration,
}

#[derive(Subcommand)]
enum ConfigVerb {
    /// Print a complete file: every key with its unit, range and default.
    Default,
}

#[derive(Subcommand)]
pub(crate) enum TemplateVerb {
    /// All templates.
    List(At),
    /// One template with its datastreams.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Add a template from a file with one [[template]] table, as in the configuration; replaces one with the same id.
    Add {
        /// The file (TOML).
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
}

/// What to export.
#[derive(Args)]
pub(crate) struct Export {
    /// Its id.
    pub(crate) id: u32,
    /// Only this pin, such as V7; may be given several times.
    #[arg(long, value_name = "PIN")]
    pub(crate) pin: Vec<String>,
    /// How far back: HOUR, DAY, WEEK, MONTH, THREE_MONTHS.
    #[arg(long, default_value = "MONTH", conflicts_with = "from_ms")]
    pub(crate) period: String,
    /// From this moment on, Unix ms.
    #[arg(long, value_name = "MS")]
    pub(crate) from_ms: Option<u64>,
    /// Up to this moment, Unix ms; now without it.
    #[arg(long, value_name = "MS")]
    pub(crate) to_ms: Option<u64>,
    /// How fine: RAW_DATA, MINUTE, HOURLY, DAILY.
    #[arg(long, default_value = "RAW_DATA")]
    pub(crate) granularity: String,
    /// Which value of a row: AVG, MIN, MAX, SUM, COUNT, LAST.
    #[arg(long, default_value = "AVG")]
    pub(crate) source: String,
    /// How times look: TS (Unix ms), ISO, ISO_US, ISO_SIMPLE; in UTC.
    #[arg(long, default_value = "ISO")]
    pub(crate) format: String,
    #[command(flatten)]
    pub(crate) at: At,
}

/// How this program ends besides with 0 and clap's own 2 for a usage error.
pub(crate) enum Failure {
    /// Something did not work.
    General(String),
    /// The configuration is wrong.
    Config(String),
}

impl Failure {
    /// With 1 and this sentence.
    pub(crate) fn general(error: impl std::fmt::Display) -> Self {
        Self::General(error.to_string())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Fill(FillError::Config(text)) => Self::Config(text),
            other => Self::general(other),
        }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::General(text)
    }
}

/// Run the program.
pub(crate) fn run() -> ExitCode {
    let result = match Line::parse().command {
        Verb::Dev(flags) => launch::dev(flags),
        Verb::Serve { config, ready_file, log_format, accept_rollback } => {
            launch::serve(config, ready_file, log_format, accept_rollback)
        }
        Verb::Check { config } => launch::check(&config),
        Verb::Config(ConfigVerb::Default) => say(&config::default_file()),
        Verb::Status(at) => ask(&at, "status", json!({}), show::status_text),
        Verb::Device(verb) => device::device(verb),
        Verb::Template(verb) => device::template(verb),
        Verb::Drain { redirect, per_second, at } => {
            let parameters = json!({"redirect": redirect, "per_second": per_second});
            ask(&at, "drain", parameters, |_| "draining\n".to_owned())
        }
        Verb::Keys(verb) => store::keys(verb),
        Verb::Erase(flags) => store::erase(&flags),
        Verb::Store(verb) => store::store(verb),
        Verb::Backup(verb) => store::backup(verb),
        Verb::Org(verb) => store::org(verb),
        Verb::Top { every, once, at } => top::run(&at, Duration::from_secs(every), once),
        Verb::Doctor { config, json } => doctor::run(config.as_deref(), json),
        Verb::Completions { shell } => shell::completions(shell, Line::command()),
        Verb::Man { folder } => shell::man_pages(&folder, &Line::command()),
        Verb::Explain { code } => explain(&code),
    };
    let (text, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::General(text)) => (text, 1),
        // EX_CONFIG of sysexits.h.
        Err(Failure::Config(text)) => (text, 78),
    };
    eprintln!("linchpin: {text}");
    ExitCode::from(status)
}

fn explain(code: &str) -> Result<(), Failure> {
    let Some(end) = End::ALL.iter().find(|end| end.to_string().eq_ignore_ascii_case(code)) else {
        let known: Vec<_> = End::ALL.iter().map(ToString::to_string).collect();
        return Err(Failure::General(format!("{code} is not an end code; there are {}", known.join(", "))));
    };
    println!("{end}: {}\nWhat to do: {}", end.what(), end.fix());
    Ok(())
}

/// Metrics are for this machine only.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:9464"))?;
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("{address} is not of 127.0.0.0/8 or ::1")) }
}

/// `250ms`, `1s`, `2m`; 1 ms to an hour.
fn parse_period(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let in_unit = |(unit, ms): &(&str, u64)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*ms);
    match units.iter().find_map(in_unit) {
        Some(ms @ 1..=3_600_000) => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{text:?} is not a time from 1ms to 60m, such as 250ms, 1s or 2m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn periods_have_units() {
        assert_eq!(parse_period("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_period("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_period("99999999999999999999s").is_err() && parse_period("9999999999999999999m").is_err());
        assert!(parse_period("5").is_err() && parse_period("0s").is_err() && parse_period("2h").is_err());
    }
}

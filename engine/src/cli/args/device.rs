//! Arguments of commands about devices and templates.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use linchpin_control::request::Pushed;

use super::At;

#[derive(Subcommand)]
pub(crate) enum DeviceVerb {
    /// Devices: all of them, or those that the flags name.
    List(ListFlags),
    /// One device with its latest values.
    Show {
        /// Its id or name.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Make devices with new tokens.
    Add {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(linchpin_control::limits::ADD_DEVICES)))]
        count: u32,
        /// Their template, by its id or name.
        #[arg(long)]
        template: Option<String>,
        /// Their organization, by its number or name; the server's own without it.
        #[arg(long)]
        org: Option<String>,
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
        /// Its id or name.
        id: String,
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
        /// Its id or name.
        id: String,
        /// What to send.
        what: PushArgument,
        /// The URL or the text.
        argument: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// The token of a device: what goes into its sketch.
    Token {
        /// Its id or name.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Remove a device: its connection ends, its token and values are gone.
    Remove {
        /// Its id or name.
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// History of a device as CSV, or as JSON with --json, however long it is.
    Export(ExportArgs),
    /// How connections ended lately and what to do about it: of one device, or of everybody.
    Diary {
        /// Its id or name.
        id: Option<String>,
        /// At most this many, newest first.
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        at: At,
    },
    /// Show the frames of a device as they come and go, without its secrets; Ctrl-C ends it.
    #[command(visible_alias = "watch")]
    Tap {
        /// Its id or name.
        id: String,
        /// Stop after so many seconds.
        #[arg(long, value_name = "N")]
        seconds: Option<u32>,
        #[command(flatten)]
        at: At,
    },
    /// A virtual device that keeps writing and shows what it receives.
    Sim(Sim),
}

/// Which devices a list has.
#[derive(Args)]
pub(crate) struct ListFlags {
    /// Only those that are connected.
    #[arg(long, conflicts_with = "offline")]
    pub(crate) online: bool,
    /// Only those that are not.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Only names like this; * stands for anything, ? for one character.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) name: Option<String>,
    /// Only those of this template, by its id or name.
    #[arg(long, value_name = "ID")]
    pub(crate) template: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) at: At,
}

/// What `linchpin device push` sends.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PushArgument {
    /// Get the firmware at a URL.
    Ota,
    /// Start again.
    Reboot,
    /// Print a text.
    Debug,
    /// Say that it is there: for devices that speak MQTT.
    Ping,
}

impl From<PushArgument> for Pushed {
    fn from(argument: PushArgument) -> Self {
        match argument {
            PushArgument::Ota => Self::Ota,
            PushArgument::Reboot => Self::Reboot,
            PushArgument::Debug => Self::Debug,
            PushArgument::Ping => Self::Ping,
        }
    }
}

#[derive(Args)]
pub(crate) struct Sim {
    /// HOST:PORT of the server.
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "ready_file")]
    pub(crate) server: Option<String>,
    /// The device's token; better in a file.
    #[arg(long, conflicts_with = "token_file", allow_hyphen_values = true)]
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
pub(crate) enum TemplateVerb {
    /// All templates.
    List(At),
    /// One template with its datastreams.
    Show {
        /// Its id or name.
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
pub(crate) struct ExportArgs {
    /// Its id or name.
    pub(crate) id: String,
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
    fn periods_have_units() {
        assert_eq!(parse_period("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_period("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_period("99999999999999999999s").is_err() && parse_period("9999999999999999999m").is_err());
        assert!(parse_period("5").is_err() && parse_period("0s").is_err() && parse_period("2h").is_err());
    }
}

//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use linchpin_control::Registry;
use linchpin_driver::{Choice, Descriptors, Features};
use linchpin_protocol::model::Token;
use linchpin_shard::{End, Settings};
use serde_json::{Value, json};

use crate::admin_client::{self, ClientError};
use crate::boot::Keys;
use crate::config::{self, EngineOptions};
use crate::serve::{self, Server};
use crate::sim_device::{self, SimOptions};
use crate::{dev, limits, ready};

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
    },
    /// Check a configuration file.
    Check {
        /// The file (TOML).
        #[arg(long)]
        config: PathBuf,
    },
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
    /// What an end code such as E0103 means and what to do about it.
    Explain {
        /// The code.
        code: String,
    },
}

#[derive(Args)]
struct Dev {
    /// Listen on all addresses, for boards on the network.
    #[arg(long)]
    lan: bool,
    /// Address of the plain port; port 0 = any free one.
    #[arg(long, value_name = "ADDR")]
    plain: Option<SocketAddr>,
    /// Data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Threads with their own sockets; default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::SHARDS)))]
    shards: Option<u16>,
    /// Back end.
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "io_uring", "portable"])]
    driver: String,
    /// Newer io_uring features: all, 6.1, or a list such as -no_sqarray.
    #[arg(long, value_name = "LIST", value_parser = Features::parse, allow_hyphen_values = true)]
    driver_features: Option<Features>,
    /// Connections to be ready for.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    connections: u32,
    /// Write where it listens and the devices' tokens to this file (JSON, 0600).
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Make so many more devices, without template.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "tokens_out")]
    devices: u32,
    /// Write the ids and tokens of --devices to this file (0600).
    #[arg(long, value_name = "FILE")]
    tokens_out: Option<PathBuf>,
    /// Messages a second that a device may send.
    #[arg(long, value_name = "N")]
    messages_per_second: Option<u32>,
    /// Messages that a device may send at once.
    #[arg(long, value_name = "N")]
    message_burst: Option<u32>,
}

/// Which server.
#[derive(Args)]
struct At {
    /// Data directory of the server.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Its admin socket, if it is elsewhere.
    #[arg(long, value_name = "PATH")]
    admin: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum DeviceVerb {
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
    /// A virtual device that keeps writing and shows what it receives.
    Sim(Sim),
}

#[derive(Args)]
struct Sim {
    /// HOST:PORT of the server.
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "ready_file")]
    server: Option<String>,
    /// The device's token; better in a file.
    #[arg(long, conflicts_with = "token_file")]
    token: Option<String>,
    /// File with the device's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The server's ready file: address and tokens.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Which device of the ready file, from 0.
    #[arg(long, default_value_t = 1)]
    index: usize,
    /// Also write to V10 of this device of the ready file, over a bridge.
    #[arg(long, value_name = "INDEX")]
    bridge_index: Option<usize>,
    /// Also write to V10 of the device with this token, over a bridge.
    #[arg(long, value_name = "TOKEN")]
    bridge_to: Option<String>,
    /// Values to write; 0 = until interrupted.
    #[arg(long, default_value_t = 0)]
    count: u32,
    /// Time between two: 500ms, 1s, 1m.
    #[arg(long, default_value = "1s", value_parser = parse_period)]
    period: Duration,
}

#[derive(Subcommand)]
enum TemplateVerb {
    /// All templates.
    List(At),
}

/// Ends of this program besides 0; clap's own is 2.
const FAILED: u8 = 1;
const BAD_CONFIG: u8 = 78;

/// Run the program.
pub(crate) fn run() -> ExitCode {
    let result = match Line::parse().command {
        Verb::Dev(flags) => start_dev(flags),
        Verb::Serve { config, ready_file } => return start_serve(config, ready_file),
        Verb::Check { config } => return check(&config),
        Verb::Status(at) => ask(&at, "status", json!({}), admin_client::status_text),
        Verb::Device(verb) => device(verb),
        Verb::Template(TemplateVerb::List(at)) => ask(&at, "template.list", json!({}), pretty),
        Verb::Drain { redirect, per_second, at } => {
            let parameters = json!({"redirect": redirect, "per_second": per_second});
            ask(&at, "drain", parameters, |_| "draining\n".to_owned())
        }
        Verb::Explain { code } => explain(&code),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("linchpin: {text}");
            ExitCode::from(FAILED)
        }
    }
}

fn start_log() {
    let level = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<tracing::Level>().ok());
    let colours = std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(tracing::Level::INFO))
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
}

/// `$XDG_DATA_HOME/linchpin`, or `~/.local/share/linchpin`.
fn default_data() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let share = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    share.unwrap_or_else(std::env::temp_dir).join("linchpin")
}

fn start_dev(flags: Dev) -> Result<(), String> {
    start_log();
    let any = if flags.lan { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
    let plain = flags.plain.unwrap_or(SocketAddr::new(any, 8080));
    let plain = if flags.lan && plain.ip().is_loopback() { SocketAddr::new(any, plain.port()) } else { plain };
    if flags.devices > limits::DEVICES {
        return Err(format!("--devices {} is too many, {} are allowed", flags.devices, limits::DEVICES));
    }
    let engine = EngineOptions {
        shards: flags.shards.unwrap_or_else(config::default_shards),
        driver: match flags.driver.as_str() {
            "io_uring" => Choice::IoUring,
            "portable" => Choice::Portable,
            _ => Choice::Auto,
        },
        features: flags.driver_features.unwrap_or(Features::ALL),
        descriptors: Descriptors::Auto,
        connections: flags.connections.max(1),
    };
    let default = Settings::default();
    let settings = Settings {
        messages_per_second: flags.messages_per_second.unwrap_or(default.messages_per_second).max(1),
        message_burst: flags.message_burst.unwrap_or(default.message_burst).max(1),
        ..default
    };
    let keys = Keys::random().map_err(|error| error.to_string())?;
    let mut registry = Registry::new(engine.shards, keys.digest);
    dev::fill(&mut registry, flags.devices).map_err(|error| error.to_string())?;
    let first_more = registry.devices().len() - flags.devices as usize;
    if let Some(path) = &flags.tokens_out {
        write_tokens(path, &ready::token_lines(&registry.devices()[first_more..]))?;
    }
    let server = Server {
        plain: vec![plain],
        data_path: flags.data.unwrap_or_else(default_data),
        engine,
        settings,
        registry,
        keys,
        ready_file: flags.ready_file,
        shown: first_more,
        config_path: None,
    };
    serve::serve(server, dev::announce).map_err(|error| error.to_string())
}

fn write_tokens(path: &std::path::Path, lines: &str) -> Result<(), String> {
    ready::write_private(path, lines.as_bytes())
        .map_err(|error| format!("{}: {error}; choose another file with --tokens-out", path.display()))
}

fn start_serve(path: PathBuf, ready_file: Option<PathBuf>) -> ExitCode {
    start_log();
    let config = match config::read(&path) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("linchpin: {error}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let begin = || -> Result<(), String> {
        let keys = Keys::random().map_err(|error| error.to_string())?;
        let mut registry = Registry::new(config.engine.shards, keys.digest);
        config.templates.into_iter().for_each(|template| registry.put_template(template));
        for device in config.devices {
            let added = match device.token {
                Some(token) => registry.add_with_token(&device.name, device.template, token).map(drop),
                None => {
                    let new = linchpin_control::NewDevices { count: 1, template: device.template, name: device.name };
                    registry.add(&new).map(drop)
                }
            };
            added.map_err(|error| error.to_string())?;
        }
        let server = Server {
            plain: config.plain,
            data_path: config.data_path,
            engine: config.engine,
            settings: config.settings,
            registry,
            keys,
            ready_file,
            shown: usize::MAX,
            config_path: Some(path),
        };
        serve::serve(server, |_, _| {}).map_err(|error| error.to_string())
    };
    match begin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("linchpin: {text}");
            ExitCode::from(FAILED)
        }
    }
}

fn check(path: &std::path::Path) -> ExitCode {
    match config::read(path) {
        Ok(_) => {
            println!("{}: no mistakes", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("linchpin: {error}");
            ExitCode::from(BAD_CONFIG)
        }
    }
}

fn socket(at: &At) -> PathBuf {
    at.admin.clone().unwrap_or_else(|| at.data.clone().unwrap_or_else(default_data).join("admin.sock"))
}

fn print(at: &At, answer: &Value, text: impl FnOnce(&Value) -> String) {
    if at.json {
        println!("{answer}");
    } else {
        print!("{}", text(answer));
    }
}

fn ask(at: &At, command: &str, parameters: Value, text: impl FnOnce(&Value) -> String) -> Result<(), String> {
    let answer = admin_client::ask(&socket(at), command, parameters).map_err(|error: ClientError| error.to_string())?;
    print(at, &answer, text);
    Ok(())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn device(verb: DeviceVerb) -> Result<(), String> {
    match verb {
        DeviceVerb::List(at) => {
            let rows = admin_client::all_devices(&socket(&at)).map_err(|error| error.to_string())?;
            print(&at, &Value::Array(rows.clone()), |_| admin_client::list_text(&rows));
            Ok(())
        }
        DeviceVerb::Show { id, at } => ask(&at, "device.show", json!({"device": id}), admin_client::device_text),
        DeviceVerb::Add { count, template, name, tokens_out, at } => {
            let parameters = json!({"count": count, "template": template, "name": name.unwrap_or_default()});
            let made = admin_client::ask(&socket(&at), "device.add", parameters).map_err(|error| error.to_string())?;
            let lines = made.as_array().into_iter().flatten().map(|device| {
                format!("{} {}\n", admin_client::plain(&device["id"]), admin_client::plain(&device["token"]))
            });
            let lines: String = lines.collect();
            match tokens_out {
                Some(path) => write_tokens(&path, &lines)?,
                None => print(&at, &made, |_| lines),
            }
            Ok(())
        }
        DeviceVerb::Write { id, pin, value, at } => {
            ask(&at, "device.write", json!({"device": id, "pin": pin, "value": value}), delivered)
        }
        DeviceVerb::Push { id, what, argument, at } => {
            let parameters = json!({"device": id, "what": what, "url": argument, "text": argument});
            ask(&at, "device.push", parameters, delivered)
        }
        DeviceVerb::Sim(flags) => simulate(&flags),
    }
}

fn delivered(answer: &Value) -> String {
    let sent = answer["delivered"] == true;
    if sent {
        "sent to the device\n".to_owned()
    } else {
        "the device is offline; a value is kept for its next sync\n".to_owned()
    }
}

fn simulate(flags: &Sim) -> Result<(), String> {
    let ready: Value = match &flags.ready_file {
        Some(path) => {
            let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_slice(&text).map_err(|error| format!("{} is no ready file: {error}", path.display()))?
        }
        None => Value::Null,
    };
    let of_ready = |index: usize| ready["devices"][index]["token"].as_str().map(str::to_owned);
    let text = match (&flags.token, &flags.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        (None, None) => of_ready(flags.index).ok_or_else(|| {
            format!("the ready file has no device {}: see --index, or give --token-file", flags.index)
        })?,
    };
    let token = |text: &str| Token::parse(text.as_bytes()).map_err(|fault| fault.to_string());
    let bridge = flags.bridge_to.clone().or_else(|| flags.bridge_index.and_then(of_ready));
    let server = flags.server.clone().or_else(|| ready["plain"].as_str().map(str::to_owned)).unwrap_or_default();
    let options = SimOptions {
        server,
        token: token(&text)?,
        bridge_to: bridge.as_deref().map(token).transpose()?,
        count: flags.count,
        period: flags.period,
    };
    sim_device::run(&options).map_err(|error| error.to_string())
}

fn explain(code: &str) -> Result<(), String> {
    let Some(end) = End::ALL.iter().find(|end| end.to_string().eq_ignore_ascii_case(code)) else {
        let known: Vec<_> = End::ALL.iter().map(ToString::to_string).collect();
        return Err(format!("{code} is not an end code; there are {}", known.join(", ")));
    };
    println!("{end}: {}\nWhat to do: {}", end.what(), end.fix());
    Ok(())
}

/// `250ms`, `1s`, `2m`; 1 ms to an hour.
fn parse_period(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let unit =
        units.iter().find_map(|(unit, ms)| text.strip_suffix(unit).and_then(|n| n.parse::<u64>().ok()).map(|n| n * ms));
    match unit {
        Some(ms @ 1..=3_600_000) => Ok(Duration::from_millis(ms)),
        _ => Err(format!("{text:?} is not a time from 1ms to 60m, such as 250ms, 1s or 2m")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn periods_have_units() {
        assert_eq!(parse_period("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_period("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_period("5").is_err() && parse_period("0s").is_err() && parse_period("2h").is_err());
    }
}

//! `fleet`: measurements with tens of thousands of devices.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod bench;
mod hoarders;
mod hoards;
mod honest;
mod storm;
mod writes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_bench_compare::report::OURS;
use linchpin_bench_compare::results::{Measurement, Results};
use linchpin_driver::Choice;
use linchpin_fleet::server::Server;
use linchpin_fleet::tls::Trust;
use linchpin_fleet::{Counts, Fleet, FleetOptions, FleetWire, Order};

const USAGE: &str = "usage:
  fleet memory --server-bin PATH [--devices N] [--shards N] [--rounds N] [--results FOLDER]
  fleet cuts   --server-bin PATH [--devices N] [--shards N] [--rounds N]
  fleet storm  --server-bin PATH [--devices N] [--shards N] [--rounds N]      all cut at once, and shares of them
  fleet hoarders --server-bin PATH [--devices N] [--shards N] [--rounds N]      hoarders of nine kinds beside devices
  fleet http   --server-bin PATH [--rounds N]      HTTP updates of a connected device, beside nginx
  fleet writes --server-bin PATH [--rounds N]      CPU of a write: Blynk, MQTT at QoS 0 and 1, the same to mosquitto
  memory, cuts and storm take --tls in-place|rustls, --state disk|memory and --wire blynk|mqtt too
  fleet scrape --server-bin PATH [--devices N] [--shards N] [--rounds N]      scrapes of the metrics";

/// What is aimed at, bytes a device.
const AIM_BYTES: i64 = 256;
/// The same over TLS.
const TLS_AIM_BYTES: i64 = 768;
const PATIENCE: Duration = Duration::from_secs(120);

struct Flags {
    binary: PathBuf,
    devices: u32,
    shards: u16,
    rounds: u32,
    /// Where every round is kept, beside those of bench-compare.
    results: Option<PathBuf>,
    /// The server keeps its state in memory only: what connections cost, without what the store has open.
    in_memory: bool,
    /// The server's record layer, if devices speak TLS.
    tls: Option<String>,
    /// What devices speak.
    wire: FleetWire,
}

fn flags(mut args: impl Iterator<Item = String>) -> Option<Flags> {
    let mut flags = Flags {
        binary: PathBuf::new(),
        devices: 19_000,
        shards: 1,
        rounds: 3,
        results: None,
        in_memory: false,
        tls: None,
        wire: FleetWire::Blynk,
    };
    while let Some(name) = args.next() {
        let value = args.next()?;
        match name.as_str() {
            "--server-bin" => flags.binary = value.into(),
            "--devices" => flags.devices = value.parse().ok()?,
            "--shards" => flags.shards = value.parse().ok()?,
            "--rounds" => flags.rounds = value.parse().ok()?,
            "--state" => flags.in_memory = one_of(&value, "disk", "memory")?,
            "--tls" => flags.tls = Some(value),
            "--wire" => flags.wire = if one_of(&value, "blynk", "mqtt")? { FleetWire::Mqtt } else { FleetWire::Blynk },
            "--results" => flags.results = Some(value.into()),
            _ => return None,
        }
    }
    flags.binary.is_file().then_some(flags)
}

/// Is it the second of two words? `None`: neither.
fn one_of(value: &str, first: &str, second: &str) -> Option<bool> {
    [first, second].contains(&value).then(|| value == second)
}

fn main() -> std::process::ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let Some(flags) = flags(args) else {
        eprintln!("{USAGE}");
        return 2.into();
    };
    let result = match command.as_str() {
        "memory" => memory(&flags),
        "cuts" => cuts(&flags),
        "storm" => storm::storm(&flags),
        "hoarders" => hoarders::hoarders(&flags),
        "http" => bench::http(&flags.binary, flags.rounds),
        "writes" => writes::writes(&flags.binary, flags.rounds),
        "scrape" => bench::scrape(&flags.binary, flags.devices, flags.shards, flags.rounds),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => 0.into(),
        Err(text) => {
            eprintln!("fleet: {text}");
            1.into()
        }
    }
}

fn server(flags: &Flags, devices: u32) -> Server {
    let layer = flags.tls.as_deref().unwrap_or("in-place");
    let mut line = vec!["--record-layer", layer];
    if flags.in_memory {
        line.push("--memory");
    }
    Server::start_with(&flags.binary, devices, flags.shards, "io_uring", &line)
}

fn fleet(server: &Server, flags: &Flags, devices: u32, in_flight: usize) -> Fleet {
    let rings = devices.div_ceil(15_000).max(1) as u16;
    let trust = flags.tls.as_ref().map(|_| Trust::new(&server.ca));
    Fleet::start(&FleetOptions {
        target: if trust.is_some() { server.tls } else { server.address },
        tokens: server.tokens[..devices as usize].to_vec(),
        rings,
        driver: Choice::IoUring,
        in_flight,
        trust,
        wire: flags.wire,
    })
}

/// One fresh process: growth of the resident set by connections, and by what devices then tell; kernel slab beside it.
fn measure(flags: &Flags) -> Result<[i64; 3], String> {
    let server = server(flags, flags.devices);
    let before = server.settled_memory();
    let fleet = fleet(&server, flags, flags.devices, 200);
    fleet.wait_online(PATIENCE).map_err(|n| format!("{n} of {} logged in; {}", flags.devices, server.log()))?;
    fleet.order(Order::Ping);
    let all = fleet.devices();
    fleet.wait(&fleet.counts.answers, all, PATIENCE).map_err(|n| format!("{n} pings answered"))?;
    let connected = server.settled_memory();
    fleet.order(Order::Introduce);
    fleet.wait(&fleet.counts.answers, all * 3, PATIENCE).map_err(|n| format!("{n} answers"))?;
    let known = server.settled_memory();
    let lost = Counts::get(&fleet.counts.lost);
    if lost > 0 || Counts::get(&fleet.counts.online) != all {
        return Err(format!("{lost} connections were lost while it was measured"));
    }
    let each = |from: u64, to: u64| (to as i64 - from as i64) / i64::from(flags.devices);
    Ok([each(before.rss, connected.rss), each(connected.rss, known.rss), each(before.slab, known.slab)])
}

fn memory(flags: &Flags) -> Result<(), String> {
    let mut rounds = Vec::new();
    for _ in 0..flags.rounds.max(1) {
        rounds.push(measure(flags)?);
    }
    let column = |at: usize| {
        let mut values: Vec<i64> = rounds.iter().map(|round| round[at]).collect();
        values.sort_unstable();
        [values[0], values[values.len() / 2], values[values.len() - 1]]
    };
    let mut sums: Vec<i64> = rounds.iter().map(|round| round[0] + round[1]).collect();
    sums.sort_unstable();
    let sum = [sums[0], sums[sums.len() / 2], sums[sums.len() - 1]];
    let rows = [
        ("connection (connect, login, ping)", column(0)),
        ("device record (INFO, 5 pin values, ping)", column(1)),
        ("both", sum),
        ("kernel slab, both ends (for information)", column(2)),
    ];
    let mut text = format!(
        "### {} idle devices of {:?} {}, {} shard(s), {} fresh processes: growth of the resident set, bytes a device\n\n\
         | what | min | median | max |\n|---|---|---|---|\n",
        flags.devices,
        flags.wire,
        flags.tls.as_ref().map_or("without TLS".to_owned(), |layer| format!("over TLS 1.3, record layer {layer}")),
        flags.shards,
        rounds.len()
    );
    for (name, [min, median, max]) in rows {
        text += &format!("| {name} | {min} | {median} | {max} |\n");
    }
    let aim = if flags.tls.is_some() { TLS_AIM_BYTES } else { AIM_BYTES };
    text += &format!("\nAim: {aim} bytes for both.\n");
    print!("{text}");
    match &flags.results {
        Some(folder) => keep(flags, folder, &rounds),
        None => Ok(()),
    }
}

/// Each round as a line of the results.
fn keep(flags: &Flags, folder: &Path, rounds: &[[i64; 3]]) -> Result<(), String> {
    let security = match flags.tls.as_deref() {
        None => "plain".to_owned(),
        Some(layer) => format!("TLS 1.3, record layer {layer}"),
    };
    let state = if flags.in_memory { "" } else { ", with the store" };
    let (devices, shards) = (flags.devices, flags.shards);
    let wire = if flags.wire == FleetWire::Mqtt { ", MQTT" } else { "" };
    let row = format!("idle device, {security}, {devices} on {shards} ring(s){state}{wire}");
    let mut results = Results::open(folder)?;
    for (at, round) in rounds.iter().enumerate() {
        let bytes = (round[0] + round[1]) as f64;
        results.append(Measurement::new(&row, OURS, at as u32 + 1, "rss_bytes_per_device", bytes))?;
    }
    Ok(())
}

/// Connections cut in the middle of a frame, round after round: nothing may remain.
fn cuts(flags: &Flags) -> Result<(), String> {
    let server = server(flags, flags.devices);
    let fleet = fleet(&server, flags, flags.devices, 200);
    let mut first = None;
    for round in 1..=flags.rounds {
        fleet.wait_online(PATIENCE).map_err(|n| format!("round {round}: {n} online; {}", server.log()))?;
        let logins = Counts::get(&fleet.counts.logins);
        fleet.order(Order::CutMidFrame);
        let again = logins + fleet.devices();
        fleet
            .wait(&fleet.counts.logins, again, PATIENCE)
            .map_err(|n| format!("round {round}: {n} logins of {again}"))?;
        let rss = server.settled_memory().rss;
        let first = *first.get_or_insert(rss);
        println!("round {round}: {} cuts so far, resident {} KiB", u64::from(round) * fleet.devices(), rss / 1_024);
        if rss > first + first / 20 {
            return Err(format!("resident memory went from {first} to {rss} bytes: more than 5 %"));
        }
    }
    Ok(())
}

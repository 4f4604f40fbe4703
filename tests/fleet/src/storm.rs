//! Storms: devices that are cut at once and come back at once, beside survivors that must not notice.

use std::time::Duration;

use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::Trust;
use linchpin_fleet::{Counts, Fleet};

use crate::{Flags, PATIENCE, fleet, server};

/// Devices that are cut, in turn; those that the fleet does not have are left out.
const OFFERED: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 20_000];
const SURVIVORS: u32 = 50;

/// What one storm was.
struct Storm {
    /// How long until all were back, the library's pause included.
    back: Duration,
    /// Logins a second while anybody tried.
    goodput: f64,
    /// Processor time a login of the server and of the fleet itself, us.
    cpu_us: [f64; 2],
}

/// One storm of so many devices.
fn one(fleet: &Fleet, server: &Server, devices: u64) -> Result<Storm, String> {
    let logins = Counts::get(&fleet.counts.logins);
    let cpu = || [cpu_time(server.pid()), cpu_time(std::process::id())];
    let (before, tried) = (cpu(), fleet.tried());
    let cut = fleet.cut(devices);
    let all = logins + cut;
    let back = fleet.wait(&fleet.counts.logins, all, PATIENCE).map_err(|n| format!("{n} of {all} logins"))?;
    let after = cpu();
    let tried = (fleet.tried() - tried).max(Duration::from_millis(1));
    let cpu_us = [0, 1].map(|at| (after[at] - before[at]).as_secs_f64() * 1e6 / cut as f64);
    Ok(Storm { back, goodput: cut as f64 / tried.as_secs_f64(), cpu_us })
}

/// The ladder of offered storms once, then `rounds` storms of all devices.
pub(crate) fn storm(flags: &Flags) -> Result<(), String> {
    let server = server(flags, flags.devices + SURVIVORS);
    let (target, trust) = match &flags.tls {
        Some(_) => (server.tls, Some(Trust::new(&server.ca))),
        None => (server.address, None),
    };
    // Everybody at once: the library knows no jitter.
    let fleet = fleet(&server, flags, flags.devices, flags.devices as usize);
    let first = fleet.wait_online(PATIENCE).map_err(|n| format!("{n} online; {}", server.log()))?;
    println!("{} devices logged in within {first:.2?}", flags.devices);
    let survivors = || Survivors::start(target, trust.as_ref(), &server.tokens[flags.devices as usize..]);
    let quiet = {
        let survivors = survivors();
        std::thread::sleep(Duration::from_secs(5));
        survivors.stop()
    };
    println!("survivors before: ping p50 {:.2?}, p99 {:.2?}", percentile(&quiet, 50), percentile(&quiet, 99));
    println!(
        "\n| cut at once | all back after | logins/s while any tries | to the best so far | server CPU a login | fleet CPU a login |\n|---|---|---|---|---|---|"
    );
    let mut best = 0.0f64;
    let mut latencies = Vec::new();
    for devices in OFFERED.into_iter().filter(|n| *n <= u64::from(flags.devices)) {
        let survivors = survivors();
        let Storm { back, goodput, cpu_us: [server_us, fleet_us] } = one(&fleet, &server, devices)?;
        latencies.extend(survivors.stop());
        let share = if best > 0.0 { goodput / best } else { 1.0 };
        best = best.max(goodput);
        println!("| {devices} | {back:.2?} | {goodput:.0} | {share:.2} | {server_us:.0} us | {fleet_us:.0} us |");
    }
    latencies.sort_unstable();
    let (p50, p99) = (percentile(&latencies, 50), percentile(&latencies, 99));
    println!("\nsurvivors during storms: ping p50 {p50:.2?}, p99 {p99:.2?}, max {:.2?}", percentile(&latencies, 100));
    rounds(flags, &fleet, &server)
}

fn rounds(flags: &Flags, fleet: &Fleet, server: &Server) -> Result<(), String> {
    let mut first = None;
    for round in 1..=flags.rounds {
        let Storm { back, goodput, .. } = one(fleet, server, u64::from(flags.devices))?;
        let rss = server.settled_memory().rss;
        let first = *first.get_or_insert(rss);
        let percent = (rss as f64 / first as f64 - 1.0) * 100.0;
        println!(
            "round {round}: all back after {back:.2?}, {goodput:.0}/s, resident {} KiB ({percent:+.1} %)",
            rss / 1_024
        );
        if rss > first + first / 20 {
            return Err(format!("resident memory went from {first} to {rss} bytes: more than 5 %"));
        }
    }
    println!("ends by code: {}", server.ends());
    let (failed, timed_out) = (Counts::get(&fleet.counts.failed), Counts::get(&fleet.counts.timed_out));
    println!("connects that failed and were tried again: {failed}, of these {timed_out} after the 6 s of the library");
    Ok(())
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

//! What the heartbeat timers of a million devices take of a core. `cargo bench -p linchpin-bench-core --bench timers`
//!
//! All devices are logged in on one shard with the library's heartbeat of 10 s and ping as the library does. Only the
//! calls that expire timers are timed, 10 ms of virtual time apart; the pings between them are not.

#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::time::{Duration, Instant};

use linchpin_bench_core::world::World;
use linchpin_protocol::blynk::codec::device;

const DEVICES: usize = 1_000_000;
const HEARTBEAT_MS: u64 = 10_000;
const STEP_MS: u64 = 10;
const HEARTBEATS: u64 = 6;
/// Pings before each step, so that everybody is heard once a heartbeat.
const PINGS: usize = DEVICES / (HEARTBEAT_MS / STEP_MS) as usize;

fn main() {
    let begun = Instant::now();
    let mut world = World::with_heartbeat(DEVICES, 10, DEVICES as u64 / HEARTBEAT_MS);
    println!("{DEVICES} devices logged in after {:.1} s", begun.elapsed().as_secs_f64());
    let mut ping = Vec::new();
    device::ping(&mut ping, 3);
    let mut buffer = ping.clone();
    let mut shares = Vec::new();
    for _ in 0..HEARTBEATS {
        let (mut spent, mut longest) = (Duration::ZERO, Duration::ZERO);
        for step in 0..(HEARTBEAT_MS / STEP_MS) as usize {
            for at in step * PINGS..(step + 1) * PINGS {
                buffer.copy_from_slice(&ping);
                world.feed(at, &mut buffer);
            }
            assert_eq!(world.drain(), 5 * PINGS, "everybody is still here");
            let at_ms = world.at_ms + STEP_MS;
            let begun = Instant::now();
            world.pass(at_ms);
            let took = begun.elapsed();
            spent += took;
            longest = longest.max(took);
        }
        let percent = spent.as_secs_f64() / (HEARTBEAT_MS as f64 / 1e3) * 100.0;
        println!("timers take {percent:.3} % of a core, the longest call {:.2} ms", longest.as_secs_f64() * 1e3);
        shares.push(percent);
    }
    let most = shares.into_iter().fold(0.0, f64::max);
    println!("at most {most:.3} % of a core for {DEVICES} devices with heartbeats of 10 s (aim 2 %)");
}

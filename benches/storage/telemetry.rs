//! Telemetry: points a second into the journal and from there into chunks and roll-ups, and the bytes that they take.
//!
//! 10,000 devices write one slowly changing value a second each, tenths of a degree that take a step every five seconds
//! and arrive with up to 40 ms of jitter, in simulated time as fast as the store takes it;
//! every five simulated minutes all is stored, as the running store does.

use std::path::Path;
use std::time::{Duration, Instant};

use linchpin_protocol::model::{DeviceId, Pin};
use linchpin_storage::schema::OrgId;
use linchpin_storage::{Store, TelemetryLane};
use rustix::time::{ClockId, clock_gettime};

use crate::{Folder, Outcome, bytes_below, now_ms, settings};

const DEVICES: u64 = 10_000;
const STORE_S: u64 = 300;
const DAY_MS: u64 = 86_400_000;

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Tenths of a degree that wander slowly, and a network that jitters.
struct Sensors {
    tenths: Vec<i64>,
    dice: u64,
}

impl Sensors {
    fn below(&mut self, limit: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % limit
    }

    /// Value and jitter in ms; in a fifth of the seconds the value takes a step.
    fn next(&mut self, device: u64) -> (String, u64) {
        let step = match self.below(10) {
            0 => 1,
            1 => -1,
            _ => 0,
        };
        let tenths = &mut self.tenths[device as usize];
        *tenths = (*tenths + step).clamp(100, 400);
        let text = format!("{}.{}", *tenths / 10, *tenths % 10);
        (text, self.below(40))
    }
}

fn close(lane: &mut TelemetryLane) {
    while lane.close_batch().is_err() {
        std::thread::yield_now();
    }
}

pub(crate) fn run(below: &Path, points: u64) -> Outcome {
    let folder = Folder::new(below, "telemetry")?;
    let store = Store::open(settings(&folder.0))?;
    let org = OrgId::new(1).ok_or("zero")?;
    store.add_org(org)?;
    let mut lane = store.telemetry_lane()?;
    let mut sensors = Sensors { tenths: vec![200; DEVICES as usize], dice: 0x9e37_79b9_7f4a_7c15 };
    let seconds = points / DEVICES;
    // An hour begins here: chunks of an hour are whole.
    let begin_ms = (now_ms() - 3 * DAY_MS) / 3_600_000 * 3_600_000;
    let (begun, cpu_begun, own_begun) = (Instant::now(), cpu(ClockId::ProcessCPUTime), cpu(ClockId::ThreadCPUTime));
    for second in 0..seconds {
        for device in 0..DEVICES {
            let id = DeviceId::new(device as u32 + 1).ok_or("zero")?;
            let (text, jitter_ms) = sensors.next(device);
            let at_ms = begin_ms + second * 1_000 + device * 1_000 / DEVICES + jitter_ms;
            while lane.write(org, id, Pin::new_virtual(0), at_ms, text.as_bytes()).is_err() {
                std::thread::yield_now();
            }
            if device % 2_500 == 0 {
                close(&mut lane);
            }
        }
        if second % STORE_S == STORE_S - 1 {
            close(&mut lane);
            store.store_all()?;
        }
    }
    close(&mut lane);
    store.store_all()?;
    let wall = begun.elapsed();
    let own = cpu(ClockId::ThreadCPUTime) - own_begun;
    let store_cpu = cpu(ClockId::ProcessCPUTime) - cpu_begun - own;
    let figures = store.figures();
    let count = figures.telemetry_points as f64;
    println!(
        "telemetry: {count:.0} points of {DEVICES} devices, one a second each, stored every {STORE_S} s of theirs"
    );
    println!("  wall      {:>9.0} points/s, the shard's side included", count / wall.as_secs_f64());
    println!(
        "  one core  {:>9.0} points/s: CPU of all threads of the store, RocksDB's included",
        count / store_cpu.as_secs_f64()
    );
    println!("  shard     {:>9.0} ns a point, this program's own work included", own.as_nanos() as f64 / count);
    println!("  {} points refused, {} batches not journaled", figures.refused_points, figures.unjournaled_batches);
    store.close()?;
    drop(store);
    let store = Store::open(settings(&folder.0))?;
    for family in store.families().iter().filter(|family| family.bytes > 0) {
        println!("  {:<8} {:>6.2} bytes a point on the disk", family.name, family.bytes as f64 / count);
    }
    store.close()?;
    let bytes = bytes_below(&folder.0, &["ballast"]);
    println!("  folder   {:>6.2} bytes a point on the disk, logs and all", bytes as f64 / count);
    Ok(())
}

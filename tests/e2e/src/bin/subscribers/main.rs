//! `subscribers [SUBSCRIBERS] [DEVICES] [SECONDS]`: live sockets that each are told one value a second, and one that never
//! reads. How long it takes from a device's write to the frame, alone and beside the one that does not read; what a
//! subscriber and a watched pin cost; and whether the memory comes back. It fails when an aim is missed.
//!
//! Device and subscribers are one process, so RLIMIT_NOFILE must have room for all of them.

mod crowd;
mod times;
mod writers;

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use linchpin_compat::Server;
use linchpin_e2e::{LivePage, SignedIn, create_person};
use linchpin_fleet::server::{scrape, settled_memory, store_memory};

use crowd::Crowd;
use times::Times;
use writers::Writers;

const PASSWORD: &str = "correct horse battery staple";
/// From a device's write to the frame, the 99th percentile: 100 ms of it is the flush.
const SLOWEST: Duration = Duration::from_millis(150);
/// The one that does not read may lengthen that of the others by so much, percent.
const LONGER_PERCENT: u32 = 10;
/// Alone and beside it, in turn: between two measurements of the same the 99th percentile differs by more than a tenth.
const ROUNDS: usize = 3;
/// A socket that does not read is ended after 30 s; its buffers take some seconds to fill.
const ENDED: Duration = Duration::from_secs(60);
/// Memory that was freed goes back to the system within this time, of which the allocator waits a second.
const GIVEN_BACK: Duration = Duration::from_secs(5);
/// Crowds that come and go.
const CROWDS: usize = 4;
/// Pins that each subscriber watches besides, to see what one costs.
const MORE_PINS: u8 = 20;

struct Bench {
    server: Server,
    admin: SignedIn,
    writers: Writers,
    crowd: Crowd,
}

/// What the server holds: its resident set, what live sockets say that they hold, and what the store's buffers take, which
/// devices fill by and by; bytes.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident: u64,
    live: u64,
    store: u64,
}

impl Bench {
    /// How long frames take alone, and beside one that never reads; whether that one was ended each time.
    fn rounds(&mut self, time: Duration) -> (Vec<Times>, Vec<Times>, bool) {
        let (mut alone, mut beside, mut is_slow_ended) = (Vec::new(), Vec::new(), true);
        for _ in 0..ROUNDS {
            alone.push(self.measure(time));
            let slow = self.open_slow();
            beside.push(self.measure(time));
            let lived = Instant::now();
            while !slow.has_ended() && lived.elapsed() < ENDED {
                let _ = self.measure(Duration::from_secs(1));
            }
            is_slow_ended &= slow.has_ended();
        }
        (alone, beside, is_slow_ended)
    }

    fn metrics(&self) -> String {
        scrape(self.server.ready()["metrics"].as_str().and_then(|text| text.parse().ok()).expect("an address"))
    }

    /// What its metrics say, all shards together.
    fn sum(&self, name: &str) -> u64 {
        let text = self.metrics();
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
    }

    fn held(&self) -> Held {
        let resident = settled_memory(self.server.pid()).rss;
        Held { resident, live: self.sum("linchpin_live_bytes"), store: store_memory(&self.metrics()) }
    }

    /// Write and read for so long; what it took from writes to frames.
    fn measure(&mut self, time: Duration) -> Times {
        self.writers.resume();
        let end = Instant::now() + time;
        self.crowd.times = Times::default();
        while Instant::now() < end {
            self.writers.write_due();
            self.crowd.read(self.writers.until_next(), &self.writers);
        }
        std::mem::take(&mut self.crowd.times)
    }

    /// Everybody watches the first pin of one device.
    fn open(&mut self, subscribers: usize) {
        for at in 0..subscribers {
            let device = self.writers.id(at);
            let mut page = LivePage::open(self.server.address(), &self.admin, at);
            page.watch(1, &[device], &[writers::PIN]);
            self.crowd.add(page);
            if at % 16 == 0 {
                self.writers.write_due();
                self.crowd.read(Duration::ZERO, &self.writers);
            }
        }
        let _ = self.measure(Duration::from_secs(2));
    }

    fn close(&mut self) -> Result<Held, String> {
        self.crowd.clear();
        let end = Instant::now() + Duration::from_secs(10);
        while self.sum("linchpin_live_sockets") > 0 {
            if Instant::now() > end {
                return Err("live sockets are still there 10 s after all were closed".into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // Devices go on writing, as before the first crowd: what they write anew leaves the places where the crowd was.
        let _ = self.measure(GIVEN_BACK);
        Ok(self.held())
    }

    /// Somebody watches 500 devices, whose texts are long, and never reads.
    fn open_slow(&self) -> LivePage {
        let mut page = LivePage::open_with(self.server.address(), &self.admin, 0, Some(4_096));
        let devices: Vec<u32> = (0..self.writers.len().min(500)).map(|at| self.writers.id(at)).collect();
        page.watch(1, &devices, &[writers::PIN, writers::LONG_PIN]);
        page
    }
}

/// Of all rounds.
fn median_p99(rounds: &[Times]) -> Duration {
    let mut all: Vec<Duration> = rounds.iter().map(|times| times.at(99)).collect();
    all.sort_unstable();
    all[all.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut line = std::env::args().skip(1);
    let mut number = |default: usize| line.next().map_or(Ok(default), |text| text.parse());
    let (subscribers, devices, seconds) = (number(10_000)?, number(1_000)?, number(20)?);
    let room = (2 * subscribers + devices + 2_000).to_string();
    let server = Server::dev().shards(2).devices(devices as u32).option("--connections", room).start();
    create_person(&server, 1, "admin", "bench@example.com", PASSWORD);
    let admin = SignedIn::new(server.address(), "bench@example.com", PASSWORD);
    let writers = Writers::new(&server, devices);
    let mut bench = Bench { server, admin, writers, crowd: Crowd::new()? };
    let time = Duration::from_secs(seconds as u64);
    // What the store, and devices that write, take once.
    let _ = bench.measure(Duration::from_secs(5));
    let base = bench.held();
    let begun = Instant::now();
    bench.open(subscribers);
    let opened = begun.elapsed();
    let watched = bench.held();
    let (alone, beside, is_slow_ended) = bench.rounds(time);
    let before = bench.held();
    bench.crowd.watch_more(&bench.writers, MORE_PINS);
    let _ = bench.measure(Duration::from_secs(3));
    let more = bench.held();
    let first = bench.close()?;
    // Again and again: what an allocator retains does not grow.
    let mut again = Vec::new();
    for _ in 1..CROWDS {
        bench.open(subscribers);
        again.push(bench.close()?);
    }
    let each = |from: u64, to: u64, count: usize| (to as i64 - from as i64) / count as i64;
    let pins = subscribers * usize::from(MORE_PINS);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "subscribers {subscribers}, devices {devices}, 1 value/s each; opened in {:.1} s",
        opened.as_secs_f64()
    )?;
    for (alone, beside) in alone.iter().zip(&beside) {
        writeln!(out, "alone: {}\nbeside one that never reads: {}", alone.words(), beside.words())?;
    }
    writeln!(out, "the one that never reads was ended: {is_slow_ended}")?;
    writeln!(
        out,
        "a subscriber: {} bytes resident, {} by its own count",
        each(base.resident, watched.resident, subscribers),
        each(base.live, watched.live, subscribers)
    )?;
    writeln!(
        out,
        "a watched pin: {} bytes resident, {} by its own count",
        each(before.resident, more.resident, pins),
        each(before.live, more.live, pins)
    )?;
    writeln!(
        out,
        "base {base:?}\nopen {watched:?}\nwith {MORE_PINS} pins more {more:?}\nclosed {first:?}\nopened and closed again {again:?}"
    )?;
    let (alone_p99, beside_p99) = (median_p99(&alone), median_p99(&beside));
    writeln!(out, "median of the 99th percentiles: {alone_p99:.1?} alone, {beside_p99:.1?} beside it")?;
    let closed = || std::iter::once(&first).chain(&again);
    let without_store = |held: &Held| held.resident.saturating_sub(held.store) / 1_000_000;
    writeln!(
        out,
        "without the store's buffers, MB: {} before, {:?} after each crowd",
        without_store(&base),
        closed().map(without_store).collect::<Vec<_>>()
    )?;
    let wanted = [
        (alone_p99 <= SLOWEST, "the 99th percentile is above 150 ms"),
        (beside_p99 <= alone_p99 * (100 + LONGER_PERCENT) / 100, "the one that never reads slows the others down"),
        (alone.iter().all(|times| times.len() >= subscribers * seconds * 95 / 100), "values are missing"),
        (is_slow_ended, "the one that never reads is still there"),
        (closed().all(|held| held.live == base.live), "live sockets left something behind"),
        (closed().all(|held| held.resident <= base.resident + base.resident / 10), "memory does not come back"),
        (
            again.iter().all(|held| held.resident <= first.resident + first.resident / 20),
            "each crowd leaves memory behind",
        ),
    ];
    let missed: Vec<&str> = wanted.iter().filter(|(holds, _)| !holds).map(|(_, words)| *words).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("; ").into()) }
}

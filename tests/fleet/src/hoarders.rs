//! Hoarders of every kind beside devices that ping and clients that begin TLS: what these feel, who is lost, and what memory
//! remains. The threads of hoarders run when nobody else wants to: what is measured is the server, not who gets this machine.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::Trust;
use linchpin_protocol::model::Token;

use crate::hoards::{Hoard, KINDS, Scene};
use crate::honest::honest;
use crate::{Flags, server};

/// How long each kind goes on.
const ROUND: Duration = Duration::from_secs(10);
/// Time in which hoarders must be gone when they are ended by the server, not by themselves.
const AFTER: Duration = Duration::from_secs(20);
/// Quiet times before memory is read the first time.
const WARM: usize = 4;
/// Threads of hoarders of a kind.
const THREADS: usize = 2;

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn megabytes(server: &Server) -> f64 {
    server.settled_memory().rss as f64 / 1e6
}

/// What the others felt while one kind went on.
struct Felt {
    pings: Vec<Duration>,
    handshakes: Vec<Duration>,
    failed: usize,
    begun: u64,
    cores: f64,
}

/// This thread runs only while nobody else wants to. A nice one keeps a core for its slice of 3 ms, though a server that has
/// something to do waits for it: that is what pings would feel of hoarders that spin, and not on their machine.
fn step_aside() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let done = Command::new("chrt").args(["--idle", "--pid", "0", &thread]).status();
    assert!(done.is_ok_and(|status| status.success()), "chrt (util-linux) makes hoarders step aside");
}

/// One kind for a while, or none.
fn beside(server: &Server, devices: &[Token], own: &[Token], hoard: Option<Hoard>) -> Felt {
    let scene = Scene {
        plain: server.address,
        tls: server.tls,
        trust: Trust::new(&server.ca),
        tokens: own.to_vec(),
        stop: AtomicBool::new(false),
        begun: AtomicU64::new(0),
    };
    let survivors = Survivors::start(server.address, None, devices);
    let (since, before) = (Instant::now(), cpu_time(server.pid()));
    let (handshakes, failed) = std::thread::scope(|scope| {
        for hoard in hoard.into_iter().flat_map(|hoard| std::iter::repeat_n(hoard, THREADS)) {
            let scene = &scene;
            scope.spawn(move || {
                step_aside();
                hoard(scene);
            });
        }
        let honest = scope.spawn(|| honest(scene.tls, &scene.trust, || scene.goes_on()));
        std::thread::sleep(ROUND);
        scene.stop.store(true, Ordering::Relaxed);
        honest.join().expect("honest clients do not panic")
    });
    let cores = (cpu_time(server.pid()) - before).as_secs_f64() / since.elapsed().as_secs_f64();
    // It ends with a panic when one was lost.
    let pings = survivors.stop();
    Felt { pings, handshakes, failed, begun: scene.begun.load(Ordering::Relaxed), cores }
}

/// What others felt in all rounds of a kind.
#[derive(Default)]
struct Row {
    pings: Vec<Duration>,
    handshakes: Vec<Duration>,
    failed: usize,
    begun: u64,
    cores: Vec<f64>,
    /// Memory behind each round to that before all, percent, and what more the store's buffers take, MB.
    memory: Vec<(f64, f64)>,
}

impl Row {
    fn add(&mut self, felt: Felt) {
        self.pings.extend(felt.pings);
        self.handshakes.extend(felt.handshakes);
        self.pings.sort_unstable();
        self.handshakes.sort_unstable();
        self.failed += felt.failed;
        self.begun += felt.begun;
        self.cores.push(felt.cores);
    }

    fn p99(&self) -> [f64; 2] {
        [percentile(&self.pings, 99), percentile(&self.handshakes, 99)]
    }

    fn line(&self, name: &str, quiet: &Self) -> String {
        let (p99, quiet) = (self.p99(), quiet.p99());
        let memory: Vec<String> =
            self.memory.iter().map(|(percent, mb)| format!("{percent:+.0} % ({mb:+.1})")).collect();
        format!(
            "| {name} | {} | {:.2} | {:.2} | {:.1} | 0 | {:.1} | {:.1} | {} of {} | {:.2} | {} |",
            self.begun,
            percentile(&self.pings, 50),
            p99[0],
            p99[0] / quiet[0],
            p99[1],
            p99[1] / quiet[1],
            self.failed,
            self.failed + self.handshakes.len(),
            self.cores.iter().sum::<f64>() / self.cores.len() as f64,
            memory.join(", "),
        )
    }
}

/// Each kind in turn, round after round, beside the same devices. A quiet time goes before each kind: what this machine does
/// otherwise is in both sides of a ratio.
pub(crate) fn hoarders(flags: &Flags) -> Result<(), String> {
    let devices = flags.devices.min(1_000);
    let server = server(flags, devices + 8);
    let (neighbours, own) = server.tokens.split_at(devices as usize);
    // What a process needs the first time, and what the devices and honest clients take by themselves: it grows by 4 % until
    // they have come and gone a few times.
    for _ in 0..WARM {
        drop(beside(&server, neighbours, own, None));
    }
    let (base, base_buffers) = (megabytes(&server), server.store_memory() as f64);
    let mut quiet = Row::default();
    let mut rows: Vec<Row> = KINDS.iter().map(|_| Row::default()).collect();
    for round in 1..=flags.rounds.max(1) {
        for ((name, hoard), row) in KINDS.iter().zip(&mut rows) {
            quiet.add(beside(&server, neighbours, own, None));
            row.add(beside(&server, neighbours, own, Some(*hoard)));
            std::thread::sleep(AFTER);
            row.memory
                .push(((megabytes(&server) / base - 1.0) * 100.0, (server.store_memory() as f64 - base_buffers) / 1e6));
            eprintln!("round {round}: {}", row.line(name, &quiet));
        }
    }
    println!(
        "### Hoarders beside {devices} devices that ping every 5 s, {} shards, {} s each, rounds: {}\n\n\
         | hoarders | connections begun | ping p50, ms | p99, ms | to quiet | devices lost | honest handshakes p99, ms | to quiet | \
         failed | server CPU, cores | memory after each round, to {base:.0} MB (of it the store's buffers, MB) |\n|---|---|---|---|---|---|---|---|---|---|---|",
        flags.shards,
        ROUND.as_secs(),
        flags.rounds.max(1),
    );
    println!("{}", quiet.line("none", &quiet));
    for ((name, _), row) in KINDS.iter().zip(&rows) {
        println!("{}", row.line(name, &quiet));
    }
    println!("\nEnds: {}", server.ends());
    Ok(())
}

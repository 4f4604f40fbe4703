//! Hoarders of every kind beside devices that ping and clients that begin TLS: what these feel, who is lost, and what memory
//! remains. The threads of hoarders have the lowest priority: what is measured is the server, not who gets this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::{Trust, Way};
use linchpin_protocol::model::Token;

use crate::honest::{connect, handshake, honest};
use crate::{Flags, server};

/// How long each kind goes on.
const ROUND: Duration = Duration::from_secs(10);
/// Time in which hoarders must be gone when they are ended by the server, not by themselves.
const AFTER: Duration = Duration::from_secs(20);
/// Threads of hoarders of a kind, and connections that each opens at a time.
const THREADS: usize = 2;
const CONNECTIONS: usize = 400;

/// What hoarders have.
struct Scene {
    plain: SocketAddr,
    tls: SocketAddr,
    trust: Trust,
    /// Their own tokens: good ones.
    tokens: Vec<Token>,
    stop: AtomicBool,
    /// Connections that were begun.
    begun: AtomicU64,
}

impl Scene {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// A connection from one of eight addresses that are nobody else's.
    fn connect(&self, to: SocketAddr) -> Option<TcpStream> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        connect(to, Ipv4Addr::new(127, 66, 0, 1 + (number % 8) as u8))
    }

    /// A client over TLS that has asked for something and waits.
    fn secure(&self) -> Option<TcpStream> {
        handshake(self.connect(self.tls)?, &self.trust)
    }

    /// Hold as many as may be, and open others for those that were ended.
    fn hold(&self, mut open: impl FnMut() -> Option<TcpStream>) {
        let mut held: Vec<TcpStream> = Vec::new();
        while self.goes_on() {
            held.retain(|stream| {
                let _ = stream.set_nonblocking(true);
                let mut byte = [0];
                !matches!(stream.peek(&mut byte), Ok(0))
            });
            if held.len() < CONNECTIONS {
                held.extend(open());
            } else {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn login(&self, token: &Token) -> Option<TcpStream> {
        let mut stream = self.connect(self.plain)?;
        stream.write_all(&[&[29, 0, 1, 0, 32][..], token.expose().as_bytes()].concat()).ok()?;
        stream.read_exact(&mut [0; 5]).ok()?;
        Some(stream)
    }
}

fn records(scene: &Scene) {
    scene.hold(|| {
        let mut stream = scene.secure()?;
        stream.write_all(&[0x17, 3, 3, 0x40, 0, 1]).ok()?;
        Some(stream)
    });
}

fn handshakes(scene: &Scene) {
    scene.hold(|| {
        let mut stream = scene.connect(scene.tls)?;
        let mut hello = Vec::new();
        let _ = Way::begin(&scene.trust, &mut hello);
        stream.write_all(&hello).ok()?;
        Some(stream)
    });
}

fn bodies(scene: &Scene) {
    let head = format!(
        "PUT /external/api/batch/update?token={}&pin=v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 520000\r\n\r\n",
        scene.tokens[0].expose()
    );
    let body = vec![b' '; 500_000];
    scene.hold(|| {
        let mut stream = scene.connect(scene.plain)?;
        stream.write_all(head.as_bytes()).ok()?;
        let _ = stream.write_all(&body);
        Some(stream)
    });
}

fn pipelines(scene: &Scene) {
    let requests = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n".repeat(600);
    scene.hold(|| {
        let mut stream = scene.connect(scene.plain)?;
        // Until the socket takes no more.
        while scene.goes_on() && stream.write_all(&requests).is_ok() {}
        Some(stream)
    });
}

fn idle(scene: &Scene) {
    scene.hold(|| {
        let mut stream = scene.connect(scene.plain)?;
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n").ok()?;
        Some(stream)
    });
}

/// Send again and again, reading what comes, over a few connections that are begun anew when they end.
fn flood(scene: &Scene, open: impl Fn(usize) -> Option<TcpStream>, message: &[u8]) {
    let mut streams: Vec<Option<TcpStream>> = (0..4).map(&open).collect();
    let mut sink = vec![0; 64 * 1024];
    while scene.goes_on() {
        for (at, slot) in streams.iter_mut().enumerate() {
            let lives = slot.as_mut().is_some_and(|stream| {
                let _ = stream.set_nonblocking(false);
                let sent = stream.write_all(message).is_ok();
                let _ = stream.set_nonblocking(true);
                let read = stream.read(&mut sink);
                sent && !matches!(read, Ok(0))
            });
            if !lives {
                *slot = open(at);
            }
        }
    }
}

fn pings(scene: &Scene) {
    let message = [6, 0, 2, 0, 0].repeat(200);
    flood(scene, |at| scene.login(&scene.tokens[at]), &message);
}

fn batches(scene: &Scene) {
    let points: Vec<String> = (0..5_000).map(|n| format!("[{},{n}]", 1_790_000_000_000_u64 + n)).collect();
    let body = format!("[{}]", points.join(","));
    let request = format!(
        "POST /external/api/batch/update?token={}&pin=v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        scene.tokens[1].expose(),
        body.len()
    );
    flood(scene, |_| scene.connect(scene.plain), request.as_bytes());
}

fn history(scene: &Scene) {
    let request = format!(
        "GET /external/api/data/get?token={}&pin=v1&period=MONTH HTTP/1.1\r\nHost: x\r\n\r\n",
        scene.tokens[1].expose()
    );
    flood(scene, |_| scene.connect(scene.plain), request.as_bytes());
}

/// What a kind of hoarders does for as long as it may.
type Hoard = fn(&Scene);

/// Names of the kinds, and what they do.
const KINDS: [(&str, Hoard); 8] = [
    ("TLS records that are never finished", records),
    ("handshakes that stall", handshakes),
    ("bodies of 500 kB that stop", bodies),
    ("pipelines that are never read", pipelines),
    ("idle HTTP", idle),
    ("PING flood of four devices", pings),
    ("batches of 5,000 points of one token", batches),
    ("a month of history, again and again", history),
];

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
                // Of this thread alone.
                let _ = rustix::process::setpriority_process(None, 19);
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

/// Each kind in turn, round after round, beside the same devices.
pub(crate) fn hoarders(flags: &Flags) -> Result<(), String> {
    let devices = flags.devices.min(1_000);
    let server = server(flags, devices + 8);
    let (neighbours, own) = server.tokens.split_at(devices as usize);
    // Once for what a process needs the first time.
    drop(beside(&server, neighbours, own, None));
    let quiet = beside(&server, neighbours, own, None);
    let base = megabytes(&server);
    let of = |felt: &Felt| [percentile(&felt.pings, 99), percentile(&felt.handshakes, 99)];
    let quiet_p99 = of(&quiet);
    println!(
        "### Hoarders beside {devices} devices that ping every 5 s, {} shards, {} s each\n\n\
         | hoarders | connections begun | ping p50, ms | p99, ms | to quiet | devices lost | honest handshakes p99, ms | to quiet | \
         failed | server CPU, cores | memory after, of {base:.0} MB |\n|---|---|---|---|---|---|---|---|---|---|---|",
        flags.shards,
        ROUND.as_secs(),
    );
    let row = |name: &str, felt: &Felt, memory: &str| {
        let p99 = of(felt);
        println!(
            "| {name} | {} | {:.2} | {:.2} | {:.1} | 0 | {:.1} | {:.1} | {} of {} | {:.2} | {memory} |",
            felt.begun,
            percentile(&felt.pings, 50),
            p99[0],
            p99[0] / quiet_p99[0],
            p99[1],
            p99[1] / quiet_p99[1],
            felt.failed,
            felt.failed + felt.handshakes.len(),
            felt.cores,
        );
    };
    row("none", &quiet, "");
    // The first round takes what a process needs once for each kind; whether memory grows, the next ones tell.
    for round in 1..=flags.rounds.max(1) {
        for (name, hoard) in KINDS {
            let felt = beside(&server, neighbours, own, Some(hoard));
            std::thread::sleep(AFTER);
            row(&format!("{name}, {round}"), &felt, &format!("{:+.0} %", (megabytes(&server) / base - 1.0) * 100.0));
        }
    }
    println!("\nEnds: {}", server.ends());
    Ok(())
}

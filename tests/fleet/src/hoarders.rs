//! Hoarders of every kind beside devices that ping: what their neighbours feel, who is lost, and what memory remains.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_fleet::server::{Server, cpu_time};
use linchpin_fleet::survivors::Survivors;
use linchpin_fleet::tls::{Trust, Way};
use linchpin_protocol::model::Token;
use linchpin_tls::Desk;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::{Flags, server};

/// How long each kind goes on.
const ROUND: Duration = Duration::from_secs(10);
/// Time in which hoarders must be gone when they are ended by the server, not by themselves.
const AFTER: Duration = Duration::from_secs(20);
/// Threads of hoarders of a kind, and connections that each opens at a time.
const THREADS: u64 = 2;
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
        let from = IpAddr::V4(Ipv4Addr::new(127, 66, 0, 1 + (number % 8) as u8));
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let socket = socket.ok()?;
        rustix::net::bind(&socket, &SocketAddr::new(from, 0)).ok()?;
        rustix::net::connect(&socket, &to).ok()?;
        let stream = TcpStream::from(socket);
        let short = Some(Duration::from_millis(200));
        stream.set_read_timeout(short).and_then(|()| stream.set_write_timeout(short)).ok()?;
        Some(stream)
    }

    /// A client over TLS that has asked for something and waits.
    fn secure(&self) -> Option<TcpStream> {
        let mut stream = self.connect(self.tls)?;
        let (mut desk, mut out, mut plain) = (Desk::default(), Vec::new(), Vec::new());
        let mut way = Way::begin(&self.trust, &mut out);
        stream.write_all(&out).ok()?;
        while !way.is_open() {
            let mut bytes = [0; 16 * 1024];
            let n = stream.read(&mut bytes).ok().filter(|n| *n > 0)?;
            out.clear();
            way.receive(&mut desk, &mut bytes[..n], &mut plain, &mut out).ok()?;
            stream.write_all(&out).ok()?;
        }
        Some(stream)
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

/// Each kind in turn, beside the same devices.
pub(crate) fn hoarders(flags: &Flags) -> Result<(), String> {
    let devices = flags.devices.min(1_000);
    let server = server(flags, devices + 8);
    let (neighbours, own) = server.tokens.split_at(devices as usize);
    let measure = || Survivors::start(server.address, None, neighbours);
    let quiet = {
        let survivors = measure();
        std::thread::sleep(ROUND);
        survivors.stop()
    };
    let (quiet_p99, base) = (percentile(&quiet, 99), megabytes(&server));
    println!(
        "### Hoarders beside {devices} devices that ping every 5 s, {} shards, {} s each\n\n\
         | hoarders | connections begun | ping p50, ms | p99, ms | to quiet | devices lost | server CPU, cores | memory after, of {base:.0} MB |\n\
         |---|---|---|---|---|---|---|---|\n| none | 0 | {:.2} | {quiet_p99:.2} | 1.0 | 0 | | |",
        flags.shards,
        ROUND.as_secs(),
        percentile(&quiet, 50),
    );
    for (name, hoard) in KINDS {
        let scene = Scene {
            plain: server.address,
            tls: server.tls,
            trust: Trust::new(&server.ca),
            tokens: own.to_vec(),
            stop: AtomicBool::new(false),
            begun: AtomicU64::new(0),
        };
        let survivors = measure();
        let (begun, before) = (Instant::now(), cpu_time(server.pid()));
        std::thread::scope(|scope| {
            (0..THREADS).for_each(|_| drop(scope.spawn(|| hoard(&scene))));
            std::thread::sleep(ROUND);
            scene.stop.store(true, Ordering::Relaxed);
        });
        let cores = (cpu_time(server.pid()) - before).as_secs_f64() / begun.elapsed().as_secs_f64();
        // It ends with a panic when one was lost.
        let latencies = survivors.stop();
        std::thread::sleep(AFTER);
        let p99 = percentile(&latencies, 99);
        println!(
            "| {name} | {} | {:.2} | {p99:.2} | {:.1} | 0 | {cores:.2} | {:+.0} % |",
            scene.begun.load(Ordering::Relaxed),
            percentile(&latencies, 50),
            p99 / quiet_p99,
            (megabytes(&server) / base - 1.0) * 100.0,
        );
    }
    println!("\nEnds: {}", server.ends());
    Ok(())
}

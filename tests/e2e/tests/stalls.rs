//! Live sessions on a saturated machine: fifty clients that connect over TLS all the time, and a disk that syncs all the time.
//! A ping may wait for a processor, which the kernel counts; what remains would be a wake-up that was lost.

#![allow(clippy::print_stdout, reason = "the report of a test")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire};
use linchpin_fleet::tls::{Trust, Way};
use linchpin_tls::Desk;

const DEVICES: usize = 40;
const CONNECTING: usize = 50;
const TIME: Duration = Duration::from_secs(8);
/// What no wait for a processor explains: a tick, and the looks of an idle shard at its clocks are once a second.
const UNEXPLAINED: Duration = Duration::from_millis(500);

/// Time that a thread has waited for a processor, from its `schedstat`.
fn waited(path: &std::path::Path) -> Duration {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// The same of all threads of the server's shards, and of this one, together.
fn all_waited(shards: &[std::path::PathBuf]) -> Duration {
    let own = waited(std::path::Path::new("/proc/thread-self/schedstat"));
    shards.iter().map(|path| waited(path)).sum::<Duration>() + own
}

/// Where the shards' threads say how long they waited.
fn shards(pid: u32) -> Vec<std::path::PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the server runs").flatten();
    let is_shard = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("shard-"))
    };
    tasks.map(|task| task.path()).filter(is_shard).map(|path| path.join("schedstat")).collect()
}

/// Connect, shake hands and leave.
fn connect(address: SocketAddr, trust: &Trust) -> Option<()> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let (mut desk, mut out, mut plain) = (Desk::default(), Vec::new(), Vec::new());
    let mut way = Way::begin(trust, &mut out);
    stream.write_all(&out).ok()?;
    while !way.is_open() {
        let mut bytes = [0; 8 * 1024];
        let n = stream.read(&mut bytes).ok().filter(|n| *n > 0)?;
        out.clear();
        way.receive(&mut desk, &mut bytes[..n], &mut plain, &mut out).ok()?;
        stream.write_all(&out).ok()?;
    }
    Some(())
}

#[test]
fn a_ping_waits_for_a_processor_and_for_nothing_else() {
    let server = Server::dev().shards(2).devices(DEVICES as u32).start();
    let trust = Trust::new(&server.ca());
    let mut wires: Vec<Wire> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let shards = shards(server.pid());
    assert_eq!(shards.len(), 2, "each shard has a thread of its name");
    let (stop, connected, synced) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let (mut longest, mut unexplained) = (Duration::ZERO, Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTING {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    connected.fetch_add(u64::from(connect(server.tls_address(), &trust).is_some()), Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            let mut file = std::fs::File::create(server.folder().join("synced")).expect("a file");
            while !stop.load(Ordering::Relaxed) {
                file.write_all(&[7; 64 * 1024]).and_then(|()| file.sync_data()).expect("writes");
                synced.fetch_add(1, Ordering::Relaxed);
            }
        });
        let begun = Instant::now();
        let mut at = 0;
        while begun.elapsed() < TIME {
            let (before, asked) = (all_waited(&shards), Instant::now());
            wires[at % DEVICES].expect_pong();
            let (took, explained) = (asked.elapsed(), all_waited(&shards) - before);
            longest = longest.max(took);
            unexplained = unexplained.max(took.saturating_sub(explained));
            at += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        println!(
            "{at} pings beside {} handshakes and {} syncs: {longest:?} at most, {unexplained:?} of it not spent waiting \
             for a processor",
            connected.load(Ordering::Relaxed),
            synced.load(Ordering::Relaxed),
        );
    });
    assert!(connected.load(Ordering::Relaxed) > 50, "hardly anybody connected");
    assert!(unexplained < UNEXPLAINED, "{unexplained:?} of {longest:?}");
}

//! `wrong-logins [DEVICES] [SECONDS] [LOGINS]`: so many wrong logins of people a second (1,000) from 200 addresses beside
//! devices that ping once a second each: how long pings take, from when each was due, before and meanwhile; whether a device
//! is dropped; what the server's memory is before and after. It fails where pings take more than twice as long (p99), a
//! device is dropped or memory stays.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire};
use linchpin_e2e::{create_person, password_hash};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use serde_json::json;

const ADDRESSES: usize = 200;
const PASSWORD: &str = "correct horse battery staple";
/// Threads of devices.
const THREADS: usize = 4;
/// Threads that sign in: sixteen attempts wait for a hash, up to a second each.
const SIGNERS: usize = 40;
/// What may stay of the server's memory, bytes.
const STAYS: u64 = 4 << 20;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let mut line = std::env::args().skip(1);
    let mut number = |default: u64| line.next().map_or(Ok(default), |text| text.parse());
    let (devices, seconds, logins) = (number(1_000)?, number(30)?, number(1_000)?);
    let server = Server::dev().shards(2).devices(u32::try_from(devices)?).start();
    for n in 0..10 {
        create_person(&server, 1, "viewer", &format!("person{n}@example.com"), PASSWORD);
    }
    let mut wires: Vec<Wire> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let time = Duration::from_secs(seconds);
    // Once around for all that is made at the first use.
    sign_in(server.address(), Duration::from_secs(3), logins)?;
    std::thread::sleep(Duration::from_secs(2));
    let base = resident(server.pid())?;
    let quiet = pings(&mut wires, time);
    let address = server.address();
    let (busy, statuses) = std::thread::scope(|threads| {
        let attack = threads.spawn(|| sign_in(address, time, logins).map_err(|error| error.to_string()));
        let busy = pings(&mut wires, time);
        (busy, attack.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
    });
    let statuses = statuses?;
    std::thread::sleep(Duration::from_secs(5));
    let after = resident(server.pid())?;
    // Each device is there: it answers once more.
    wires.iter_mut().for_each(Wire::expect_pong);
    let ms = |times: &[Duration], share: f64| {
        times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1_000.0
    };
    let (calm, loaded) = (ms(&quiet, 0.99), ms(&busy, 0.99));
    let figures = json!({
        "devices": devices, "seconds": seconds, "answers": statuses,
        "quiet_ms": {"median": ms(&quiet, 0.5), "p99": calm, "most": ms(&quiet, 1.0)},
        "busy_ms": {"median": ms(&busy, 0.5), "p99": loaded, "most": ms(&busy, 1.0)},
        "pings": [quiet.len(), busy.len()], "memory": [base, after],
    });
    writeln!(std::io::stdout(), "{figures}")?;
    if loaded > 2.0 * calm {
        return Err(format!("pings take {loaded:.2} ms, {calm:.2} before: twice is allowed").into());
    }
    if after > base + STAYS {
        return Err(format!("memory went from {base} to {after} bytes").into());
    }
    Ok(())
}

fn resident(pid: u32) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1_024)
}

/// Each device pings once a second; sorted times from when each ping was due to its answer.
///
/// # Panics
/// When a device is not answered.
fn pings(wires: &mut [Wire], time: Duration) -> Vec<Duration> {
    let begun = Instant::now() + Duration::from_millis(50);
    let some = wires.len().div_ceil(THREADS);
    let mut times: Vec<Duration> = std::thread::scope(|threads| {
        let all: Vec<_> = wires
            .chunks_mut(some)
            .map(|wires| {
                threads.spawn(move || {
                    let (step, mut times) = (Duration::from_secs(1) / wires.len() as u32, Vec::new());
                    for n in 0.. {
                        let due = begun + step * n;
                        if due > begun + time {
                            break;
                        }
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        wires[n as usize % wires.len()].expect_pong();
                        times.push(due.elapsed());
                    }
                    times
                })
            })
            .collect();
        all.into_iter().flat_map(|thread| thread.join().expect("every ping is answered")).collect()
    });
    times.sort_unstable();
    times
}

/// Wrong logins from all addresses by turns, each at its time; how many answers there were of each status.
fn sign_in(server: SocketAddr, time: Duration, a_second: u64) -> Outcome<std::collections::BTreeMap<u16, u64>> {
    let (begun, next) = (Instant::now(), AtomicU64::new(0));
    let counted = std::thread::scope(|threads| {
        let all: Vec<_> = (0..SIGNERS)
            .map(|_| {
                threads.spawn(|| -> Result<Vec<u16>, String> {
                    let mut statuses = Vec::new();
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let due = begun
                            + Duration::from_secs(1) * u32::try_from(n / a_second).unwrap_or(u32::MAX)
                            + Duration::from_secs(1) * (n % a_second) as u32 / a_second as u32;
                        if due > begun + time {
                            return Ok(statuses);
                        }
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        statuses.push(attempt(server, n).map_err(|error| error.to_string())?);
                    }
                })
            })
            .collect();
        all.into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut statuses = std::collections::BTreeMap::new();
    for status in counted.into_iter().flatten() {
        *statuses.entry(status).or_default() += 1;
    }
    Ok(statuses)
}

/// One wrong login on a connection of its own; the status.
fn attempt(server: SocketAddr, n: u64) -> Outcome<u16> {
    let from = Ipv4Addr::new(127, 0, 9, (n as usize % ADDRESSES) as u8 + 1);
    let socket: OwnedFd =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0))?;
    rustix::net::connect(&socket, &server)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // Half of them are of accounts that there are.
    let email = format!("person{}@example.com", n % 20);
    let body = json!({"email": email, "hash": password_hash(&email, "wrong")}).to_string();
    let len = body.len();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())?;
    let mut bytes = [0; 512];
    let len = stream.read(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes[..len]);
    Ok(text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?)
}

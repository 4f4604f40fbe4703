//! Clients that begin TLS beside hoarders: how long it takes them.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_fleet::tls::{Trust, Way};
use linchpin_tls::Desk;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// One honest handshake in this time, counted from when it was due.
const HONEST: Duration = Duration::from_millis(50);

/// A connection from this address.
pub(crate) fn connect(to: SocketAddr, from: Ipv4Addr) -> Option<TcpStream> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(from), 0)).ok()?;
    rustix::net::connect(&socket, &to).ok()?;
    let stream = TcpStream::from(socket);
    let short = Some(Duration::from_millis(200));
    stream.set_read_timeout(short).and_then(|()| stream.set_write_timeout(short)).ok()?;
    Some(stream)
}

/// A whole handshake.
pub(crate) fn handshake(mut stream: TcpStream, trust: &Trust) -> Option<TcpStream> {
    let (mut desk, mut out, mut plain) = (Desk::default(), Vec::new(), Vec::new());
    let mut way = Way::begin(trust, &mut out);
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

/// Honest clients, one after the other: how long each handshake took, sorted, and how many failed.
pub(crate) fn honest(to: SocketAddr, trust: &Trust, goes_on: impl Fn() -> bool) -> (Vec<Duration>, usize) {
    let (mut took, mut failed, mut due) = (Vec::new(), 0, Instant::now());
    while goes_on() {
        due += HONEST;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let stream = connect(to, Ipv4Addr::new(127, 77, 0, 1));
        let patient = stream.filter(|stream| stream.set_read_timeout(Some(Duration::from_secs(10))).is_ok());
        match patient.and_then(|stream| handshake(stream, trust)) {
            Some(_) => took.push(due.elapsed()),
            None => failed += 1,
        }
    }
    took.sort_unstable();
    (took, failed)
}

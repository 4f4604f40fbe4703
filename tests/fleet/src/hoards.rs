//! What hoarders do: each kind takes something that it never needs, again and again, as far as the server lets it.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use linchpin_fleet::tls::{Trust, Way};
use linchpin_protocol::model::Token;

use crate::honest::{connect, handshake};

/// Connections that each thread of hoarders holds at a time.
const CONNECTIONS: usize = 400;

/// What hoarders have.
pub(crate) struct Scene {
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) trust: Trust,
    /// Their own tokens: good ones.
    pub(crate) tokens: Vec<Token>,
    pub(crate) stop: AtomicBool,
    /// Connections that were begun.
    pub(crate) begun: AtomicU64,
}

impl Scene {
    pub(crate) fn goes_on(&self) -> bool {
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

fn requests(scene: &Scene) {
    let request =
        format!("GET /external/api/isHardwareConnected?token={} HTTP/1.1\r\nHost: x\r\n\r\n", scene.tokens[1].expose());
    flood(scene, |_| scene.connect(scene.plain), request.as_bytes());
}

/// What a kind of hoarders does for as long as it may.
pub(crate) type Hoard = fn(&Scene);

/// Names of the kinds, and what they do.
pub(crate) const KINDS: [(&str, Hoard); 9] = [
    ("TLS records that are never finished", records),
    ("handshakes that stall", handshakes),
    ("bodies of 500 kB that stop", bodies),
    ("pipelines that are never read", pipelines),
    ("idle HTTP", idle),
    ("PING flood of four devices", pings),
    ("batches of 5,000 points of one token", batches),
    ("a month of history, again and again", history),
    ("requests far beyond one token's quota", requests),
];

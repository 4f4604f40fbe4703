//! Hoarders against the binary: whoever behaves is served beside them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire};
use linchpin_e2e::Http;
use linchpin_fleet::tls::{Trust, Way};
use linchpin_tls::Desk;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bounds every wait; nothing takes nearly as long on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client over TLS.
struct Secure {
    stream: TcpStream,
    way: Way,
    desk: Desk,
    plain: Vec<u8>,
}

impl Secure {
    fn connect(address: SocketAddr, trust: &Trust) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        let mut out = Vec::new();
        let way = Way::begin(trust, &mut out);
        let mut client = Self { stream, way, desk: Desk::default(), plain: Vec::new() };
        client.stream.write_all(&out).expect("the connection stands");
        while !client.way.is_open() {
            client.receive();
        }
        client
    }

    fn receive(&mut self) {
        let (mut bytes, mut out) = (vec![0; 16 * 1024], Vec::new());
        let got = self.stream.read(&mut bytes).expect("the server answers");
        assert!(got > 0, "closed after {:?}", String::from_utf8_lossy(&self.plain));
        let received = self.way.receive(&mut self.desk, &mut bytes[..got], &mut self.plain, &mut out);
        received.expect("the server writes records");
        self.stream.write_all(&out).expect("the connection stands");
    }

    /// A request with so many bytes of a field; the connection stays open.
    fn ask(&mut self, filler: usize) {
        self.plain.clear();
        let request = format!("GET /x HTTP/1.1\r\nHost: localhost\r\nX-Filler: {}\r\n\r\n", "f".repeat(filler));
        let mut out = Vec::new();
        self.way.send(&mut self.desk, request.as_bytes(), &mut out);
        self.stream.write_all(&out).expect("the connection stands");
        while !self.plain.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            self.receive();
        }
        assert!(self.plain.starts_with(b"HTTP/1.1 404"), "{:?}", String::from_utf8_lossy(&self.plain));
    }
}

#[test]
fn records_that_are_never_finished_stop_nobody() {
    // More sockets than many systems allow a program unless it asks.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
    let server = Server::dev().shards(1).devices(1).start();
    let trust = Trust::new(&server.ca());
    // Each sends the header of a long record and a byte of it; the short ones fill what the long ones leave.
    let claims = [(1_030, 0x4000u16), (40, 0x0800), (40, 0x0200), (40, 0x0040)];
    let claims = claims.into_iter().flat_map(|(count, claim)| std::iter::repeat_n(claim, count));
    let hoarders: Vec<Secure> = claims
        .map(|claim| {
            let mut client = Secure::connect(server.tls_address(), &trust);
            client.ask(1);
            let [high, low] = claim.to_be_bytes();
            client.stream.write_all(&[0x17, 3, 3, high, low, 1]).expect("the connection stands");
            client
        })
        .collect();
    for filler in [2_000, 6_000] {
        for _ in 0..20 {
            Secure::connect(server.tls_address(), &trust).ask(filler);
        }
    }
    // A record must be whole five seconds after its first byte.
    for mut client in hoarders {
        assert!(matches!(client.stream.read_to_end(&mut Vec::new()), Ok(_) | Err(_)), "it ends within the timeout");
    }
    Wire::login(server.address(), &server.devices()[0].token).expect_pong();
}

#[test]
fn devices_log_in_on_a_table_full_of_idle_clients() {
    let server = Server::dev().shards(2).option("--connections", "128").devices(12).start();
    let idle: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).expect("the kernel takes it");
            // Whoever was made to leave may break.
            let _ = stream.write_all(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
            stream
        })
        .collect();
    let devices = server.more_devices();
    let mut wires: Vec<Wire> =
        devices.iter().take(10).map(|device| Wire::login(server.address(), &device.token)).collect();
    wires.iter_mut().for_each(Wire::expect_pong);
    assert_eq!(wires.len(), 10);
    drop(idle);
}

#[test]
fn a_client_that_pipelines_and_falls_silent_is_ended() {
    let server = Server::dev().shards(1).start();
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("an open socket");
    stream.set_read_timeout(Some(Duration::from_secs(1))).expect("an open socket");
    // Without reading, until the socket takes no more; then the cut request is finished and another one begun.
    let request = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut sent = 0;
    loop {
        match stream.write(&request[sent % request.len()..]) {
            Ok(n) => sent += n,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => panic!("the connection stands: {error}"),
        }
        assert!(sent < 64 << 20, "a server that is not read takes no end of requests");
    }
    let begun = Instant::now();
    let (mut bytes, mut rest) = (vec![0; 64 * 1024], request[sent % request.len()..].to_vec());
    rest.push(b'G');
    let is_over = loop {
        match stream.read(&mut bytes) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break true,
        }
        if !rest.is_empty()
            && let Ok(n) = stream.write(&rest)
        {
            rest.drain(..n);
        }
        if begun.elapsed() > PATIENCE {
            break false;
        }
    };
    assert!(is_over, "silent for {PATIENCE:?} and still open");
    assert_eq!(Http::connect(server.address()).get("/x").status, 404);
}

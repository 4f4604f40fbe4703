//! Hoarders against the binary: whoever behaves is served beside them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use linchpin_compat::{Frame, Server, Wire, command};
use linchpin_e2e::{Http, Secure};
use linchpin_fleet::tls::{Trust, Way};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bounds every wait; nothing takes nearly as long on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(60);

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
            client.write_raw(&[0x17, 3, 3, high, low, 1]);
            client
        })
        .collect();
    for filler in [2_000, 6_000] {
        for _ in 0..20 {
            Secure::connect(server.tls_address(), &trust).ask(filler);
        }
    }
    // A record must be whole five seconds after its first byte.
    hoarders.into_iter().for_each(Secure::expect_end);
    Wire::login(server.address(), &server.devices()[0].token).expect_pong();
}

/// A connection from an address of the loopback.
fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::new(IpAddr::V4(Ipv4Addr::from(from)), 0)).expect("an address of ours");
    rustix::net::connect(&socket, &to).expect("the server listens");
    TcpStream::from(socket)
}

/// Whole ClientHellos and nothing more, from five networks, each below what one address may have: more than a shard once had
/// seats. They wait for nothing but their peers, and cost the others nothing.
#[test]
fn handshakes_that_stall_stop_nobody() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the hard limit");
    let server = Server::dev().shards(1).devices(1).start();
    let trust = Trust::new(&server.ca());
    let mut hello = Vec::new();
    let _ = Way::begin(&trust, &mut hello);
    let stalled: Vec<TcpStream> = (0..4_200)
        .map(|n: u32| {
            let mut stream = connect_from([127, 66, (n % 5) as u8, 1], server.tls_address());
            stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
            stream.write_all(&hello).expect("the connection stands");
            stream
        })
        .collect();
    // Each has its turn and the server's answer; a slow machine may have ended the first of them by now.
    let is_answered = |mut stream: &TcpStream| matches!(stream.read(&mut [0; 64]), Ok(1..));
    let answered = stalled.iter().filter(|stream| is_answered(stream)).count();
    assert!(answered > 3_000, "{answered} handshakes were begun");
    for filler in [1, 2_000] {
        for _ in 0..10 {
            Secure::connect(server.tls_address(), &trust).ask(filler);
        }
    }
    Wire::login(server.address(), &server.devices()[0].token).expect_pong();
    drop(stalled);
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

/// Whichever shards the connections come to, an address has one number of failed logins.
#[test]
fn wrong_logins_are_counted_over_all_shards() {
    const GUESSES: usize = 600;
    let server = Server::dev().shards(4).start();
    let begun = Instant::now();
    let guess = |n: usize| {
        let mut wire = Wire::connect(server.address());
        // Who failed too often may be gone before its next byte.
        let _ = wire.try_send_bytes(&Frame::new(command::LOGIN, 1, format!("{n:032}").as_bytes()).bytes());
        wire.receive(PATIENCE).is_some()
    };
    let answered = (0..GUESSES).filter(|n| guess(*n)).count();
    // 200 at once and one a second.
    let most = 200 + begun.elapsed().as_secs() as usize + 1;
    assert!((200..=most).contains(&answered), "{answered} of {GUESSES} wrong logins were answered, {most} may be");
    Wire::login(server.address(), &server.devices()[0].token).expect_pong();
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

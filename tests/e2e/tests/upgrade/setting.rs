//! Clients that check their own stream byte by byte, and the program that replaces a server.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use linchpin_compat::{Device, Frame, Server, command, eventually, linchpin_path};
use linchpin_e2e::{Http, Stream};
use linchpin_fleet::tls::Trust;
use linchpin_protocol::ws;
use linchpin_tls::Version;
use serde_json::Value;

/// Whoever waits for longer was lost.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What a client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Blynk,
    WebSocket,
    Http,
    Mqtt,
}

/// A client that writes numbers.
pub(crate) struct Talker {
    pub(crate) kind: Kind,
    stream: Stream,
    token: String,
    pub(crate) number: u32,
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ws::client_frame(&mut out, ws::FrameKind::Binary, bytes, [1, 2, 3, 4]);
    out
}

fn unframed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ws::frame_header(&mut out, ws::FrameKind::Binary, bytes.len());
    [&out[..], bytes].concat()
}

impl Talker {
    fn new(kind: Kind, address: SocketAddr, trust: Option<&Trust>, device: &Device) -> Self {
        let mut stream = Stream::connect(address, trust);
        let login = Frame::new(command::LOGIN, 1, device.token.as_bytes()).bytes();
        let welcome = Frame::response(1, 200).bytes();
        match kind {
            Kind::Blynk => {
                stream.send(&login);
                stream.expect(&welcome);
            }
            Kind::WebSocket => {
                let mut request = Vec::new();
                ws::upgrade_request(&mut request, "/websockets", "localhost", &[1; 16]);
                stream.send(&request);
                let head = stream.read_until(b"\r\n\r\n");
                assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
                stream.send(&framed(&login));
                stream.expect(&unframed(&welcome));
            }
            Kind::Http => {}
            Kind::Mqtt => {
                let mut body = b"\0\x04MQTT\x04\xc2\0\x3c\0\0\0\x06device\0\x20".to_vec();
                body.extend_from_slice(device.token.as_bytes());
                stream.send(&[&[0x10, body.len() as u8][..], &body].concat());
                stream.expect(&[0x20, 2, 0, 0]);
            }
        }
        Self { kind, stream, token: device.token.clone(), number: 0 }
    }

    /// Write the next number, and hear that all before it has come.
    fn step(&mut self) {
        self.number += 1;
        let (number, id) = (self.number, (self.number % 60_000 + 1) as u16);
        let frames = [
            Frame::new(command::HARDWARE, id, format!("vw\x001\x00{number}").as_bytes()).bytes(),
            Frame::new(command::PING, id, b"").bytes(),
        ]
        .concat();
        match self.kind {
            Kind::Blynk => {
                self.stream.send(&frames);
                self.stream.expect(&Frame::response(id, 200).bytes());
            }
            Kind::WebSocket => {
                self.stream.send(&framed(&frames));
                self.stream.expect(&unframed(&Frame::response(id, 200).bytes()));
            }
            Kind::Http => {
                let request = format!(
                    "GET /external/api/update?token={}&v1={number} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    self.token
                );
                self.stream.send(request.as_bytes());
                let head = self.stream.read_until(b"\r\n\r\n");
                assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
            }
            Kind::Mqtt => {
                // A numbered question and a ping: their answers come in order, each once.
                let [high, low] = id.to_be_bytes();
                let filter = b"downlink/ds/#";
                let head = [0x82, filter.len() as u8 + 5, high, low, 0, filter.len() as u8];
                self.stream.send(&[&head[..], filter, &[0, 0xc0, 0]].concat());
                self.stream.expect(&[0x90, 3, high, low, 0]);
                self.stream.expect(&[0xd0, 0]);
            }
        }
    }
}

/// Clients on threads of their own that go on until they are stopped.
struct Talking {
    stop: AtomicBool,
    longest_ms: AtomicU32,
}

struct StopAtEnd<'a>(&'a Talking);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn upgrade(server: &Server, more: &[&str]) -> (Value, bool) {
    let data = server.data_path();
    let output = std::process::Command::new(linchpin_path())
        .args(["upgrade", "--json", "--data"])
        .arg(&data)
        .args(more)
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!("{text} {}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    });
    (report, output.status.success())
}

/// Threads that talk; each has a share of the clients.
const THREADS: usize = 24;

/// Half of the clients write all the time while `act` goes on, the others before and after it.
pub(crate) fn talk_while(talkers: Vec<Talker>, act: impl FnOnce()) -> (Vec<Talker>, u32) {
    let talking = Talking { stop: AtomicBool::new(false), longest_ms: AtomicU32::new(0) };
    let count = talkers.len().div_ceil(THREADS).max(1);
    let mut talkers = talkers.into_iter();
    let shares: Vec<Vec<Talker>> =
        std::iter::from_fn(|| Some(talkers.by_ref().take(count).collect::<Vec<_>>()).filter(|one| !one.is_empty()))
            .collect();
    let talkers = std::thread::scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|mut share| {
                let talking = &talking;
                scope.spawn(move || {
                    let timed = |talker: &mut Talker| {
                        let begun = Instant::now();
                        talker.step();
                        talking.longest_ms.fetch_max(begun.elapsed().as_millis() as u32, Ordering::Relaxed);
                    };
                    share.iter_mut().for_each(timed);
                    let busy = share.len().div_ceil(2);
                    while !talking.stop.load(Ordering::Relaxed) {
                        share[..busy].iter_mut().for_each(timed);
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    share.iter_mut().for_each(timed);
                    share
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        // Also when it fails: the others would go on for ever.
        let stop = StopAtEnd(&talking);
        act();
        drop(stop);
        threads.into_iter().flat_map(|thread| thread.join().expect("its streams were whole")).collect()
    });
    (talkers, talking.longest_ms.load(Ordering::Relaxed))
}

pub(crate) fn talkers(server: &Server, devices: &[Device], kinds: &[Kind]) -> Vec<Talker> {
    let trusts = [Version::Tls12, Version::Tls13].map(|version| Trust::with_version(&server.ca(), Some(version)));
    let one = |at: usize, device: &Device| {
        let (address, trust) = match at % 3 {
            0 => (server.address(), None),
            n => (server.tls_address(), Some(&trusts[n - 1])),
        };
        Talker::new(kinds[at / 3 % kinds.len()], address, trust, device)
    };
    let count = devices.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        let shares = devices.chunks(count).enumerate();
        let threads: Vec<_> = shares
            .map(|(share, devices)| {
                let one = &one;
                let first = share * count;
                scope.spawn(move || devices.iter().enumerate().map(|(at, it)| one(first + at, it)).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("all log in")).collect()
    })
}

/// The last number of each client is what the server knows of its device.
pub(crate) fn values_are_there(server: &Server, all: &[Talker], devices: &[Device]) {
    let mut http = Http::connect(server.address());
    for (talker, device) in all.iter().zip(devices).filter(|(talker, _)| !matches!(talker.kind, Kind::Mqtt)) {
        let number = talker.number.to_string();
        eventually(LIMIT, "the last value is known", || {
            let body = http.api(device, "get?v1").body;
            (body.trim_matches(['[', ']', '"']) == number).then_some(())
        });
    }
}

/// A program that stands in for the new process and fails in its own way.
pub(crate) fn stand_in(server: &Server, name: &str, script: &str) -> PathBuf {
    let path = server.folder().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a folder of the test");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("its own file");
    path
}

//! A running server is replaced by another process, and no device notices: every client checks its own stream byte by byte.

#![allow(clippy::print_stderr, reason = "the report of a test")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use linchpin_compat::{BackEnd, Device, Frame, Server, command, eventually, field, linchpin_path};
use linchpin_e2e::{Mqtt, Stream};
use linchpin_fleet::tls::Trust;
use linchpin_protocol::ws;
use linchpin_tls::Version;
use serde_json::{Value, json};

/// Whoever waits for longer was lost.
const LIMIT: Duration = Duration::from_secs(60);

/// What a client speaks.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Blynk,
    WebSocket,
    Http,
    Mqtt,
}

/// A client that writes numbers.
struct Talker {
    kind: Kind,
    stream: Stream,
    token: String,
    number: u32,
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

fn upgrade(server: &Server, more: &[&str]) -> (Value, bool) {
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

/// The process that serves ends with the test, whichever it is: the harness knows the first only.
struct EndOfAll<'a>(&'a Server);

impl Drop for EndOfAll<'_> {
    fn drop(&mut self) {
        let first = self.0.pid().to_string();
        let data = self.0.data_path().to_string_lossy().into_owned();
        let Ok(all) = std::fs::read_dir("/proc") else { return };
        for entry in all.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let args: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let is_server = args.get(1) == Some(&&b"dev"[..]) && args.contains(&data.as_bytes());
            if is_server
                && pid.to_string() != first
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

fn talk_while(talkers: Vec<Talker>, act: impl FnOnce()) -> (Vec<Talker>, u32) {
    let talking = Talking { stop: AtomicBool::new(false), longest_ms: AtomicU32::new(0) };
    let talkers = std::thread::scope(|scope| {
        let threads: Vec<_> = talkers
            .into_iter()
            .map(|mut talker| {
                let talking = &talking;
                scope.spawn(move || {
                    while !talking.stop.load(Ordering::Relaxed) {
                        let begun = Instant::now();
                        talker.step();
                        talking.longest_ms.fetch_max(begun.elapsed().as_millis() as u32, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    talker
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        // Also when it fails: the others would go on for ever.
        let stop = StopAtEnd(&talking);
        act();
        drop(stop);
        threads.into_iter().map(|thread| thread.join().expect("its stream was whole")).collect()
    });
    (talkers, talking.longest_ms.load(Ordering::Relaxed))
}

fn talkers(server: &Server, devices: &[Device], kinds: &[Kind]) -> Vec<Talker> {
    let trusts = [Version::Tls12, Version::Tls13].map(|version| Trust::with_version(&server.ca(), Some(version)));
    let one = |(at, device): (usize, &Device)| {
        let (address, trust) = match at % 3 {
            0 => (server.address(), None),
            n => (server.tls_address(), Some(&trusts[n - 1])),
        };
        Talker::new(kinds[at / 3 % kinds.len()], address, trust, device)
    };
    devices.iter().enumerate().map(one).collect()
}

#[test]
fn three_upgrades_end_no_connection_and_lose_no_byte() {
    for back_end in [BackEnd::IoUring, BackEnd::Portable] {
        let server = Server::dev()
            .shards(2)
            .back_end(back_end)
            .devices(200)
            .option("--tls", "127.0.0.1:0")
            .option("--set", "per_address=1000")
            .start();
        let _end = EndOfAll(&server);
        let devices = server.more_devices();
        assert_eq!(devices.len(), 200);
        let kinds = [Kind::Blynk, Kind::WebSocket, Kind::Http, Kind::Mqtt];
        let all = talkers(&server, &devices, &kinds);
        let (all, longest_ms) = talk_while(all, || {
            for attempt in 1..=3 {
                let (report, success) = upgrade(&server, &[]);
                assert!(success && field(&report, "state") == "done", "{report}\n{}", server.log());
                assert_eq!(field(&report, "attempt"), &json!(attempt));
                let (moved, left) = (field(&report, "moved"), field(&report, "left"));
                assert_eq!((left, field(&report, "ended")), (&json!(0), &json!([])), "{report}");
                assert!(moved.as_u64() >= Some(200), "{report}");
                eprintln!("{back_end:?}: {report}");
            }
        });
        eprintln!("{back_end:?}: longest answer {longest_ms} ms");
        let shown = all.iter().zip(&devices).filter(|(talker, _)| !matches!(talker.kind, Kind::Mqtt));
        for (talker, device) in shown {
            let number = talker.number.to_string();
            eventually(LIMIT, "the last value is known", || {
                (server.value(device, "V1").as_deref() == Some(&number[..])).then_some(())
            });
        }
        let status = server.ask(&["status"]);
        assert!(field(&status, "online").as_u64() >= Some(150), "{status}");
        assert_eq!(field(&status, "logins"), &json!(0), "nobody logged in again: {status}");
    }
}

/// A program that stands in for the new process and fails in its own way.
fn stand_in(server: &Server, name: &str, script: &str) -> PathBuf {
    let path = server.folder().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a folder of the test");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("its own file");
    path
}

#[test]
fn a_new_process_that_fails_leaves_the_old_one_serving() {
    let server = Server::dev().shards(2).devices(12).option("--tls", "127.0.0.1:0").start();
    let _end = EndOfAll(&server);
    let all = talkers(&server, &server.more_devices(), &[Kind::Blynk, Kind::Http]);
    let (all, _) = talk_while(all, || {
        let cases = [
            ("exits at once", "exit 3".to_owned(), "starting"),
            ("is no server", "exec cat /dev/zero >&0 2>/dev/null".to_owned(), "starting"),
            ("says something else", "printf 'not a message at all' >&0; sleep 60".to_owned(), "starting"),
        ];
        for (at, (name, script, step)) in cases.iter().enumerate() {
            let path = stand_in(&server, &format!("stand-in-{at}"), script);
            let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
            let state = field(&report, "state");
            assert!(!success && state == "failed", "{name}: {report}");
            assert_eq!(field(&report, "step"), *step, "{name}: {report}");
        }
        let missing = server.folder().join("missing");
        let (report, success) = upgrade(&server, &["--binary", &missing.to_string_lossy()]);
        assert!(!success && report.to_string().contains("cannot be started"), "{report}");
    });
    assert_eq!(all.len(), 12);
}

/// The old process holds everything until it has said "go": at each step before, whatever the new one does, it serves on.
#[test]
fn at_every_step_the_old_process_takes_everything_back() {
    let server = Server::dev().shards(2).devices(24).option("--tls", "127.0.0.1:0").start();
    let successor = env!("CARGO_BIN_EXE_successor");
    let kinds = [Kind::Blynk, Kind::WebSocket, Kind::Http, Kind::Mqtt];
    let devices = server.more_devices();
    let all = talkers(&server, &devices, &kinds);
    let (all, longest_ms) = talk_while(all, || {
        let steps = ["starting", "offered", "listeners", "opening", "moving", "counting"];
        let cases = steps.iter().flat_map(|step| [(*step, "exit"), (*step, "lie")]);
        for (step, mode) in cases {
            let path = stand_in(&server, &format!("{step}-{mode}"), &format!("exec {successor} {step} {mode}"));
            let (report, success) = upgrade(&server, &["--binary", &path.to_string_lossy()]);
            assert!(!success && field(&report, "state") == "failed", "{step} {mode}: {report}");
            assert!(field(&report, "why").as_str().is_some_and(|why| !why.is_empty()), "{step} {mode}: {report}");
        }
    });
    eprintln!("longest answer {longest_ms} ms");
    // After all that it can still be replaced.
    let _end = EndOfAll(&server);
    let (all, _) = talk_while(all, || {
        let (report, success) = upgrade(&server, &[]);
        assert!(success && field(&report, "left") == &json!(0), "{report}\n{}", server.log());
    });
    for (talker, device) in all.iter().zip(&devices).filter(|(talker, _)| !matches!(talker.kind, Kind::Mqtt)) {
        let number = talker.number.to_string();
        eventually(LIMIT, "the last value is known", || {
            (server.value(device, "V1").as_deref() == Some(&number[..])).then_some(())
        });
    }
}

/// The delay of a will is not over when its server ends: the next process does not know of it.
#[test]
fn a_will_that_waits_is_written_before_a_restart_and_before_an_upgrade() {
    let mut server = Server::dev().shards(2).devices(1).start();
    let device = server.more_devices().remove(0);
    let lose = |server: &Server, text: &str| {
        drop(Mqtt::login_with_will(server.address(), &device, Some(("ds/V1", text, 600))));
        eventually(LIMIT, "the device is away", || (!server.is_online(&device)).then_some(()));
        assert_ne!(server.value(&device, "V1").as_deref(), Some(text), "its delay is ten minutes");
    };
    lose(&server, "restarted");
    server.restart();
    let has = |server: &Server, text: &str| (server.value(&device, "V1").as_deref() == Some(text)).then_some(());
    eventually(LIMIT, "the restarted server has the will", || has(&server, "restarted"));
    lose(&server, "upgraded");
    let end = EndOfAll(&server);
    let (report, success) = upgrade(&server, &[]);
    assert!(success, "{report}");
    eventually(LIMIT, "the new process has the will", || has(&server, "upgraded"));
    drop(end);
}

#[test]
fn a_server_in_memory_says_that_it_cannot() {
    let server = Server::dev().flag("--memory").start();
    let data = server.data_path();
    let output =
        std::process::Command::new(linchpin_path()).args(["upgrade", "--data"]).arg(data).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("in memory only"), "{text}");
}

//! What an operator does with a running server, and how it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_compat::limits::EFFECT;
use linchpin_compat::{BackEnd, Frame, Server, Wire, command, eventually, field, linchpin_path, status, text};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A drain that the tests can watch.
const DEVICES: u32 = 30;

#[test]
fn status_counts_what_is_there() {
    let server = Server::dev().shards(3).devices(5).start();
    let devices = server.more_devices();
    let wires: Vec<_> = devices.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    let now = server.ask(&["status"]);
    for (name, expected) in [("online", 5), ("connections", 5), ("devices", 8), ("logins", 5), ("ledger_bytes", 0)] {
        assert_eq!(field(&now, name), &json!(expected), "{name} in {now}");
    }
    drop(wires);
    eventually(EFFECT, "nobody is online", || (field(&server.ask(&["status"]), "online") == &json!(0)).then_some(()));
    let after = server.ask(&["status"]);
    assert_eq!(field(field(&after, "ends"), "E0101"), &json!(5), "{after}");

    let (table, _, success) = server.operate(&["status"]);
    assert!(success.success() && table.contains("online"), "{table}");
}

#[test]
fn devices_are_listed_shown_and_never_with_their_tokens() {
    let server = Server::dev().shards(2).devices(3).start();
    let devices = [server.devices(), server.more_devices()].concat();
    let mut wire = Wire::login(server.address(), &devices[4].token);
    wire.expect_status(command::INTERNAL, &["ver", "1.4.0", "dev", "ESP32", "h-beat", "45"], status::OK);

    let list = server.ask(&["device", "list"]);
    let rows = list.as_array().expect("a list");
    let ids: Vec<String> = rows.iter().map(|row| field(row, "id").to_string()).collect();
    assert_eq!(ids, devices.iter().map(|device| device.id.clone()).collect::<Vec<_>>());
    let online: Vec<_> = rows.iter().map(|row| field(row, "online") == &json!(true)).collect();
    assert_eq!(online, [false, false, false, false, true, false]);

    let view = server.view(&devices[4]);
    assert_eq!(text(field(&view, "firmware"), "dev"), "ESP32");
    let (plain_list, _, _) = server.operate(&["device", "list"]);
    let (plain_view, _, _) = server.operate(&["device", "show", &devices[4].id]);
    for device in &devices {
        for output in [&list.to_string(), &view.to_string(), &plain_list, &plain_view] {
            assert!(!output.contains(&device.token), "a token in {output}");
        }
    }
}

#[test]
fn an_added_device_logs_in() {
    let server = Server::dev().shards(2).start();
    let tokens_path = server.folder().join("added");
    let path = tokens_path.to_str().expect("UTF-8");
    let (_, stderr, success) =
        server.operate(&["device", "add", "--count", "2", "--name", "Shed", "--tokens-out", path]);
    assert!(success.success(), "{stderr}");
    let lines = std::fs::read_to_string(&tokens_path).expect("the tokens");
    let tokens: Vec<_> = lines.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(tokens.len(), 2);
    for token in tokens {
        Wire::login(server.address(), token).expect_pong();
    }
}

#[test]
fn writes_are_stored_checked_and_delivered() {
    let server = Server::dev().shards(2).start();
    let devices = server.devices();
    let (with_template, plain) = (&devices[0], &devices[1]);
    // Offline: kept for the next sync.
    server.write(plain, "V9", "kept");
    let mut wire = Wire::login(server.address(), &plain.token);
    wire.expect_status(command::INTERNAL, &["ver", "1.4.0"], status::OK);
    let id = wire.send_parts(command::SYNC, &["vr", "9"]);
    wire.expect(&Frame::new(command::HARDWARE, id, b"vw\x009\0kept"));
    server.write(plain, "V10", "now");
    let frame = wire.receive(EFFECT).expect("the value");
    assert_eq!((frame.command, frame.body.as_slice()), (command::HARDWARE, &b"vw\x0010\0now"[..]));

    // The template of the first device has a whole number on V0.
    let (_, refusal, success) = server.operate(&["device", "write", &with_template.id, "V0", "warm"]);
    assert!(!success.success() && refusal.contains("a whole number"), "{refusal}");
    let (_, refusal, success) = server.operate(&["device", "write", "4000000", "V0", "1"]);
    assert!(!success.success() && refusal.contains("4000000"), "{refusal}");
}

#[test]
fn pushes_reach_the_device() {
    let server = Server::dev().start();
    let device = &server.devices()[2];
    let mut wire = Wire::login(server.address(), &device.token);
    wire.expect_status(command::INTERNAL, &["ver", "1.4.0"], status::OK);
    for (args, body) in [
        (&["ota", "http://127.0.0.1/firmware.bin"][..], &b"ota\0http://127.0.0.1/firmware.bin"[..]),
        (&["reboot"], b"dbg\0reboot"),
    ] {
        let (_, stderr, success) = server.operate(&[&["device", "push", &device.id], args].concat());
        assert!(success.success(), "{stderr}");
        let frame = wire.receive(EFFECT).expect("the push");
        assert_eq!((frame.command, frame.body.as_slice()), (command::INTERNAL, body));
    }
}

#[test]
fn the_admin_socket_speaks_json_lines() {
    let server = Server::dev().start();
    let socket = UnixStream::connect(server.data_path().join("admin.sock")).expect("the admin socket");
    socket.set_read_timeout(Some(EFFECT)).expect("a time limit");
    let mut answers = BufReader::new(socket.try_clone().expect("the socket twice"));
    let mut ask = |line: &str| {
        writeln!(&socket, "{line}").expect("ask");
        let mut answer = String::new();
        answers.read_line(&mut answer).expect("an answer");
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    let good = ask(r#"{"id":7,"command":"device.list"}"#);
    assert_eq!((field(&good, "id"), good.get("ok").is_some()), (&json!(7), true), "{good}");
    let bad = ask(r#"{"id":8,"command":"no.such.command"}"#);
    assert_eq!(field(&bad, "id"), &json!(8));
    assert!(text(field(&bad, "error"), "text").contains("no.such.command"), "{bad}");
    let broken = ask("this is not JSON");
    assert!(broken.get("error").is_some(), "{broken}");
    assert!(ask(r#"{"id":9,"command":"status"}"#).get("ok").is_some(), "it goes on after an error");
}

#[test]
fn without_a_server_the_operator_is_told_where_it_was_looked_for() {
    let mut server = Server::dev().start();
    assert!(server.stop().success());
    let (_, stderr, success) = server.operate(&["status"]);
    assert_eq!(success.code(), Some(1));
    assert!(stderr.contains("admin.sock"), "{stderr}");
}

#[test]
fn ends_are_explained() {
    let explain =
        |code: &str| Command::new(linchpin_path()).args(["explain", code]).output().expect("start the binary");
    let known = explain("E0103");
    assert!(known.status.success());
    assert!(String::from_utf8_lossy(&known.stdout).contains("heartbeat"));
    assert!(!explain("E9999").status.success());
}

#[test]
fn the_virtual_device_writes_and_receives() {
    let server = Server::dev().start();
    let device = &server.devices()[1];
    let ready_path = server.folder().join("ready.json");
    let mut sim = Command::new(linchpin_path())
        .args(["device", "sim", "--index", "1", "--count", "20", "--period", "100ms", "--ready-file"])
        .arg(ready_path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the virtual device");
    eventually(EFFECT, "it is online", || server.is_online(device).then_some(()));
    server.write(device, "V9", "a word for the virtual device");
    let output = sim.wait_with_output_within(Duration::from_secs(20));
    assert!(output.contains("a word for the virtual device"), "it shows what it receives: {output}");
    let view = server.view(device);
    assert!(!field(&view, "values").as_array().expect("a list").is_empty(), "{view}");
}

/// Waiting for a child with a limit.
trait WaitWithin {
    /// Its output, when it ends well in time.
    fn wait_with_output_within(&mut self, limit: Duration) -> String;
}

impl WaitWithin for std::process::Child {
    fn wait_with_output_within(&mut self, limit: Duration) -> String {
        let ended = eventually(limit, "the program ends by itself", || self.try_wait().expect("its state"));
        assert!(ended.success(), "{ended}");
        std::io::read_to_string(self.stdout.take().expect("its output")).expect("UTF-8")
    }
}

fn sigterm_drains(back_end: BackEnd) {
    let mut server = Server::dev().back_end(back_end).shards(2).devices(DEVICES).start();
    let mut wires: Vec<_> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    server.signal(Signal::TERM);
    for wire in &mut wires {
        let rest = wire.expect_end(EFFECT);
        assert!(Frame::parse(&rest).is_none_or(|(frame, _)| frame.command == command::REDIRECT), "{rest:?}");
    }
    eventually(EFFECT, "the server ends", || server.has_ended().then_some(()));
    assert!(server.end_status().success(), "{}", server.log());
    assert!(!server.data_path().join("admin.sock").exists(), "the socket is tidied away");
}

#[test]
fn sigterm_drains_on_io_uring() {
    sigterm_drains(BackEnd::IoUring);
}

#[test]
fn sigterm_drains_on_the_portable_back_end() {
    sigterm_drains(BackEnd::Portable);
}

#[test]
fn a_drain_sends_devices_to_another_server_at_a_pace() {
    let server = Server::dev().shards(1).devices(DEVICES).start();
    let mut wires: Vec<_> =
        server.more_devices().iter().map(|device| Wire::login(server.address(), &device.token)).collect();
    for wire in &mut wires {
        wire.expect_status(command::INTERNAL, &["ver", "1.4.0"], status::OK);
    }
    let begun = Instant::now();
    let (_, stderr, success) = server.operate(&["drain", "--redirect", "127.0.0.1:9", "--per-second", "20"]);
    assert!(success.success(), "{stderr}");
    for wire in &mut wires {
        let frame = wire.receive(EFFECT).expect("a redirect");
        assert_eq!((frame.command, frame.body.as_slice()), (command::REDIRECT, &b"127.0.0.1\09"[..]));
        wire.expect_end(EFFECT);
    }
    assert!(begun.elapsed() >= Duration::from_secs(1), "30 devices at 20 a second: {:?}", begun.elapsed());
}

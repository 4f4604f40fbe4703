//! The C++ library: its recorded conversations, byte for byte and cut as it cuts them, against the real server.
//!
//! The library is not on any package registry, so its programs were recorded once. Here the recorded device speaks and
//! the server answers by itself; every answer that the library waits for must come.

use std::time::Duration;

use serde_json::json;

use linchpin_compat::limits::EFFECT;
use linchpin_compat::trace::{From, recorded, with_token};
use linchpin_compat::{BackEnd, Device, Frame, Server, Wire, command, eventually, field, status, text};

/// Time between the segments of a frame: long enough that the server reads them one by one.
const BETWEEN_SEGMENTS: Duration = Duration::from_millis(2);

/// Its Linux program writes a frame as header, first field and rest, with TCP_NODELAY: three segments.
fn send_as_the_library_does(wire: &mut Wire, bytes: &[u8]) {
    let (header, body) = bytes.split_at(5);
    let first_len = body.iter().position(|byte| *byte == 0).map_or(body.len(), |at| at + 1);
    let (first, rest) = body.split_at(first_len);
    for segment in [header, first, rest] {
        if !segment.is_empty() {
            wire.send_bytes(segment);
            std::thread::sleep(BETWEEN_SEGMENTS);
        }
    }
}

/// What the library waits for after this frame: it reconnects without an answer to its login and its pings, and uses
/// the others.
fn required_answer(frame: &Frame) -> Option<Frame> {
    let is_answered = match frame.command {
        command::LOGIN | command::PING | command::PROPERTY => true,
        command::INTERNAL => ["ver\0", "mcu\0", "ncp\0"].iter().any(|key| frame.body.starts_with(key.as_bytes())),
        _ => false,
    };
    is_answered.then(|| Frame::response(frame.id, status::OK))
}

/// Play the device's part of a recording; returns the connection and all frames that the server sent unasked.
fn play(server: &Server, device: &Device, name: &str) -> (Wire, Vec<Frame>) {
    let mut wire = Wire::connect(server.address());
    let mut unasked = Vec::new();
    for (from, bytes) in recorded(name) {
        if from == From::Server {
            continue;
        }
        let bytes = with_token(&bytes, &device.token);
        let (frame, used) = Frame::parse(&bytes).expect("a recorded frame is whole");
        assert_eq!(used, bytes.len());
        send_as_the_library_does(&mut wire, &bytes);
        let Some(answer) = required_answer(&frame) else {
            continue;
        };
        loop {
            let came = wire.receive(EFFECT).unwrap_or_else(|| panic!("{name}: no answer to {frame:?}"));
            if came == answer {
                break;
            }
            unasked.push(came);
        }
    }
    while let Some(frame) = wire.receive(Duration::from_millis(500)) {
        unasked.push(frame);
    }
    (wire, unasked)
}

/// One server for a test, with this many devices without template.
fn server(back_end: BackEnd, devices: u32) -> (Server, Vec<Device>) {
    let server = Server::dev().back_end(back_end).shards(2).devices(devices).start();
    let devices = server.more_devices();
    (server, devices)
}

fn expect_value(server: &Server, device: &Device, pin: &str, expected: &str) {
    eventually(EFFECT, &format!("{pin} is {expected:?}"), || {
        (server.value(device, pin).as_deref() == Some(expected)).then_some(())
    });
}

fn simple_programs(back_end: BackEnd) {
    let (server, devices) = server(back_end, 3);
    let programs =
        [("cpp-linux-0.6.1", "0.6.1", "8"), ("cpp-linux-1.0.1", "1.0.1", "8"), ("cpp-linux-1.4.0", "1.4.0", "10")];
    for ((name, version, last_value), device) in programs.into_iter().zip(&devices) {
        let (mut wire, unasked) = play(&server, device, name);
        assert_eq!(unasked, [], "{name}: the server sent what the recorded program did not ask for");
        let firmware = field(&server.view(device), "firmware").clone();
        assert_eq!(text(&firmware, "ver"), version);
        assert_eq!(text(&firmware, "dev"), "Linux");
        expect_value(&server, device, "V0", last_value);
        expect_value(&server, device, "D3", "0");

        // What the server says to a device leaves in one piece and with an id that the library takes.
        server.write(device, "V1", "42");
        let push = wire.receive(EFFECT).expect("the value");
        assert_eq!((push.command, push.body.as_slice()), (command::HARDWARE, &b"vw\x001\x0042"[..]));
        assert_ne!(push.id, 0, "the library drops the link when it sees id 0");
        wire.expect_pong();
    }
}

#[test]
fn programs_of_0_6_1_1_0_1_and_1_4_0_on_io_uring() {
    simple_programs(BackEnd::IoUring);
}

#[test]
fn programs_of_0_6_1_1_0_1_and_1_4_0_on_the_portable_back_end() {
    simple_programs(BackEnd::Portable);
}

fn every_command(back_end: BackEnd) {
    let (server, devices) = server(back_end, 1);
    let device = &devices[0];
    // It is there before the recorded program reads it.
    let mut before = Wire::login(server.address(), &device.token);
    before.expect_status(command::INTERNAL, &["meta", "set", "Serial Number", "SN-7"], status::OK);
    drop(before);

    let (mut wire, unasked) = play(&server, device, "cpp-linux-1.4.0-full-api");
    let bodies: Vec<_> = unasked.iter().map(|frame| frame.body.escape_ascii().to_string()).collect();
    let begins = |command: u8, body: &str| {
        unasked.iter().any(|frame| frame.command == command && frame.body.starts_with(body.as_bytes()))
    };
    assert!(begins(command::HARDWARE, "vw\x000\0hi\x001\x002.500"), "no sync of V0 in {bodies:?}");
    assert!(begins(command::INTERNAL, "meta\0Serial Number\0SN-7"), "no metadata in {bodies:?}");
    assert!(begins(command::INTERNAL, "utc\0time\x001"), "no time in {bodies:?}");
    assert!(begins(command::INTERNAL, "utc\0tz_rule\0"), "no time zone in {bodies:?}");
    assert!(begins(command::INTERNAL, "rtc\0"), "no clock in {bodies:?}");
    let allowed = [command::RESPONSE, command::HARDWARE, command::INTERNAL];
    assert!(
        unasked.iter().all(|frame| allowed.contains(&frame.command)),
        "the library reconnects at others: {bodies:?}"
    );

    expect_value(&server, device, "V0", "hi\x001\x002.500");
    expect_value(&server, device, "V2", "123");
    expect_value(&server, device, "V1", "1");
    let view = server.view(device);
    let metadata = field(&view, "metadata");
    assert_eq!(text(metadata, "Serial Number"), "123", "the recorded program has set it");
    assert_eq!(field(&view, "events"), &json!([]), "the recorded program has resolved all its events");
    // Its last group bears the time of the recording's script, years ago: refused, and the write goes on without it.
    assert!(unasked.contains(&Frame::response(22, status::ILLEGAL_COMMAND_BODY)), "the old time was taken");
    wire.expect_pong();
}

#[test]
fn every_command_of_1_4_0_on_io_uring() {
    every_command(BackEnd::IoUring);
}

#[test]
fn every_command_of_1_4_0_on_the_portable_back_end() {
    every_command(BackEnd::Portable);
}

#[test]
fn a_wrong_token_is_answered_so_that_the_library_stops_trying() {
    let (server, devices) = server(BackEnd::Auto, 1);
    let mut wire = Wire::connect(server.address());
    let (_, login) = recorded("cpp-linux-1.4.0").swap_remove(0);
    send_as_the_library_does(&mut wire, &login);
    wire.expect(&Frame::response(1, status::INVALID_TOKEN));
    assert_eq!(wire.expect_end(EFFECT), b"", "nothing follows the refusal");
    server.expect_no_token_in_log(&devices);
}

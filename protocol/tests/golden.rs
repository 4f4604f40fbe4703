//! Every frame that real clients were recorded with is understood, and every one can be written again byte for byte.

use linchpin_protocol::blynk::codec::{self, device};
use linchpin_protocol::blynk::{
    Command, DeviceEvent, DeviceOptions, DeviceSession, Frame, LoginCommand, Session, Split, split,
};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{Millis, Pin, TemplateId, Token, UnixMillis};
use linchpin_protocol::{Action, ClockQuery, InfoPairs, Status, SyncPins};

const WIRE: &str = include_str!("fixtures/wire.txt");
const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";
const WALL: UnixMillis = UnixMillis(1_700_000_000_500);

/// One recorded frame.
struct Line {
    from_client: bool,
    bytes: Vec<u8>,
    meaning: &'static str,
}

/// The recordings by name.
fn traces() -> Vec<(&'static str, Vec<Line>)> {
    let mut traces = Vec::<(&str, Vec<Line>)>::new();
    for line in WIRE.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        if let Some(name) = line.strip_prefix("## ") {
            traces.push((name, Vec::new()));
            continue;
        }
        let (from, rest) = line.split_once(' ').expect("direction and frame");
        let (hex, meaning) = rest.split_once(' ').unwrap_or((rest, ""));
        let bytes =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        traces.last_mut().expect("a name first").1.push(Line { from_client: from == "c", bytes, meaning });
    }
    traces
}

fn only_frame(bytes: &[u8]) -> Frame<'_> {
    match split(bytes, MAX_BODY_BYTES) {
        Ok(Split::Frame { frame, used }) if used == bytes.len() => frame,
        other => panic!("{other:?}"),
    }
}

/// Compare what was found with the fixture; all differences at once, as lines to paste after reading them.
fn check_meanings(found: impl Iterator<Item = (&'static str, Line, String)>) {
    let mut wrong = String::new();
    let mut count = 0;
    for (trace, line, meaning) in found {
        count += 1;
        if meaning != line.meaning {
            let hex: String = line.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let from = if line.from_client { 'c' } else { 's' };
            wrong += &format!("{trace}: {from} {hex} {meaning}\n");
        }
    }
    assert!(count > 100, "the fixture has {count} lines");
    assert!(wrong.is_empty(), "these lines have other meanings now:\n{wrong}");
}

#[test]
fn the_server_understands_every_client() {
    let found = traces().into_iter().flat_map(|(name, lines)| {
        let mut session = Session::new();
        let clients = lines.into_iter().filter(|line| line.from_client);
        clients.map(move |line| {
            let request = session.on_frame(WALL, only_frame(&line.bytes)).expect("real clients are in order");
            if let Action::Login { token, .. } = request.action {
                session.accept();
                assert!(token.expose() == TOKEN || name == "cpp-linux-badtoken");
            }
            let meaning = format!("{:?}", request.action);
            assert_eq!(client_frame(&line.bytes, request.action), line.bytes, "{name}: {meaning} written again");
            (name, line, meaning)
        })
    });
    check_meanings(found);
}

/// Write the action as a device does.
fn client_frame(original: &[u8], action: Action<'_>) -> Vec<u8> {
    let Frame { command, id, body, .. } = only_frame(original);
    let mut out = Vec::new();
    match action {
        Action::Login { token, first_frame_only } => {
            let command = if first_frame_only { Command::LoginOld } else { Command::Login };
            device::login(&mut out, id, command, &token);
        }
        Action::Ping => device::ping(&mut out, id),
        Action::Write { pin, value, .. } => device::write(&mut out, id, pin, value.as_bytes()),
        Action::Sync(SyncPins::All) => device::sync_all(&mut out, id),
        Action::Sync(SyncPins::Listed(pins)) => device::sync(&mut out, id, &pins.iter().collect::<Vec<_>>()),
        Action::Property { pins, name, values } => {
            let pins: Vec<u8> = pins.iter().map(|pin| pin.index).collect();
            device::property(&mut out, id, &pins, name, values.as_bytes());
        }
        Action::EventLog { code, description } => device::event_log(&mut out, id, code, description),
        Action::EventClear { code, all } => device::event_clear(&mut out, id, code, all),
        Action::Info(pairs) => device::internal(&mut out, id, &[pairs.raw()]),
        // Libraries leave the NUL of `rtc` out when nothing follows.
        Action::Clock(ClockQuery::Rtc) if body == b"rtc" => return original.to_vec(),
        Action::Clock(ClockQuery::Rtc) => device::internal(&mut out, id, &[b"rtc", b"sync"]),
        Action::Clock(ClockQuery::Time) => device::internal(&mut out, id, &[b"utc", b"time"]),
        Action::Clock(ClockQuery::TzRule) => device::internal(&mut out, id, &[b"utc", b"tz_rule"]),
        Action::MetaGet { name } => device::internal(&mut out, id, &[b"meta", b"get", name.as_bytes()]),
        Action::MetaSet { name, value } => {
            device::internal(&mut out, id, &[b"meta", b"set", name.as_bytes(), value.as_bytes()]);
        }
        Action::BridgeInit { slot, token } => device::bridge_init(&mut out, id, slot, &token),
        Action::BridgeWrite { slot, pin, value } => device::bridge_write(&mut out, id, slot, pin, value.as_bytes()),
        Action::Notify { .. } => {
            let command = Command::from_number(command).expect("known");
            device::notify(&mut out, id, command, &body.split(|byte| *byte == 0).collect::<Vec<_>>());
        }
        Action::Answer { status } => device::response(&mut out, id, status),
        Action::Nothing => match body {
            b"b" => device::group_begin(&mut out, id, None),
            b"e" => device::group_end(&mut out, id),
            b"t\x001700000000123" => device::group_begin(&mut out, id, Some(UnixMillis(1_700_000_000_123))),
            other => panic!("{other:?}"),
        },
        Action::PinMode { .. } | Action::Clock(_) => panic!("no recording has {action:?}"),
    }
    out
}

#[test]
fn the_device_understands_the_recorder_and_the_server_can_write_as_it_did() {
    let found = traces().into_iter().flat_map(|(name, lines)| {
        let opts = DeviceOptions::default();
        let (mut device, mut out) = (DeviceSession::new(), Vec::new());
        device.start(Millis(0), &opts, &Token::parse(TOKEN.as_bytes()).expect("valid"), &mut out);
        let servers = lines.into_iter().filter(|line| !line.from_client);
        servers.map(move |line| {
            let mut meaning = String::new();
            let mut on = |event: DeviceEvent<'_>| meaning += &describe(event);
            if let Err(end) = device.on_bytes(Millis(0), &opts, &line.bytes, &mut out, &mut on) {
                meaning += &format!("end: {end:?}");
            }
            let frame = only_frame(&line.bytes);
            if frame.command == Command::Ping.number() && meaning.is_empty() {
                meaning = "Ping".to_owned();
            }
            if frame.command < Command::EventLog.number() && frame.command != Command::Ping.number() {
                assert_eq!(server_frame(frame), line.bytes, "{name}: {meaning} written again");
            }
            (name, line, meaning)
        })
    });
    check_meanings(found);
}

/// Text where the event has bytes.
fn describe(event: DeviceEvent<'_>) -> String {
    match event {
        DeviceEvent::Internal { id, body } => format!("Internal {{ id: {id}, body: \"{}\" }}", body.escape_ascii()),
        DeviceEvent::PinMode { pairs } => format!("PinMode {{ pairs: \"{}\" }}", pairs.escape_ascii()),
        DeviceEvent::Debug { text } => format!("Debug {{ text: \"{}\" }}", text.escape_ascii()),
        other => format!("{other:?}"),
    }
}

/// Write the frame as the server does.
fn server_frame(frame: Frame<'_>) -> Vec<u8> {
    let Frame { command, id, status_or_len, body } = frame;
    let parts: Vec<&[u8]> = body.split(|byte| *byte == 0).collect();
    let mut out = Vec::new();
    match (Command::from_number(command).expect("known"), &parts[..]) {
        (Command::Response, _) => codec::response(&mut out, id, Status::from_code(status_or_len).expect("known")),
        (Command::Hardware, [b"vw", pin, ..]) => {
            let pin = Pin::parse(b'v', pin).expect("a pin");
            let value = &body[body.len() - codec_value_len(body)..];
            codec::hardware_write(&mut out, id, pin, value);
        }
        (Command::Hardware, parts) => codec::hardware(&mut out, id, parts),
        (Command::Bridge, [b"vw", pin, value]) => {
            codec::bridge(&mut out, id, Pin::parse(b'v', pin).expect("a pin"), value);
        }
        (Command::Internal, parts) => codec::internal(&mut out, id, parts),
        (Command::Redirect, [host, port]) => {
            let text = |bytes| std::str::from_utf8(bytes).expect("text");
            codec::redirect(&mut out, id, text(host), text(port).parse().ok());
        }
        (Command::Debug, [text]) => codec::debug(&mut out, id, std::str::from_utf8(text).expect("text")),
        other => panic!("{other:?}"),
    }
    out
}

/// Length of what stands behind the second NUL.
fn codec_value_len(body: &[u8]) -> usize {
    body.splitn(3, |byte| *byte == 0).nth(2).expect("three fields").len()
}

#[test]
fn the_device_side_says_what_the_cpp_library_says() {
    for (name, lines) in traces().into_iter().filter(|(name, _)| name.starts_with("cpp-linux-1.4.0")) {
        let clients: Vec<_> = lines.into_iter().filter(|line| line.from_client).collect();
        let pairs = InfoPairs::new(&clients[1].bytes[5..]);
        let opts = DeviceOptions {
            login_command: LoginCommand::Current,
            template: TemplateId::parse(b"TMPLtest0001").ok(),
            firmware: Some("0.1.0".into()),
            build: pairs.get("build").map(Into::into),
            connection: Some("Socket".into()),
            ..DeviceOptions::default()
        };
        let (mut device, mut out) = (DeviceSession::new(), Vec::new());
        device.start(Millis(0), &opts, &Token::parse(TOKEN.as_bytes()).expect("valid"), &mut out);
        device.on_bytes(Millis(0), &opts, &[0, 0, 1, 0, 200], &mut out, &mut |_| ()).expect("logged in");
        assert_eq!(out, [&clients[0].bytes[..], &clients[1].bytes].concat(), "{name}");
    }
}

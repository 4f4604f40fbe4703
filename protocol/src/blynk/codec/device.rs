//! Frames that a device sends. Message ids are written as they are.

use crate::limits::MAX_PINS_LISTED;
use crate::model::{Pin, Token, UnixMillis};

use super::super::Command;
use super::{decimal, frame, header, push_frame, with_key_end, write_pin};

/// RESPONSE with any status.
pub fn response(out: &mut Vec<u8>, id: u16, status: u16) {
    header(out, Command::Response, id, status);
}

/// HARDWARE_LOGIN, or LOGIN as the Python `blynklib` does.
pub fn login(out: &mut Vec<u8>, id: u16, command: Command, token: &Token) {
    debug_assert!(matches!(command, Command::Login | Command::LoginOld), "{command} is no login");
    frame(out, command, id, &[token.expose().as_bytes()]);
}

/// PING.
pub fn ping(out: &mut Vec<u8>, id: u16) {
    header(out, Command::Ping, id, 0);
}

/// HARDWARE: set a pin.
pub fn write(out: &mut Vec<u8>, id: u16, pin: Pin, value: &[u8]) {
    write_pin(out, Command::Hardware, id, None, pin, value);
}

/// HARDWARE_SYNC: send everything.
pub fn sync_all(out: &mut Vec<u8>, id: u16) {
    header(out, Command::Sync, id, 0);
}

/// HARDWARE_SYNC: send these pins, all of the first one's kind.
pub fn sync(out: &mut Vec<u8>, id: u16, pins: &[Pin]) {
    debug_assert!(pins.len() <= MAX_PINS_LISTED, "servers take {MAX_PINS_LISTED} pins, not {}", pins.len());
    push_frame(out, Command::Sync, id, |out| {
        let kind = pins.first().map_or(b'v', |pin| pin.kind.letter());
        out.extend_from_slice(&[kind, b'r']);
        for pin in pins {
            out.push(0);
            out.extend_from_slice(decimal(pin.index, &mut [0; 3]));
        }
    });
}

/// INTERNAL with these fields.
pub fn internal(out: &mut Vec<u8>, id: u16, parts: &[&[u8]]) {
    frame(out, Command::Internal, id, with_key_end(parts, &mut [b"", b""]));
}

/// SET_WIDGET_PROPERTY of virtual pins.
pub fn property(out: &mut Vec<u8>, id: u16, pins: &[u8], name: &str, values: &[u8]) {
    push_frame(out, Command::Property, id, |out| {
        for pin in pins {
            out.extend_from_slice(decimal(*pin, &mut [0; 3]));
            out.push(0);
        }
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(values);
    });
}

/// EVENT_LOG.
pub fn event_log(out: &mut Vec<u8>, id: u16, code: &str, description: Option<&str>) {
    match description {
        Some(text) => frame(out, Command::EventLog, id, &[code.as_bytes(), text.as_bytes()]),
        None => frame(out, Command::EventLog, id, &[code.as_bytes()]),
    }
}

/// EVENT_CLEAR.
pub fn event_clear(out: &mut Vec<u8>, id: u16, code: &str, all: bool) {
    let parts: [&[u8]; 2] = [code.as_bytes(), b"all"];
    frame(out, Command::EventClear, id, &parts[..1 + usize::from(all)]);
}

/// GROUP: begin, with the server's time or this one.
pub fn group_begin(out: &mut Vec<u8>, id: u16, stamp: Option<UnixMillis>) {
    match stamp {
        Some(stamp) => frame(out, Command::Group, id, &[b"t", stamp.0.to_string().as_bytes()]),
        None => frame(out, Command::Group, id, &[b"b"]),
    }
}

/// GROUP: end.
pub fn group_end(out: &mut Vec<u8>, id: u16) {
    frame(out, Command::Group, id, &[b"e"]);
}

/// BRIDGE: `slot` stands for the device with this token.
pub fn bridge_init(out: &mut Vec<u8>, id: u16, slot: u8, token: &Token) {
    let mut digits = [0; 3];
    let slot = decimal(slot, &mut digits);
    frame(out, Command::Bridge, id, &[slot, b"i", token.expose().as_bytes()]);
}

/// BRIDGE: set a pin of the device that `slot` stands for.
pub fn bridge_write(out: &mut Vec<u8>, id: u16, slot: u8, pin: Pin, value: &[u8]) {
    write_pin(out, Command::Bridge, id, Some(slot), pin, value);
}

/// TWEET, EMAIL, PUSH_NOTIFICATION or SMS.
pub fn notify(out: &mut Vec<u8>, id: u16, command: Command, parts: &[&[u8]]) {
    frame(out, command, id, parts);
}

//! Writing frames. Every function appends exactly one whole frame to the caller's buffer and leaves what stands there.
//!
//! The first half is what a server sends: there a message id of 0 is illegal and 1 is written in its place. The second
//! half is what a device sends.

use crate::Status;
use crate::limits::{DEFAULT_BUFF_IN_BYTES, MAX_BODY_BYTES, MAX_REDIRECT_HOST_BYTES};
use crate::model::{Pin, Token, UnixMillis};

use super::{Command, HEADER_BYTES};

/// May a body of this length be sent to a device with this receive buffer? It must be strictly shorter.
#[must_use]
pub const fn fits(body_len_bytes: usize, buff_in_bytes: usize) -> bool {
    body_len_bytes < buff_in_bytes
}

const _: () = assert!(fits(DEFAULT_BUFF_IN_BYTES - 1, DEFAULT_BUFF_IN_BYTES));

/// Length of the body that [`hardware_write`] makes, bytes.
#[must_use]
pub fn hardware_write_len(pin: Pin, value: &[u8]) -> usize {
    let mut digits = [0; 3];
    "vw\0".len() + decimal(pin.index, &mut digits).len() + 1 + value.len()
}

/// A RESPONSE.
pub fn response(out: &mut Vec<u8>, id: u16, status: Status) {
    header(out, Command::Response, server_id(id), status.code());
}

/// HARDWARE: set a pin. An empty value is legal in this direction.
pub fn hardware_write(out: &mut Vec<u8>, id: u16, pin: Pin, value: &[u8]) {
    write_pin(out, Command::Hardware, server_id(id), None, pin, value);
}

/// HARDWARE with any fields, such as `pm`, a pin, a mode.
pub fn hardware(out: &mut Vec<u8>, id: u16, parts: &[&[u8]]) {
    frame(out, Command::Hardware, server_id(id), parts);
}

/// BRIDGE: another device sets a pin.
pub fn bridge(out: &mut Vec<u8>, id: u16, pin: Pin, value: &[u8]) {
    write_pin(out, Command::Bridge, server_id(id), None, pin, value);
}

/// INTERNAL with these fields. Devices compare the first 4 bytes of the body, so a key of 3 letters keeps its NUL even
/// when nothing follows.
pub fn internal(out: &mut Vec<u8>, id: u16, parts: &[&[u8]]) {
    frame(
        out,
        Command::Internal,
        server_id(id),
        with_key_end(parts, &mut [b"", b""]),
    );
}

fn with_key_end<'a, 'b>(parts: &'b [&'a [u8]], padded: &'b mut [&'a [u8]; 2]) -> &'b [&'a [u8]] {
    match parts {
        [key] if key.len() == 3 => {
            *padded = [key, b""];
            &padded[..]
        }
        _ => parts,
    }
}

/// CONNECT_REDIRECT: connect to this host, on this port or the one in use. Devices keep 63 bytes of the name.
pub fn redirect(out: &mut Vec<u8>, id: u16, host: &str, port: Option<u16>) {
    debug_assert!(
        host.len() <= MAX_REDIRECT_HOST_BYTES,
        "devices cannot keep a host of {} bytes",
        host.len()
    );
    match port {
        Some(port) => {
            frame(
                out,
                Command::Redirect,
                server_id(id),
                &[host.as_bytes(), port.to_string().as_bytes()],
            );
        }
        None => frame(out, Command::Redirect, server_id(id), &[host.as_bytes()]),
    }
}

/// DEBUG_PRINT: a text for the device's console.
pub fn debug(out: &mut Vec<u8>, id: u16, text: &str) {
    frame(out, Command::Debug, server_id(id), &[text.as_bytes()]);
}

/// Clients drop the connection when a server's message id is 0.
const fn server_id(id: u16) -> u16 {
    if id == 0 { 1 } else { id }
}

/// What a device sends. Ids are written as they are.
pub mod device {
    use super::{Command, MAX_BODY_BYTES, Pin, Token, UnixMillis, frame, header, push_frame, write_pin};

    /// RESPONSE with any status.
    pub fn response(out: &mut Vec<u8>, id: u16, status: u16) {
        header(out, Command::Response, id, status);
    }

    /// HARDWARE_LOGIN, or LOGIN as the Python `blynklib` does.
    pub fn login(out: &mut Vec<u8>, id: u16, command: Command, token: &Token) {
        debug_assert!(
            matches!(command, Command::Login | Command::LoginOld),
            "{command} is no login"
        );
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
        push_frame(out, Command::Sync, id, |out| {
            let kind = pins.first().map_or(b'v', |pin| pin.kind.letter());
            out.extend_from_slice(&[kind, b'r']);
            for pin in pins {
                out.push(0);
                out.extend_from_slice(super::decimal(pin.index, &mut [0; 3]));
            }
        });
    }

    /// INTERNAL with these fields.
    pub fn internal(out: &mut Vec<u8>, id: u16, parts: &[&[u8]]) {
        frame(out, Command::Internal, id, super::with_key_end(parts, &mut [b"", b""]));
    }

    /// SET_WIDGET_PROPERTY of virtual pins.
    pub fn property(out: &mut Vec<u8>, id: u16, pins: &[u8], name: &str, values: &[u8]) {
        push_frame(out, Command::Property, id, |out| {
            for pin in pins {
                out.extend_from_slice(super::decimal(*pin, &mut [0; 3]));
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
        let slot = super::decimal(slot, &mut digits);
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

    const _: () = assert!(MAX_BODY_BYTES > 2 + 256 * 4, "a sync of all pins fits");
}

fn header(out: &mut Vec<u8>, command: Command, id: u16, status_or_len: u16) {
    let [id_high, id_low] = id.to_be_bytes();
    let [len_high, len_low] = status_or_len.to_be_bytes();
    let bytes: [u8; HEADER_BYTES] = [command.number(), id_high, id_low, len_high, len_low];
    out.extend_from_slice(&bytes);
}

/// Append a frame whose body `write` appends. A body that no peer takes is a bug of the caller: the frame is left out,
/// whole, so that the stream stays in step.
fn push_frame(out: &mut Vec<u8>, command: Command, id: u16, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    header(out, command, id, 0);
    let body_start = out.len();
    write(out);
    let len_bytes = out.len() - body_start;
    debug_assert!(len_bytes <= MAX_BODY_BYTES, "a body of {len_bytes} bytes in {command}");
    if len_bytes > MAX_BODY_BYTES {
        out.truncate(start);
        return;
    }
    out[body_start - 2..body_start].copy_from_slice(&(len_bytes as u16).to_be_bytes());
}

/// Append a frame with these fields, joined by NUL.
pub(super) fn frame(out: &mut Vec<u8>, command: Command, id: u16, parts: &[&[u8]]) {
    push_frame(out, command, id, |out| {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.push(0);
            }
            out.extend_from_slice(part);
        }
    });
}

fn write_pin(out: &mut Vec<u8>, command: Command, id: u16, slot: Option<u8>, pin: Pin, value: &[u8]) {
    push_frame(out, command, id, |out| {
        let mut digits = [0; 3];
        if let Some(slot) = slot {
            out.extend_from_slice(decimal(slot, &mut digits));
            out.push(0);
        }
        out.extend_from_slice(&[pin.kind.letter(), b'w', 0]);
        out.extend_from_slice(decimal(pin.index, &mut digits));
        out.push(0);
        out.extend_from_slice(value);
    });
}

/// The number in decimal, in the last bytes of `digits`.
fn decimal(number: u8, digits: &mut [u8; 3]) -> &[u8] {
    *digits = [b'0' + number / 100, b'0' + number / 10 % 10, b'0' + number % 10];
    let start = match number {
        100.. => 0,
        10.. => 1,
        _ => 2,
    };
    &digits[start..]
}

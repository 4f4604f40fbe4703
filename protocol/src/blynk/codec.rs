//! Writing frames. Every function appends exactly one whole frame to the caller's buffer and leaves what stands there.
//!
//! Here stands what a server sends: a message id of 0 is illegal in this direction, 1 is written in its place. What a
//! device sends is in [`device`].

pub mod device;

use crate::Status;
use crate::limits::{DEFAULT_BUFF_IN_BYTES, MAX_BODY_BYTES, MAX_REDIRECT_HOST_BYTES};
use crate::model::Pin;

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
    frame(out, Command::Internal, server_id(id), with_key_end(parts, &mut [b"", b""]));
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
    debug_assert!(host.len() <= MAX_REDIRECT_HOST_BYTES, "devices cannot keep a host of {} bytes", host.len());
    match port {
        Some(port) => {
            frame(out, Command::Redirect, server_id(id), &[host.as_bytes(), port.to_string().as_bytes()]);
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
fn frame(out: &mut Vec<u8>, command: Command, id: u16, parts: &[&[u8]]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PinKind;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = b"before".to_vec();
        write(&mut out);
        assert!(out.starts_with(b"before"), "what stood there stays");
        out.split_off(6)
    }

    #[test]
    fn responses_carry_a_status_and_never_id_0() {
        assert_eq!(written(|out| response(out, 1, Status::Ok)), [0, 0, 1, 0, 200]);
        assert_eq!(written(|out| response(out, 0xabcd, Status::InvalidToken)), [0, 0xab, 0xcd, 0, 9]);
        assert_eq!(written(|out| response(out, 0, Status::Ok)), [0, 0, 1, 0, 200]);
    }

    #[test]
    fn writes_of_every_pin_have_the_length_that_was_foretold() {
        for packed in 0..0x300 {
            let pin = Pin::from_u16(packed).expect("three kinds");
            let bytes = written(|out| hardware_write(out, 7, pin, b"a\0b"));
            assert_eq!(bytes.len(), HEADER_BYTES + hardware_write_len(pin, b"a\0b"));
            let body = format!("{}w\0{}\0a\0b", char::from(pin.kind.letter()), pin.index);
            assert_eq!(&bytes[HEADER_BYTES..], body.as_bytes());
        }
    }

    #[test]
    fn an_empty_value_keeps_its_separator() {
        let pin = Pin { kind: PinKind::Virtual, index: 1 };
        assert_eq!(written(|out| hardware_write(out, 0x700a, pin, b"")), b"\x14\x70\x0a\0\x05vw\x001\0");
        assert_eq!(written(|out| bridge(out, 1, pin, b"9")), b"\x0f\0\x01\0\x06vw\x001\x009");
    }

    #[test]
    fn short_internal_keys_keep_their_nul() {
        assert_eq!(written(|out| internal(out, 2, &[b"rtc"])), b"\x11\0\x02\0\x04rtc\0");
        assert_eq!(written(|out| internal(out, 2, &[b"rtc", b""])), b"\x11\0\x02\0\x04rtc\0");
        assert_eq!(written(|out| internal(out, 2, &[b"acon"])), b"\x11\0\x02\0\x04acon");
    }

    #[test]
    fn redirects_may_leave_the_port_out() {
        assert_eq!(written(|out| redirect(out, 3, "h.io", Some(80))), b"\x29\0\x03\0\x07h.io\x0080");
        assert_eq!(written(|out| redirect(out, 3, "h.io", None)), b"\x29\0\x03\0\x04h.io");
        assert_eq!(written(|out| debug(out, 3, "hi")), b"\x37\0\x03\0\x02hi");
    }

    #[test]
    fn a_body_must_be_shorter_than_the_buffer() {
        assert!(fits(249, DEFAULT_BUFF_IN_BYTES));
        assert!(!fits(250, DEFAULT_BUFF_IN_BYTES));
        assert!(!fits(0, 0));
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn a_body_that_nobody_takes_is_left_out_whole() {
        let bytes = written(|out| hardware(out, 3, &[&[0; MAX_BODY_BYTES + 1]]));
        assert_eq!(bytes, b"");
    }

    #[test]
    fn the_longest_body_is_written() {
        let bytes = written(|out| hardware(out, 3, &[&[7; MAX_BODY_BYTES]]));
        assert_eq!((bytes.len(), &bytes[..5]), (HEADER_BYTES + MAX_BODY_BYTES, &b"\x14\0\x03\x80\0"[..]));
    }
}

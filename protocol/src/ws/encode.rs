//! Writing frames and handshakes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::limits::WS_CONTROL_BYTES;

/// Kinds of frames, by their opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// More of a message.
    Continuation = 0,
    /// A text message.
    Text = 1,
    /// A binary message.
    Binary = 2,
    /// Goodbye.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
}

impl FrameKind {
    pub(super) const fn from_opcode(opcode: u8) -> Option<Self> {
        Some(match opcode {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// Why a side closes (RFC 6455, 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// Done.
    Normal = 1000,
    /// The server goes away.
    GoingAway = 1001,
    /// A frame broke the rules.
    Protocol = 1002,
    /// A kind of message that is not taken.
    Unsupported = 1003,
    /// A text that is not UTF-8.
    Payload = 1007,
    /// Refused for what it is.
    Policy = 1008,
    /// Too long.
    TooBig = 1009,
}

/// Append the header of a whole, unmasked frame with a payload of `len` bytes.
pub fn frame_header(out: &mut Vec<u8>, kind: FrameKind, len: usize) {
    header(out, kind, len, 0);
}

fn header(out: &mut Vec<u8>, kind: FrameKind, len: usize, mask_bit: u8) {
    const FIN: u8 = 0x80;
    out.push(FIN | kind as u8);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short), _) if short < 126 => out.push(mask_bit | short),
        (_, Ok(medium)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
}

/// Append a close frame.
pub fn close(out: &mut Vec<u8>, code: CloseCode) {
    frame_header(out, FrameKind::Close, 2);
    out.extend_from_slice(&(code as u16).to_be_bytes());
}

/// Append the answer to a ping; at most [`WS_CONTROL_BYTES`] of payload.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    let payload = &payload[..payload.len().min(WS_CONTROL_BYTES)];
    frame_header(out, FrameKind::Pong, payload.len());
    out.extend_from_slice(payload);
}

/// Append a masked frame, as clients must send it. The mask guards proxies, not secrets: `mask` should be random.
pub fn client_frame(out: &mut Vec<u8>, kind: FrameKind, payload: &[u8], mask: [u8; 4]) {
    const MASKED: u8 = 0x80;
    header(out, kind, payload.len(), MASKED);
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// The value of `Sec-WebSocket-Accept` for a client's key.
#[must_use]
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    STANDARD.encode(digest)
}

/// Append the response that turns the connection into a WebSocket. `protocol`: the subprotocol, if the client offered one
/// that is spoken.
pub fn upgrade_answer(out: &mut Vec<u8>, key: &str, protocol: Option<&str>) {
    let head =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(accept_key(key).as_bytes());
    if let Some(protocol) = protocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(protocol.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Append a client's request for a WebSocket; `nonce` should be random.
pub fn upgrade_request(out: &mut Vec<u8>, path: &str, host: &str, nonce: &[u8; 16]) {
    let fields = format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
        STANDARD.encode(nonce)
    );
    crate::http::client::request(out, "GET", path, host, &fields, b"");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let mut out = Vec::new();
        client_frame(&mut out, FrameKind::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(out, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        for (len, want) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (65_535, &[0x82, 126, 0xff, 0xff]),
            (65_536, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            frame_header(&mut out, FrameKind::Binary, len);
            assert_eq!(out, want, "{len}");
        }
        let mut out = Vec::new();
        pong(&mut out, &[7; 200]);
        assert_eq!(out.len(), 2 + WS_CONTROL_BYTES);
        out.clear();
        close(&mut out, CloseCode::Protocol);
        assert_eq!(out, [0x88, 2, 0x03, 0xea]);
    }
}

//! Cutting packets out of a stream of bytes.

use crate::limits::MQTT_CONNECT_BYTES;

use super::MqttFault;

/// First byte of CONNECT.
const CONNECT: u8 = 0x10;

/// Bytes of a fixed header, at least and at most.
const HEADER_BYTES: [usize; 2] = [2, 5];

/// One packet, not read yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// Kind in the upper 4 bits, flags in the lower.
    pub first: u8,
    /// What follows the fixed header.
    pub body: &'a [u8],
}

/// A body may hold a token: only its length is shown.
impl std::fmt::Debug for RawPacket<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawPacket {{ first: {:#04x}, body: {} bytes }}", self.first, self.body.len())
    }
}

/// What stands at the start of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// A whole packet.
    Packet {
        /// It.
        packet: RawPacket<'a>,
        /// Its length with header, bytes: go on behind them.
        used: usize,
    },
    /// The start of a packet, or nothing: call again with the same bytes and more behind them.
    Partial {
        /// Length of the packet as far as it is known, bytes: at least so many are needed in all.
        need: usize,
    },
}

/// Length of the fixed header and of the body; `None`: more bytes are needed.
fn lengths(bytes: &[u8]) -> Result<Option<(usize, usize)>, MqttFault> {
    let mut body_bytes = 0;
    for at in 1..HEADER_BYTES[1] {
        let Some(byte) = bytes.get(at) else { return Ok(None) };
        body_bytes |= usize::from(byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Ok(Some((at + 1, body_bytes)));
        }
    }
    Err(MqttFault::Malformed { what: "the length of a packet has more than 4 bytes" })
}

/// Cut the first packet off `bytes`. `max_bytes`: longest packet to take, header included.
///
/// # Errors
/// [`MqttFault::TooLarge`] and a length of more than 4 bytes, both from the fixed header alone; a kind 0, which does not
/// exist. Close the connection.
pub fn cut(bytes: &[u8], max_bytes: usize) -> Result<Cut<'_>, MqttFault> {
    let [first, ..] = *bytes else { return Ok(Cut::Partial { need: HEADER_BYTES[0] }) };
    if first >> 4 == 0 {
        return Err(MqttFault::Malformed { what: "packet kind 0 does not exist" });
    }
    let Some((header_bytes, body_bytes)) = lengths(bytes)? else {
        return Ok(Cut::Partial { need: (bytes.len() + 1).max(HEADER_BYTES[0]) });
    };
    let used = header_bytes + body_bytes;
    if used > max_bytes {
        return Err(MqttFault::TooLarge { len_bytes: used, limit_bytes: max_bytes });
    }
    Ok(match bytes.get(header_bytes..used) {
        Some(body) => Cut::Packet { packet: RawPacket { first, body }, used },
        None => Cut::Partial { need: used },
    })
}

/// As [`cut`], for the first packet of a connection, which must be CONNECT: what cannot become one is refused as soon as
/// it shows, at most 14 bytes into the stream.
///
/// # Errors
/// [`MqttFault::NotConnect`]: close the connection.
pub fn cut_connect(bytes: &[u8]) -> Result<Cut<'_>, MqttFault> {
    if bytes.first().is_some_and(|first| *first != CONNECT) {
        return Err(MqttFault::NotConnect);
    }
    let result = cut(bytes, MQTT_CONNECT_BYTES).map_err(|_| MqttFault::NotConnect)?;
    if let Ok(Some((header_bytes, _))) = lengths(bytes) {
        let name = &bytes[header_bytes..];
        let fits = |known: &[u8]| name.iter().zip(known).all(|(found, known)| found == known);
        if !fits(b"\0\x04MQTT") && !fits(b"\0\x06MQIsdp") {
            return Err(MqttFault::NotConnect);
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_cut_once_it_is_whole() {
        let bytes = b"\x30\x05\0\x01ab1\xc0\0";
        assert_eq!(cut(b"", 64), Ok(Cut::Partial { need: 2 }));
        assert_eq!(cut(&bytes[..1], 64), Ok(Cut::Partial { need: 2 }));
        for end in 2..7 {
            assert_eq!(cut(&bytes[..end], 64), Ok(Cut::Partial { need: 7 }));
        }
        let packet = RawPacket { first: 0x30, body: b"\0\x01ab1" };
        assert_eq!(cut(bytes, 64), Ok(Cut::Packet { packet, used: 7 }));
        let ping = RawPacket { first: 0xc0, body: b"" };
        assert_eq!(cut(&bytes[7..], 64), Ok(Cut::Packet { packet: ping, used: 2 }));
    }

    #[test]
    fn too_long_ones_are_refused_from_their_header() {
        let fault = MqttFault::TooLarge { len_bytes: 66, limit_bytes: 65 };
        assert_eq!(cut(b"\x30\x40", 65), Err(fault));
        assert_eq!(cut(b"\x30\x40", 66), Ok(Cut::Partial { need: 66 }));
        assert_eq!(cut(b"\x30\x80\x80", 66), Ok(Cut::Partial { need: 4 }));
        assert!(matches!(cut(b"\x30\x80\x80\x80\x80", 66), Err(MqttFault::Malformed { .. })));
        assert!(cut(b"\0", 66).is_err());
    }

    #[test]
    fn only_connect_comes_first() {
        let connect = b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04abcd";
        for end in 0..connect.len() {
            assert!(matches!(cut_connect(&connect[..end]), Ok(Cut::Partial { .. })), "{end} bytes");
        }
        assert!(matches!(cut_connect(connect), Ok(Cut::Packet { used: 18, .. })));
        for bad in [
            &b"\x30"[..],
            b"\x11",
            b"\x10\xff\xff\x03",
            b"\x10\x10\0\x05",
            b"\x10\x10\0\x04HTTP",
            b"\x10\x10\0\x06MQIsdx",
        ] {
            assert_eq!(cut_connect(bad), Err(MqttFault::NotConnect), "{bad:?}");
        }
        assert!(cut_connect(b"\x10\x10\0\x06MQIs").is_ok());
    }
}

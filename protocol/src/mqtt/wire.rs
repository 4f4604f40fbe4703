//! Fields of packets.

use nom::multi::length_data;
use nom::number::complete::{be_u16, u8 as any_byte};
use nom::{Err, IResult, Parser as _};

use super::MqttFault;

/// What parsers of this module return.
pub(super) type Parsed<'a, T> = IResult<&'a [u8], T, MqttFault>;

/// Largest number of a variable byte integer.
pub(super) const MAX_VARINT: u32 = 268_435_455;

pub(super) const fn malformed<T>(what: &'static str) -> Result<T, Err<MqttFault>> {
    Err(Err::Failure(MqttFault::Malformed { what }))
}

pub(super) const fn broken<T>(what: &'static str) -> Result<T, Err<MqttFault>> {
    Err(Err::Failure(MqttFault::Protocol { what }))
}

/// The fault of a parser that must read its whole input.
pub(super) fn whole<T>(parsed: Parsed<'_, T>) -> Result<T, MqttFault> {
    match parsed {
        Ok(([], value)) => Ok(value),
        Ok(_) => Err(MqttFault::Malformed { what: "a packet is longer than its fields" }),
        Err(Err::Error(fault) | Err::Failure(fault)) => Err(fault),
        Err(Err::Incomplete(_)) => Err(MqttFault::Malformed { what: "a field is longer than its packet" }),
    }
}

/// A number of 7 bits a byte, 1 to 4 bytes, as short as it can be.
pub(super) fn varint(input: &[u8]) -> Parsed<'_, u32> {
    let (mut number, mut left) = (0, input);
    for shift in [0, 7, 14, 21] {
        let (rest, byte) = any_byte.parse(left)?;
        left = rest;
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return if byte == 0 && shift > 0 {
                malformed("a length is written longer than it must be")
            } else {
                Ok((left, number))
            };
        }
    }
    malformed("a length has more than 4 bytes")
}

/// Bytes with their length in front.
pub(super) fn binary(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(be_u16).parse(input)
}

/// Is this a text that MQTT allows: UTF-8 without NUL?
pub(super) fn checked_text(bytes: &[u8]) -> Result<&str, MqttFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| MqttFault::Malformed { what: "a text is not UTF-8" })?;
    if bytes.contains(&0) {
        return Err(MqttFault::Malformed { what: "a text holds NUL" });
    }
    Ok(text)
}

/// A text with its length in front.
pub(super) fn text(input: &[u8]) -> Parsed<'_, &str> {
    let (left, bytes) = binary(input)?;
    checked_text(bytes).map(|text| (left, text)).map_err(Err::Failure)
}

/// The topic of a message: a text without wildcards. One look at each byte: it is read with every value.
pub(super) fn topic_name(input: &[u8]) -> Parsed<'_, &str> {
    let (left, bytes) = binary(input)?;
    if bytes.iter().any(|byte| matches!(byte, 0 | b'+' | b'#')) {
        checked_text(bytes).map_err(Err::Failure)?;
        return Err(Err::Failure(MqttFault::TopicName));
    }
    match std::str::from_utf8(bytes) {
        Ok(topic) => Ok((left, topic)),
        Err(_) => malformed("a text is not UTF-8"),
    }
}

/// A packet id; 0 is none.
pub(super) fn packet_id(input: &[u8]) -> Parsed<'_, u16> {
    let (left, id) = be_u16.parse(input)?;
    if id == 0 { broken("a packet id is 0") } else { Ok((left, id)) }
}

pub(super) fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    debug_assert!(number <= MAX_VARINT as usize, "{number} cannot be written");
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn put_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= usize::from(u16::MAX), "a field of {} bytes", bytes.len());
    out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_to_four_bytes() {
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (MAX_VARINT, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            assert_eq!(varint(bytes), Ok((&[][..], number)));
            let mut out = Vec::new();
            put_varint(&mut out, number as usize);
            assert_eq!(out, bytes);
        }
        for bad in [&[0x80, 0][..], &[0x80, 0x80, 0x80, 0x80], &[0x80, 0x80, 0x80, 0x80, 1], &[0x80]] {
            assert!(varint(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_are_utf8_without_nul() {
        assert_eq!(text(b"\0\x02h\xc3"), Err(Err::Failure(MqttFault::Malformed { what: "a text is not UTF-8" })));
        assert_eq!(text(b"\0\x02\xc3\xa4x"), Ok((&b"x"[..], "\u{e4}")));
        assert!(text(b"\0\x01\0").is_err() && text(b"\0\x03ab").is_err());
        // Surrogates and overlong forms are no UTF-8.
        assert!(text(b"\0\x03\xed\xa0\x80").is_err() && text(b"\0\x02\xc0\x80").is_err());
    }

    #[test]
    fn packet_ids_are_not_0() {
        assert_eq!(packet_id(b"\0\x01"), Ok((&[][..], 1)));
        assert_eq!(packet_id(b"\0\0"), Err(Err::Failure(MqttFault::Protocol { what: "a packet id is 0" })));
        assert!(packet_id(b"\0").is_err());
    }
}

//! Fields of packets.

use nom::multi::length_data;
use nom::number::complete::{be_u16, u8 as any_byte};
use nom::{Err, IResult, Parser as _};

use super::MqttFault;
use crate::model::is_barred_in_topics;

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

/// Is this a text that is taken: UTF-8 without barred code points?
pub(super) fn checked_text(bytes: &[u8]) -> Result<&str, MqttFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| MqttFault::Malformed { what: "a text is not UTF-8" })?;
    if text.contains(is_barred_in_topics) {
        return Err(MqttFault::Malformed {
            what: "a text holds NUL, another control character or what is no character",
        });
    }
    Ok(text)
}

/// A text with its length in front.
pub(super) fn text(input: &[u8]) -> Parsed<'_, &str> {
    let (left, bytes) = binary(input)?;
    checked_text(bytes).map(|text| (left, text)).map_err(Err::Failure)
}

/// Bytes of which nearly all topics consist: neither wildcards nor what needs a closer look.
const PLAIN: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], b' ');
    while byte <= b'~' {
        table[byte as usize] = byte != b'+' && byte != b'#';
        byte += 1;
    }
    table
};

/// The topic of a message: a text without wildcards. One look at each byte: it is read with every value.
pub(super) fn topic_name(input: &[u8]) -> Parsed<'_, &str> {
    let (left, bytes) = binary(input)?;
    if !bytes.iter().all(|byte| PLAIN[usize::from(*byte)]) {
        return unusual_topic(left, bytes).map_err(Err::Failure);
    }
    match std::str::from_utf8(bytes) {
        Ok(topic) => Ok((left, topic)),
        Err(_) => malformed("a text is not UTF-8"),
    }
}

/// A topic with other bytes than printable ASCII, or with wildcards.
#[cold]
fn unusual_topic<'a>(left: &'a [u8], bytes: &'a [u8]) -> Result<(&'a [u8], &'a str), MqttFault> {
    let topic = checked_text(bytes)?;
    if topic.contains(['+', '#']) { Err(MqttFault::TopicName) } else { Ok((left, topic)) }
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
    fn control_characters_and_no_characters_are_barred() {
        for barred in ['\0', '\u{1}', '\u{1f}', '\u{7f}', '\u{9f}', '\u{fdd0}', '\u{fffe}', '\u{ffff}', '\u{10ffff}'] {
            let name = format!("ds/{barred}");
            let field = [&(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
            assert!(text(&field).is_err(), "{barred:?}");
            assert!(matches!(topic_name(&field), Err(Err::Failure(MqttFault::Malformed { .. }))), "{barred:?}");
        }
        for taken in [' ', '~', '\u{a0}', '\u{e4}', '\u{feff}', '\u{fffd}', '\u{2a6d4}'] {
            let name = format!("ds/{taken}");
            let field = [&(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
            assert_eq!(topic_name(&field), Ok((&[][..], &*name)), "{taken:?}");
        }
        assert_eq!(topic_name(b"\0\x04ds/+"), Err(Err::Failure(MqttFault::TopicName)));
        assert_eq!(topic_name(b"\0\x05\xc3\xa4/#x"), Err(Err::Failure(MqttFault::TopicName)));
    }

    #[test]
    fn packet_ids_are_not_0() {
        assert_eq!(packet_id(b"\0\x01"), Ok((&[][..], 1)));
        assert_eq!(packet_id(b"\0\0"), Err(Err::Failure(MqttFault::Protocol { what: "a packet id is 0" })));
        assert!(packet_id(b"\0").is_err());
    }
}

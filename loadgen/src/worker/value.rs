//! Values that devices send: numbers, or a stamp by which an arrival is recognised.

use crate::limits::STAMP_BYTES;

/// The mark of a stamp.
const MARK: &[u8] = b"LG";

/// Digits of a plain value of this length, different ones for different `salt`.
pub(crate) fn digits(out: &mut Vec<u8>, len_bytes: u16, salt: u64) {
    let mut salt = salt;
    for _ in 0..len_bytes {
        salt = salt.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        out.push(b'1' + (salt >> 33) as u8 % 9);
    }
}

/// Intended and real send time, with dots up to the length that was asked for.
pub(crate) fn stamp(out: &mut Vec<u8>, len_bytes: u16, intended_ns: u64, sent_ns: u64) {
    let start = out.len();
    out.extend_from_slice(MARK);
    out.extend_from_slice(format!("{intended_ns:016x}{sent_ns:016x}").as_bytes());
    out.resize(start + usize::from(len_bytes.max(STAMP_BYTES)), b'.');
}

/// The intended time of a stamp.
pub(crate) fn intended(value: &[u8]) -> Option<u64> {
    let rest = value.strip_prefix(MARK)?;
    u64::from_str_radix(std::str::from_utf8(rest.get(..16)?).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_back_and_values_are_no_stamps() {
        let mut out = Vec::new();
        stamp(&mut out, 50, 123_456_789_012, 5);
        assert_eq!((out.len(), intended(&out)), (50, Some(123_456_789_012)));
        out.clear();
        digits(&mut out, 12, 7);
        assert!(out.len() == 12 && out.iter().all(u8::is_ascii_digit), "{out:?}");
        assert_eq!(intended(&out), None);
        assert_eq!(intended(b"LG12"), None);
    }
}

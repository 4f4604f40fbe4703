//! How a point says that a value is empty, and how that it was erased.
//!
//! A point without bytes is a value that was erased: so stores have it. A value that is empty is [`MARK`], and a value of
//! marks only is one mark longer. No other value is changed; none of UTF-8 has this byte.

use std::borrow::Cow;

const MARK: u8 = 0xc0;

/// The point of a value that was erased.
pub(crate) const ERASED: &[u8] = b"";

/// Is the value its own point at a glance? Nearly all are.
#[inline]
pub(crate) fn is_plain(value: &[u8]) -> bool {
    value.first().is_some_and(|first| *first != MARK)
}

/// A value as a point has it.
pub(crate) fn stored(value: &[u8]) -> Cow<'_, [u8]> {
    if value.iter().all(|byte| *byte == MARK) { Cow::Owned([value, &[MARK]].concat()) } else { Cow::Borrowed(value) }
}

/// The value of a point; `None`: it was erased.
pub(crate) fn value_of(point: &[u8]) -> Option<&[u8]> {
    let (first, rest) = point.split_first()?;
    Some(if *first == MARK && rest.iter().all(|byte| *byte == MARK) { rest } else { point })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_none_is_an_erased_one() {
        for value in [&b""[..], b"\xc0", b"\xc0\xc0", b"\xc0a", b"a\xc0", b"0", b"\0", b"on\0off"] {
            assert!(!stored(value).is_empty(), "{value:?}");
            assert_eq!(value_of(&stored(value)), Some(value));
            assert!(!is_plain(value) || *stored(value) == *value);
        }
        assert_eq!((&*stored(b"7"), &*stored(b"\xc0a")), (&b"7"[..], &b"\xc0a"[..]), "what is stored of nearly all");
        assert_eq!(value_of(ERASED), None);
    }
}

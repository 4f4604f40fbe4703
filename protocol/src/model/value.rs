//! Values of pins, as the wire has them.

use std::fmt;

/// A value: raw bytes, usually text; several values are joined by NULs. At most `limits::MAX_VALUE_BYTES` when it came
/// through a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueRef<'a>(pub &'a [u8]);

impl<'a> ValueRef<'a> {
    /// All bytes, separators included.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The values between the NULs; one empty part for an empty value.
    pub fn parts(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.0.split(|byte| *byte == 0)
    }

    /// As text, if it is UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// As a number: one part, decimal, finite. `None` for anything else.
    #[must_use]
    pub fn as_number(self) -> Option<f64> {
        if let Some(number) = short_decimal(self.0) {
            return Some(number);
        }
        let text = self.as_str()?;
        // `f64::from_str` also takes "inf", "NaN" and the like, which no sketch means as a number.
        let is_decimal = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        text.parse().ok().filter(|number: &f64| is_decimal && number.is_finite())
    }

    /// As a whole number: `7`, `-3`, also `7.000` as the C++ library writes floats. `None` for anything else.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        if let Ok(number) = self.as_str()?.parse() {
            return Some(number);
        }
        // Beyond 2^53 a float does not tell whole numbers apart any more.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let number = self.as_number()?;
        (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
    }
}

/// What devices mostly send, such as `7`, `-3` and `21.50`: at most 15 digits with at most one point between them. Both the
/// digits and the power of ten are exact as `f64` then, so their quotient is the nearest number, as the parser's is.
#[inline]
fn short_decimal(bytes: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (is_negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty()
        || digits.len() > 16
        || !digits[0].is_ascii_digit()
        || !digits[digits.len() - 1].is_ascii_digit()
    {
        return None;
    }
    let (mut number, mut behind, mut has_point) = (0_u64, 0, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                behind += usize::from(has_point);
            }
            b'.' if !has_point => has_point = true,
            _ => return None,
        }
    }
    if digits.len() - usize::from(has_point) > 15 {
        return None;
    }
    let number = number as f64 / POWERS[behind];
    Some(if is_negative { -number } else { number })
}

impl<'a> From<&'a [u8]> for ValueRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// A number in a message: compared by its bits, so that what carries it can be `Eq`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number(u64);

impl Number {
    /// Wrap.
    #[must_use]
    pub const fn new(number: f64) -> Self {
        Self(number.to_bits())
    }

    /// Unwrap.
    #[must_use]
    pub const fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_decimals_are_what_the_parser_makes_of_them() {
        let texts = ["7", "-3", "21.50", "0", "-0", "0.1", "999999999999999", "-12345.6789012345", "0.00000000000001"];
        for text in texts {
            let parsed: f64 = text.parse().expect(text);
            assert_eq!(short_decimal(text.as_bytes()).map(f64::to_bits), Some(parsed.to_bits()), "{text}");
        }
        for n in 0..20_000_u64 {
            let (whole, behind) = (n * 7_919 % 100_003, n * 104_729 % 1_000_000);
            let text = format!("{whole}.{behind:06}");
            let parsed: f64 = text.parse().expect("a number");
            assert_eq!(short_decimal(text.as_bytes()).map(f64::to_bits), Some(parsed.to_bits()), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1.2.3", "+1", "1e3", "1234567890123456", "--1", "1 ", "1-"] {
            assert_eq!(short_decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn several_values_are_joined_by_nul() {
        let parts = |bytes| ValueRef(bytes).parts().collect::<Vec<_>>();
        assert_eq!(parts(b"hi\x001\x002.500"), [&b"hi"[..], b"1", b"2.500"]);
        assert_eq!(parts(b""), [b""]);
        assert_eq!(parts(b"\0\x01\xff"), [&b""[..], b"\x01\xff"]);
    }

    #[test]
    fn numbers_are_single_decimal_and_finite() {
        let number = |bytes| ValueRef(bytes).as_number();
        assert_eq!(number(b"2.500"), Some(2.5));
        assert_eq!(number(b"-1e3"), Some(-1000.0));
        for bad in [&b""[..], b"inf", b"NaN", b"1\x002", b"0x10", b" 1", b"1e999", b"\xff", b"1,5"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn whole_numbers_may_come_as_floats() {
        let integer = |bytes| ValueRef(bytes).as_integer();
        assert_eq!(integer(b"-7"), Some(-7));
        assert_eq!(integer(b"7.000"), Some(7));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"7.5"), None);
        assert_eq!(integer(b"1e300"), None);
        assert_eq!(integer(b""), None);
    }

    #[test]
    fn debug_escapes_bytes() {
        assert_eq!(format!("{:?}", ValueRef(b"a\0\xff")), r#""a\x00\xff""#);
    }
}

//! A pin's value on a live socket.

use std::fmt::Write as _;

use crate::model::{Number, ValueRef};

/// A value: what a page needs not parse is sent as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveValue {
    /// The pin is there and has no value.
    Nothing,
    /// A number whose shortest text is exactly the value's text, and [`LiveValue::is_plain`].
    Number(Number),
    /// Any value, as the wire has it. Usually text; several values are joined by NULs.
    Bytes(Vec<u8>),
}

/// A number's text, without allocation: longer texts are no numbers here. 15 digits, a sign and a point: as many digits
/// as every reader of JSON takes exactly.
struct Short {
    bytes: [u8; 17],
    len_bytes: usize,
}

impl Short {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len_bytes]
    }
}

impl std::fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len_bytes + text.len();
        self.bytes.get_mut(self.len_bytes..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len_bytes = end;
        Ok(())
    }
}

/// Numbers that Rust and browsers write alike: beyond, one of them uses an exponent.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e15;
const DIGITS: usize = 15;

/// The shortest text of a number that both encodings carry exactly.
fn plain_text(number: f64) -> Option<Short> {
    let fits = number.to_bits() == 0 || (SMALLEST..LARGEST).contains(&number.abs());
    let mut text = Short { bytes: [0; 17], len_bytes: 0 };
    let is_short = fits && write!(text, "{number}").is_ok();
    let digits = text.as_bytes().iter().filter(|byte| byte.is_ascii_digit()).count();
    (is_short && digits <= DIGITS).then_some(text)
}

impl LiveValue {
    /// Do both encodings carry this number exactly, and do Rust and browsers write it alike? At most 15 digits, 0 or from
    /// 0.000001 to 10^15.
    #[must_use]
    pub fn is_plain(number: f64) -> bool {
        plain_text(number).is_some()
    }

    /// The number that this value says, if it says it in the shortest way: `21.5`, not `21.50`, whose text must not change.
    #[must_use]
    pub fn number_of(value: ValueRef<'_>) -> Option<Number> {
        let number = value.as_number()?;
        plain_text(number).filter(|text| text.as_bytes() == value.as_bytes()).map(|_| Number::new(number))
    }

    /// This value in its smallest form.
    #[must_use]
    pub fn of(value: ValueRef<'_>) -> Self {
        Self::number_of(value).map_or_else(|| Self::Bytes(value.as_bytes().to_vec()), Self::Number)
    }

    /// The value's text, as a device gets it. `None` for a pin without a value.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Nothing => None,
            Self::Number(number) => Some(number.to_string().into_bytes()),
            Self::Bytes(bytes) => Some(bytes.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_values_whose_text_they_repeat() {
        for text in ["0", "1", "-7", "21.5", "0.000001", "123456789012345"] {
            let value = LiveValue::of(ValueRef(text.as_bytes()));
            assert!(matches!(value, LiveValue::Number(_)), "{text}");
            assert_eq!(value.to_bytes().expect("a value"), text.as_bytes());
        }
        for text in [
            "21.50",
            "007",
            "1e3",
            "-0",
            "+1",
            "",
            "open",
            "1\x002",
            "0.0000001",
            "1234567890123456",
            " 1",
            "0.30000000000000004",
        ] {
            let value = LiveValue::of(ValueRef(text.as_bytes()));
            assert_eq!(value, LiveValue::Bytes(text.as_bytes().to_vec()), "{text}");
        }
    }
}

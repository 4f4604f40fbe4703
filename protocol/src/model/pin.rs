//! Pins: the addresses of a device's values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The three name spaces of pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum PinKind {
    /// A value that the sketch gives meaning to (`v`).
    Virtual = 0,
    /// A digital pin of the board (`d`).
    Digital = 1,
    /// An analog pin of the board (`a`).
    Analog = 2,
}

impl PinKind {
    /// The kind that `v`, `d` or `a` stands for.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'v' => Some(Self::Virtual),
            b'd' => Some(Self::Digital),
            b'a' => Some(Self::Analog),
            _ => None,
        }
    }

    /// `v`, `d` or `a`.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Virtual => b'v',
            Self::Digital => b'd',
            Self::Analog => b'a',
        }
    }
}

/// One pin of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pin {
    /// The name space.
    pub kind: PinKind,
    /// The number within it.
    pub index: u8,
}

impl Pin {
    /// The virtual pin with this number.
    #[must_use]
    pub const fn new_virtual(index: u8) -> Self {
        Self { kind: PinKind::Virtual, index }
    }

    /// Take a pin from the wire: the letter of its kind (`v`, `d`, `a`) and its number in decimal, 0 to 255, which may
    /// carry the letter in front (`V7`, `A0`). `None` for anything else.
    #[must_use]
    #[inline]
    pub fn parse(kind_letter: u8, text: &[u8]) -> Option<Self> {
        let kind = PinKind::from_letter(kind_letter)?;
        let digits = match text {
            [first, rest @ ..] if first.eq_ignore_ascii_case(&kind_letter) => rest,
            all => all,
        };
        Some(Self { kind, index: decimal_u8(digits)? })
    }

    /// Packed: kind in the high byte, index in the low byte. Keeps the order.
    #[must_use]
    pub const fn to_u16(self) -> u16 {
        (self.kind as u16) << 8 | self.index as u16
    }

    /// The pin that [`Pin::to_u16`] packed; `None` for a kind that does not exist.
    #[must_use]
    pub const fn from_u16(packed: u16) -> Option<Self> {
        let kind = match packed >> 8 {
            0 => PinKind::Virtual,
            1 => PinKind::Digital,
            2 => PinKind::Analog,
            _ => return None,
        };
        Some(Self { kind, index: packed as u8 })
    }
}

/// 1 to 3 decimal digits, 0 to 255.
pub(crate) fn decimal_u8(digits: &[u8]) -> Option<u8> {
    if !(1..=3).contains(&digits.len()) {
        return None;
    }
    let mut number = 0_u16;
    for digit in digits {
        number = number * 10 + u16::from(digit.checked_sub(b'0').filter(|digit| *digit <= 9)?);
    }
    u8::try_from(number).ok()
}

impl fmt::Display for Pin {
    /// `V7`, `D3`, `A0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", char::from(self.kind.letter().to_ascii_uppercase()), self.index)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_numbers_and_arduino_names() {
        let pin = |kind, index| Some(Pin { kind, index });
        assert_eq!(Pin::parse(b'v', b"0"), pin(PinKind::Virtual, 0));
        assert_eq!(Pin::parse(b'v', b"255"), pin(PinKind::Virtual, 255));
        assert_eq!(Pin::parse(b'v', b"V7"), pin(PinKind::Virtual, 7));
        assert_eq!(Pin::parse(b'a', b"A0"), pin(PinKind::Analog, 0));
        assert_eq!(Pin::parse(b'd', b"d13"), pin(PinKind::Digital, 13));
        for bad in ["", "256", "-1", "1.0", "0001", "A", "A0", " 1", "x"] {
            assert_eq!(Pin::parse(b'v', bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(Pin::parse(b'x', b"1"), None);
    }

    #[test]
    fn packs_into_16_bits_and_keeps_the_order() {
        let mut previous = None;
        for packed in 0..0x300 {
            let pin = Pin::from_u16(packed).expect("three kinds");
            assert_eq!(pin.to_u16(), packed);
            assert_eq!(Pin::parse(pin.kind.letter(), pin.to_string().as_bytes()), Some(pin));
            assert!(previous < Some(pin));
            previous = Some(pin);
        }
        assert_eq!(Pin::from_u16(0x300), None);
        assert_eq!(Pin::from_u16(u16::MAX), None);
    }
}

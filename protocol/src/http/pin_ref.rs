//! How a request names a pin or a metadata field: by itself, or by an id that only the device's template knows.

use serde::{Deserialize, Serialize};

use crate::model::Pin;

/// A pin as a request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinRef {
    /// By itself.
    Pin(Pin),
    /// By the id of its datastream: the template of the device says which pin that is.
    Stream(u32),
}

impl From<Pin> for PinRef {
    fn from(pin: Pin) -> Self {
        Self::Pin(pin)
    }
}

impl std::fmt::Display for PinRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pin(pin) => pin.fmt(f),
            Self::Stream(id) => write!(f, "dataStreamId={id}"),
        }
    }
}

/// A metadata field as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldRef {
    /// By its name.
    Name(Box<str>),
    /// By its id in the device's template.
    Id(u32),
}

/// `v1`, `V1`, `d8`, `a0`.
pub(super) fn pin_of(text: &[u8]) -> Option<Pin> {
    let (letter, digits) = text.split_first()?;
    digits.first().filter(|digit| digit.is_ascii_digit())?;
    Pin::parse(letter.to_ascii_lowercase(), digits)
}

/// An id: digits only, at most 4,294,967,295.
pub(super) fn id_of(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
}

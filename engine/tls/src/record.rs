//! Record headers.

use crate::limits::{MAX_PLAINTEXT_BYTES, RECORD_HEADER_BYTES};

/// What a record carries (RFC 8446, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// 20.
    ChangeCipherSpec,
    /// 21.
    Alert,
    /// 22.
    Handshake,
    /// 23.
    ApplicationData,
}

impl ContentType {
    /// By its number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            _ => None,
        }
    }
}

impl ContentType {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
        }
    }
}

/// The header of a plaintext record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// What it carries.
    pub content: ContentType,
    /// Minor legacy version: 1 (TLS 1.0, first ClientHello) to 3.
    pub minor: u8,
    /// Length of the fragment, bytes: 1 to [`MAX_PLAINTEXT_BYTES`].
    pub len_bytes: usize,
}

/// Bytes that are no plaintext TLS record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// No record type has this number.
    ContentType(u8),
    /// The major version is not 3, so it is no TLS.
    Version(u8),
    /// Empty, or longer than a record may be.
    Length(usize),
}

impl std::fmt::Display for RecordFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ContentType(number) => write!(f, "{number} is no TLS record type (20 to 23)"),
            Self::Version(major) => write!(f, "major version {major} is not TLS (3)"),
            Self::Length(len) => write!(f, "a plaintext record of {len} bytes, allowed are 1 to {MAX_PLAINTEXT_BYTES}"),
        }
    }
}

/// Parse a record header, as early as the bytes allow: `Ok(None)` = all good so far, more bytes are needed.
///
/// # Errors
/// The bytes are no plaintext TLS record.
pub fn header(bytes: &[u8]) -> Result<Option<RecordHead>, RecordFault> {
    let Some(&number) = bytes.first() else { return Ok(None) };
    let content = ContentType::from_number(number).ok_or(RecordFault::ContentType(number))?;
    if let Some(&major) = bytes.get(1)
        && major != 3
    {
        return Err(RecordFault::Version(major));
    }
    let Some(&[_, _, minor, high, low]) = bytes.first_chunk::<RECORD_HEADER_BYTES>() else { return Ok(None) };
    let len_bytes = usize::from(u16::from_be_bytes([high, low]));
    if len_bytes == 0 || len_bytes > MAX_PLAINTEXT_BYTES {
        return Err(RecordFault::Length(len_bytes));
    }
    Ok(Some(RecordHead { content, minor, len_bytes }))
}

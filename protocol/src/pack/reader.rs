//! Reading what another process wrote.

use std::fmt;

use crate::model::{Pin, PinKind};

/// State that cannot be read: of a newer version, or damaged. Names what and why, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    layer: &'static str,
    why: &'static str,
}

impl Unreadable {
    /// `layer` cannot be read because of `why`, such as "its version".
    #[must_use]
    pub const fn new(layer: &'static str, why: &'static str) -> Self {
        Self { layer, why }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state of {} cannot be read: {} is not known here", self.layer, self.why)
    }
}

impl std::error::Error for Unreadable {}

/// Bytes that are read from their front.
#[derive(Clone, Debug)]
pub struct PackReader<'a> {
    rest: &'a [u8],
}

const SHORT: Unreadable = Unreadable::new("a section", "its length");

impl<'a> PackReader<'a> {
    /// From the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*head)
    }

    /// So many bytes as they are.
    ///
    /// # Errors
    /// There are fewer.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], Unreadable> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    /// A byte.
    ///
    /// # Errors
    /// There is none; so with all numbers.
    pub fn u8(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// See [`PackReader::u8`].
    pub fn u16(&mut self) -> Result<u16, Unreadable> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// See [`PackReader::u8`].
    pub fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// See [`PackReader::u8`].
    pub fn u64(&mut self) -> Result<u64, Unreadable> {
        self.array().map(u64::from_be_bytes)
    }

    /// A byte that is 0 or 1.
    ///
    /// # Errors
    /// See [`PackReader::u8`]; another value.
    pub fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable::new("a flag", "its value")),
        }
    }

    /// Bytes behind their length, at most `most` of them.
    ///
    /// # Errors
    /// There are fewer or more.
    pub fn bytes(&mut self, most: usize) -> Result<&'a [u8], Unreadable> {
        let len = self.u32()? as usize;
        if len > most {
            return Err(SHORT);
        }
        self.raw(len)
    }

    /// Text behind its length, at most `most` bytes.
    ///
    /// # Errors
    /// See [`PackReader::bytes`]; it is no UTF-8.
    pub fn text(&mut self, most: usize) -> Result<&'a str, Unreadable> {
        std::str::from_utf8(self.bytes(most)?).map_err(|_| Unreadable::new("a text", "its encoding"))
    }

    /// A pin.
    ///
    /// # Errors
    /// See [`PackReader::u8`]; there is no such kind.
    pub fn pin(&mut self) -> Result<Pin, Unreadable> {
        let kind = PinKind::from_letter(self.u8()?).ok_or(Unreadable::new("a pin", "its kind"))?;
        Ok(Pin { kind, index: self.u8()? })
    }

    /// A section: its kind, version and bytes. `layer` is expected in it.
    ///
    /// # Errors
    /// It is cut off.
    pub fn section(&mut self, layer: &'static str) -> Result<(u8, u8, Self), Unreadable> {
        let cut = |_| Unreadable::new(layer, "its length");
        let (kind, version, len) = (self.u8().map_err(cut)?, self.u8().map_err(cut)?, self.u32().map_err(cut)?);
        Ok((kind, version, Self::new(self.raw(len as usize).map_err(cut)?)))
    }

    /// All that is left.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// Is nothing left?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub const fn end(&self, layer: &'static str) -> Result<(), Unreadable> {
        if self.rest.is_empty() { Ok(()) } else { Err(Unreadable::new(layer, "its end")) }
    }
}

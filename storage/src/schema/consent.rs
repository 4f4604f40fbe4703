//! What a person has agreed to, and when they took it back. Nothing is overwritten.

use super::{Family, Record, key_of, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_of!(
    /// The key of a line: a person, what it is about, when.
    ConsentKey {
        /// The home of the person.
        org: org,
        /// The person.
        user: u32,
        /// What it is about: control numbers the purposes.
        purpose: u16,
        /// When, ms since 1970.
        at_ms: u64,
    }
);

/// One decision of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The version of the text that they saw.
    pub version: u32,
    /// Given, or taken back?
    pub given: bool,
    /// Where they said so, such as `console`.
    pub source: Box<str>,
}

impl Record for Consent {
    type Key = ConsentKey;
    const FAMILY: Family = Family::Consent;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.version);
        out.put_u8(u8::from(self.given));
        out.put_bytes(self.source.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let consent = Self { version: fields.u32()?, given: take::flag(&mut fields)?, source: fields.text()?.into() };
        fields.end()?;
        Ok(consent)
    }
}

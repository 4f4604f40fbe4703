//! Counters of the store: ids that are never given out twice.

use super::{Family, KeyBytes, Record, RecordKey};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum CounterName {
    /// The next organization's number.
    Org = 1,
    /// The next device's number.
    Device = 2,
    /// The next template's number.
    Template = 3,
    /// The next user's number.
    User = 4,
}

/// The next number that may be given out. Written in the batch that uses the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub u64);

impl RecordKey for CounterName {
    fn bytes(&self) -> KeyBytes {
        KeyBytes::EMPTY.u16(*self as u16)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        match bytes {
            [0, 1] => Ok(Self::Org),
            [0, 2] => Ok(Self::Device),
            [0, 3] => Ok(Self::Template),
            [0, 4] => Ok(Self::User),
            _ => Err(Shape),
        }
    }
}

impl Record for Counter {
    type Key = CounterName;
    const FAMILY: Family = Family::Meta;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.0);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let counter = Self(fields.u64()?);
        fields.end()?;
        Ok(counter)
    }
}

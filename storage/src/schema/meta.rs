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
    /// The next client's number.
    Client = 5,
    /// The next number of a link that is good once.
    Invite = 6,
    /// The next number of a pair of static tokens.
    Static = 7,
    /// The next mail's number.
    Mail = 8,
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
            [0, 5] => Ok(Self::Client),
            [0, 6] => Ok(Self::Invite),
            [0, 7] => Ok(Self::Static),
            [0, 8] => Ok(Self::Mail),
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

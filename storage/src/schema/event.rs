//! Events that devices log, and the diary of their connections.

use linchpin_protocol::model::DeviceId;

use super::{Family, KeyBytes, OrgId, Record, RecordKey, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// A device's own entries by time.
macro_rules! timed_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            /// Its organization.
            pub org: OrgId,
            /// The device.
            pub device: DeviceId,
            /// When, ms since 1970.
            pub at_ms: u64,
            /// Distinguishes entries of one millisecond.
            pub number: u32,
        }

        impl RecordKey for $name {
            fn bytes(&self) -> KeyBytes {
                KeyBytes::device(self.org, self.device).u64(self.at_ms).u32(self.number)
            }

            fn parse(bytes: &[u8]) -> Result<Self, Shape> {
                let mut fields = Fields(bytes);
                let (org, device) = (take::org(&mut fields)?, take::device(&mut fields)?);
                let key = Self { org, device, at_ms: fields.u64()?, number: fields.u32()? };
                fields.end()?;
                Ok(key)
            }
        }
    };
}

timed_key!(
    /// The key of an event.
    EventKey
);
timed_key!(
    /// The key of a line of the diary.
    DiaryKey
);

/// What a device reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The code that its template knows.
    pub code: Box<str>,
    /// For people; may be empty.
    pub description: Box<str>,
}

impl Record for Event {
    type Key = EventKey;
    const FAMILY: Family = Family::Event;
    const VERSION: u8 = 1;

    fn at_ms(&self, key: &EventKey) -> Option<u64> {
        Some(key.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.code.as_bytes());
        out.put_bytes(self.description.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let event = Self { code: fields.text()?.into(), description: fields.text()?.into() };
        fields.end()?;
        Ok(event)
    }
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DiaryKind {
    /// The device logged in.
    Online = 1,
    /// Its connection ended.
    Offline = 2,
}

/// A line of the diary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiaryRecord {
    /// What.
    pub kind: DiaryKind,
    /// The code of the end (docs/errors.md); empty for a login.
    pub reason: Box<str>,
}

impl Record for DiaryRecord {
    type Key = DiaryKey;
    const FAMILY: Family = Family::Diary;
    const VERSION: u8 = 1;

    fn at_ms(&self, key: &DiaryKey) -> Option<u64> {
        Some(key.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.kind as u8);
        out.put_bytes(self.reason.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let kind = match fields.u8()? {
            1 => DiaryKind::Online,
            2 => DiaryKind::Offline,
            _ => return Err(Shape),
        };
        let line = Self { kind, reason: fields.text()?.into() };
        fields.end()?;
        Ok(line)
    }
}

//! Events that devices log, and the diary of their connections.

use linchpin_protocol::model::DeviceId;

use super::sheet::{put_person, take_person};
use super::{Before, Family, KeyBytes, Older, OrgId, Record, RecordKey, take};
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
    /// Its end.
    pub resolved: Option<Resolution>,
}

impl Event {
    /// Nobody has resolved it.
    #[must_use]
    pub const fn new(code: Box<str>, description: Box<str>) -> Self {
        Self { code, description, resolved: None }
    }
}

/// Somebody has seen to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// When, ms since 1970.
    pub at_ms: u64,
    /// By whom: home and number; `None`: by the device itself, or the operator.
    pub by: Option<(OrgId, u32)>,
    /// For people; may be empty.
    pub note: Box<str>,
}

fn put_event(event: &Event, out: &mut Vec<u8>) {
    out.put_bytes(event.code.as_bytes());
    out.put_bytes(event.description.as_bytes());
}

fn take_event(fields: &mut Fields<'_>) -> Result<Event, Shape> {
    Ok(Event::new(fields.text()?.into(), fields.text()?.into()))
}

impl Record for Event {
    type Key = EventKey;
    const FAMILY: Family = Family::Event;
    const VERSION: u8 = 2;
    /// Version 1 was deleted when it was resolved.
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let event = take_event(&mut fields)?;
        fields.end()?;
        Ok(event)
    })];
    const BEFORE: Option<(Family, Before<Self>)> = Some((
        Family::Outbox,
        (1, |event, out| {
            put_event(event, out);
            event.resolved.is_none()
        }),
    ));

    fn at_ms(&self, key: &EventKey) -> Option<u64> {
        Some(key.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_event(self, out);
        out.put_u8(u8::from(self.resolved.is_some()));
        if let Some(Resolution { at_ms, by, note }) = &self.resolved {
            out.put_u64(*at_ms);
            put_person(*by, out);
            out.put_bytes(note.as_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let mut event = take_event(&mut fields)?;
        if take::flag(&mut fields)? {
            let (at_ms, by) = (fields.u64()?, take_person(&mut fields)?);
            event.resolved = Some(Resolution { at_ms, by, note: fields.text()?.into() });
        }
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

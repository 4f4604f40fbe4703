//! Bytes to messages. Nothing is allocated for a list before its rows are there.

use crate::limits::{
    LIVE_BUILD_BYTES, LIVE_DEVICES, LIVE_EVERY_PINS, LIVE_QUERY_BYTES, LIVE_TIME_MS, LIVE_WATCH_PINS, MAX_VALUE_BYTES,
};
use crate::live::message::{
    FrameDirection, LiveAsk, LiveFault, LiveLevel, LiveOutcome, LivePresence, LiveReport, LiveSelection, PresenceRow,
    Subjects, ValueRow, WatchedPins,
};
use crate::live::value::LiveValue;
use crate::model::Number;
use crate::model::Pin;

type Read<T> = Result<T, LiveFault>;

/// Longest text or list of what the server itself has written: what 16 bits can say.
const ANY: usize = u16::MAX as usize;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or(LiveFault::Cut)?;
        self.0 = rest;
        Ok(*head)
    }
    fn u8(&mut self) -> Read<u8> {
        self.take().map(u8::from_le_bytes)
    }
    fn u16(&mut self) -> Read<u16> {
        self.take().map(u16::from_le_bytes)
    }
    fn u32(&mut self) -> Read<u32> {
        self.take().map(u32::from_le_bytes)
    }
    /// A time or a number that browsers count exactly.
    fn u53(&mut self, field: &'static str) -> Read<u64> {
        let value = self.take().map(u64::from_le_bytes)?;
        if value > LIVE_TIME_MS { Err(LiveFault::Limit { field, value, limit: LIVE_TIME_MS }) } else { Ok(value) }
    }
    fn count(&mut self, field: &'static str, limit: usize) -> Read<usize> {
        let count = usize::from(self.u16()?);
        if count > limit {
            return Err(LiveFault::Limit { field, value: count as u64, limit: limit as u64 });
        }
        Ok(count)
    }
    fn raw(&mut self, field: &'static str, limit: usize) -> Read<&'a [u8]> {
        let count = self.count(field, limit)?;
        let (head, rest) = self.0.split_at_checked(count).ok_or(LiveFault::Cut)?;
        self.0 = rest;
        Ok(head)
    }
    fn text(&mut self, field: &'static str, limit: usize) -> Read<String> {
        let bytes = self.raw(field, limit)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| LiveFault::Text { field })
    }
    fn flag(&mut self, field: &'static str) -> Read<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(LiveFault::Meaning { field, value: other.into() }),
        }
    }
    fn pin(&mut self) -> Read<Pin> {
        let packed = self.u16()?;
        Pin::from_u16(packed).ok_or(LiveFault::Meaning { field: "pin", value: packed.into() })
    }
    fn word<T: Copy>(&mut self, field: &'static str, all: &[T]) -> Read<T> {
        let byte = self.u8()?;
        all.get(usize::from(byte)).copied().ok_or(LiveFault::Meaning { field, value: byte.into() })
    }
    fn value(&mut self, limit: usize) -> Read<LiveValue> {
        match self.u8()? {
            0 => Ok(LiveValue::Nothing),
            1 => {
                let number = self.take().map(f64::from_le_bytes)?;
                if !LiveValue::is_plain(number) {
                    return Err(LiveFault::Meaning { field: "value", value: number.to_bits() });
                }
                Ok(LiveValue::Number(Number::new(number)))
            }
            2 => Ok(LiveValue::Bytes(self.raw("value", limit)?.to_vec())),
            other => Err(LiveFault::Meaning { field: "value", value: other.into() }),
        }
    }
    fn list<T>(
        &mut self,
        field: &'static str,
        limit: usize,
        mut row: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let count = self.count(field, limit)?;
        (0..count).map(|_| row(self)).collect()
    }
    fn selection(&mut self) -> Read<LiveSelection> {
        match self.u8()? {
            0 => Ok(LiveSelection::Devices(self.list("devices", LIVE_DEVICES, Self::u32)?)),
            1 => Ok(LiveSelection::Query {
                org: self.u32()?,
                below: self.flag("below")?,
                text: self.text("text", LIVE_QUERY_BYTES)?,
                sort: self.text("sort", LIVE_QUERY_BYTES)?,
                first: self.u32()?,
                count: self.count("count", LIVE_DEVICES)? as u16,
            }),
            2 => Ok(LiveSelection::Subtree { org: self.u32()?, below: self.flag("below")? }),
            other => Err(LiveFault::Meaning { field: "select", value: other.into() }),
        }
    }
    fn end<T>(self, message: T) -> Read<T> {
        if self.0.is_empty() { Ok(message) } else { Err(LiveFault::Trailing { count: self.0.len() }) }
    }
}

/// Take what a page asks.
///
/// # Errors
/// [`LiveFault`] for anything that is not exactly one ask within its limits.
pub fn decode_ask(bytes: &[u8]) -> Read<LiveAsk> {
    let mut r = Reader(bytes);
    let ask = match r.u8()? {
        0x01 => LiveAsk::Hello { build: r.text("build", LIVE_BUILD_BYTES)? },
        0x02 => LiveAsk::Watch {
            set: r.u16()?,
            what: {
                let bits = r.u8()?;
                Subjects::from_bits(bits).ok_or(LiveFault::Meaning { field: "what", value: bits.into() })?
            },
            select: r.selection()?,
            pins: if r.flag("pins")? {
                WatchedPins::All
            } else {
                WatchedPins::Some(r.list("pins", LIVE_WATCH_PINS, Reader::pin)?)
            },
            every: r.list("every", LIVE_EVERY_PINS, Reader::pin)?,
        },
        0x03 => LiveAsk::Unwatch { set: r.u16()? },
        0x04 => LiveAsk::Write { request: r.u32()?, device: r.u32()?, pin: r.pin()?, value: r.value(MAX_VALUE_BYTES)? },
        kind => return Err(LiveFault::Kind(kind)),
    };
    r.end(ask)
}

/// Take what the server reports: for tests and programs that watch.
///
/// # Errors
/// [`LiveFault`] for anything that is not exactly one report.
pub fn decode_report(bytes: &[u8]) -> Read<LiveReport> {
    let mut r = Reader(bytes);
    let report = match r.u8()? {
        0x81 => LiveReport::Hello { server_ms: r.u53("server_ms")?, build: r.text("build", ANY)?, rights: r.u32()? },
        0x82 => LiveReport::Tick { server_ms: r.u53("server_ms")? },
        0x83 => LiveReport::Snapshot { set: r.u16()?, total: r.u32()?, devices: r.list("devices", ANY, Reader::u32)? },
        0x84 => LiveReport::Values { rows: r.list("rows", ANY, value_row)? },
        0x85 => LiveReport::Presence { rows: r.list("rows", ANY, presence_row)? },
        0x86 => LiveReport::Event {
            device: r.u32()?,
            event: r.u53("event")?,
            at_ms: r.u53("at_ms")?,
            level: r.word("level", LiveLevel::ALL)?,
            code: r.text("code", ANY)?,
            text: r.text("text", ANY)?,
        },
        0x87 => LiveReport::Wrote { request: r.u32()?, outcome: r.word("outcome", LiveOutcome::ALL)?, code: r.u16()? },
        0x88 => {
            LiveReport::Property { device: r.u32()?, pin: r.pin()?, name: r.text("name", ANY)?, value: r.value(ANY)? }
        }
        0x89 => LiveReport::Attempt {
            at_ms: r.u53("at_ms")?,
            address: r.text("address", ANY)?,
            code: r.u16()?,
            count: r.u32()?,
        },
        0x8a => LiveReport::Frame {
            device: r.u32()?,
            at_ms: r.u53("at_ms")?,
            direction: r.word("direction", FrameDirection::ALL)?,
            command: r.u8()?,
            message: r.u16()?,
            body: r.raw("body", ANY)?.to_vec(),
        },
        0x8b => LiveReport::Skipped { set: r.u16()?, count: r.u32()? },
        0x8c => LiveReport::Changed { set: r.u16()? },
        0x8d => LiveReport::Refused { set: r.u16()?, code: r.u16()? },
        0x8e => LiveReport::Revoked { code: r.u16()? },
        0x8f => LiveReport::Bye { code: r.u16()?, retry_ms: r.u32()? },
        kind => return Err(LiveFault::Kind(kind)),
    };
    r.end(report)
}

fn value_row(r: &mut Reader<'_>) -> Read<ValueRow> {
    Ok(ValueRow { device: r.u32()?, pin: r.pin()?, at_ms: r.u53("at_ms")?, value: r.value(ANY)? })
}

fn presence_row(r: &mut Reader<'_>) -> Read<PresenceRow> {
    Ok(PresenceRow {
        device: r.u32()?,
        state: r.word("state", LivePresence::ALL)?,
        since_ms: r.u53("since_ms")?,
        code: r.u16()?,
    })
}

//! Messages to bytes, appended to the caller's buffer.

use crate::live::message::{LiveAsk, LiveReport, LiveSelection, WatchedPins};
use crate::live::value::LiveValue;
use crate::model::Pin;
use crate::model::ValueRef;

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }
    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    /// With its length, cut to what 16 bits can say: what the server writes is shorter (`limits`).
    fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let bytes = &bytes[..bytes.len().min(usize::from(u16::MAX))];
        self.u16(bytes.len() as u16).0.extend_from_slice(bytes);
        self
    }
    fn pin(&mut self, pin: Pin) -> &mut Self {
        self.u16(pin.to_u16())
    }
    fn value(&mut self, value: &LiveValue) -> &mut Self {
        match value {
            LiveValue::Nothing => self.u8(0),
            LiveValue::Number(number) => self.u8(1).u64(number.get().to_bits()),
            LiveValue::Bytes(bytes) => self.u8(2).raw(bytes),
        }
    }
    fn list<T>(&mut self, rows: &[T], mut row: impl FnMut(&mut Self, &T)) -> &mut Self {
        let rows = &rows[..rows.len().min(usize::from(u16::MAX))];
        self.u16(rows.len() as u16);
        rows.iter().for_each(|one| row(self, one));
        self
    }
    fn selection(&mut self, select: &LiveSelection) -> &mut Self {
        match select {
            LiveSelection::Devices(devices) => self.u8(0).list(devices, |w, id| {
                w.u32(*id);
            }),
            LiveSelection::Query { org, below, text, sort, first, count } => self
                .u8(1)
                .u32(*org)
                .u8((*below).into())
                .raw(text.as_bytes())
                .raw(sort.as_bytes())
                .u32(*first)
                .u16(*count),
            LiveSelection::Subtree { org, below } => self.u8(2).u32(*org).u8((*below).into()),
        }
    }
}

/// Append what a page asks.
pub fn encode_ask(ask: &LiveAsk, out: &mut Vec<u8>) {
    let mut w = Writer(out);
    match ask {
        LiveAsk::Hello { build } => w.u8(0x01).raw(build.as_bytes()),
        LiveAsk::Watch { set, what, select, pins, every } => {
            w.u8(0x02).u16(*set).u8(what.to_bits()).selection(select);
            match pins {
                WatchedPins::All => w.u8(1),
                WatchedPins::Some(pins) => w.u8(0).list(pins, |w, pin| {
                    w.pin(*pin);
                }),
            };
            w.list(every, |w, pin| {
                w.pin(*pin);
            })
        }
        LiveAsk::Unwatch { set } => w.u8(0x03).u16(*set),
        LiveAsk::Write { request, device, pin, value } => w.u8(0x04).u32(*request).u32(*device).pin(*pin).value(value),
    };
}

/// Append what the server reports.
pub fn encode_report(report: &LiveReport, out: &mut Vec<u8>) {
    let mut w = Writer(out);
    match report {
        LiveReport::Hello { server_ms, build, rights } => w.u8(0x81).u64(*server_ms).raw(build.as_bytes()).u32(*rights),
        LiveReport::Tick { server_ms } => w.u8(0x82).u64(*server_ms),
        LiveReport::Snapshot { set, total, devices } => w.u8(0x83).u16(*set).u32(*total).list(devices, |w, id| {
            w.u32(*id);
        }),
        LiveReport::Values { rows } => w.u8(0x84).list(rows, |w, row| {
            w.u32(row.device).pin(row.pin).u64(row.at_ms).value(&row.value);
        }),
        LiveReport::Presence { rows } => w.u8(0x85).list(rows, |w, row| {
            w.u32(row.device).u8(row.state as u8).u64(row.since_ms).u16(row.code);
        }),
        LiveReport::Event { device, event, at_ms, level, code, text } => {
            let w = w.u8(0x86).u32(*device).u64(*event).u64(*at_ms).u8(*level as u8);
            w.raw(code.as_bytes()).raw(text.as_bytes())
        }
        LiveReport::Wrote { request, outcome, code } => w.u8(0x87).u32(*request).u8(*outcome as u8).u16(*code),
        LiveReport::Property { device, pin, name, value } => {
            w.u8(0x88).u32(*device).pin(*pin).raw(name.as_bytes()).value(value)
        }
        LiveReport::Attempt { at_ms, address, code, count } => {
            w.u8(0x89).u64(*at_ms).raw(address.as_bytes()).u16(*code).u32(*count)
        }
        LiveReport::Frame { device, at_ms, direction, command, message, body } => {
            w.u8(0x8a).u32(*device).u64(*at_ms).u8(*direction as u8).u8(*command).u16(*message).raw(body)
        }
        LiveReport::Skipped { set, count } => w.u8(0x8b).u16(*set).u32(*count),
        LiveReport::Changed { set } => w.u8(0x8c).u16(*set),
        LiveReport::Refused { set, code } => w.u8(0x8d).u16(*set).u16(*code),
        LiveReport::Revoked { code } => w.u8(0x8e).u16(*code),
        LiveReport::Bye { code, retry_ms } => w.u8(0x8f).u16(*code).u32(*retry_ms),
    };
}

/// Writes a values report row by row, straight from a shard's tables: nothing is allocated but in the buffer. Begins
/// another report by itself where the count of one would not do.
#[derive(Debug)]
pub struct ValueRows<'a> {
    out: &'a mut Vec<u8>,
    /// Where the count of rows stands.
    count_at: usize,
    count: u16,
}

impl<'a> ValueRows<'a> {
    /// Begin a report at the end of the buffer. Without a row nothing is left of it.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(&[0x84, 0, 0]);
        let count_at = out.len() - 2;
        Self { out, count_at, count: 0 }
    }

    /// Length of the report so far, bytes: whoever writes begins another one before it exceeds the largest frame.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.out.len() + 1 - self.count_at
    }

    /// Append a row. False, and nothing is appended, when the report has as many as it can have.
    pub fn push(&mut self, device: u32, pin: Pin, at_ms: u64, value: ValueRef<'_>) -> bool {
        let Some(count) = self.count.checked_add(1) else { return false };
        self.count = count;
        let mut w = Writer(self.out);
        w.u32(device).pin(pin).u64(at_ms);
        match LiveValue::number_of(value) {
            Some(number) => w.u8(1).u64(number.get().to_bits()),
            None => w.u8(2).raw(value.as_bytes()),
        };
        true
    }

    /// End the report; answers its rows.
    pub fn finish(self) -> u16 {
        if self.count == 0 {
            self.out.truncate(self.count_at - 1);
        } else {
            self.out[self.count_at..self.count_at + 2].copy_from_slice(&self.count.to_le_bytes());
        }
        self.count
    }
}

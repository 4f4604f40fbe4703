//! JSON to messages. Fields are taken out of the object: what is left at the end was not expected.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::limits::{
    LIVE_BUILD_BYTES, LIVE_DEVICES, LIVE_EVERY_PINS, LIVE_MESSAGE_BYTES, LIVE_QUERY_BYTES, LIVE_TIME_MS,
    LIVE_WATCH_PINS, MAX_VALUE_BYTES,
};
use crate::live::message::{
    FrameDirection, LiveAsk, LiveFault, LiveLevel, LiveOutcome, LivePresence, LiveReport, LiveSelection, PresenceRow,
    Subjects, ValueRow, WatchedPins,
};
use crate::live::value::LiveValue;
use crate::model::Number;
use crate::model::Pin;

type Read<T> = Result<T, LiveFault>;
const ANY: usize = u16::MAX as usize;

struct Object(Map<String, Value>);

impl Object {
    fn of(value: Value, field: &'static str) -> Read<Self> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(LiveFault::Field(field)),
        }
    }
    fn take(&mut self, field: &'static str) -> Read<Value> {
        self.0.remove(field).ok_or(LiveFault::Field(field))
    }
    fn number(&mut self, field: &'static str, limit: u64) -> Read<u64> {
        let value = self.take(field)?.as_u64().ok_or(LiveFault::Field(field))?;
        if value > limit { Err(LiveFault::Limit { field, value, limit }) } else { Ok(value) }
    }
    fn u8(&mut self, field: &'static str) -> Read<u8> {
        Ok(self.number(field, u8::MAX.into())? as u8)
    }
    fn u16(&mut self, field: &'static str) -> Read<u16> {
        Ok(self.number(field, u16::MAX.into())? as u16)
    }
    fn u32(&mut self, field: &'static str) -> Read<u32> {
        Ok(self.number(field, u32::MAX.into())? as u32)
    }
    fn u53(&mut self, field: &'static str) -> Read<u64> {
        self.number(field, LIVE_TIME_MS)
    }
    fn flag(&mut self, field: &'static str) -> Read<bool> {
        self.take(field)?.as_bool().ok_or(LiveFault::Field(field))
    }
    fn text(&mut self, field: &'static str, limit: usize) -> Read<String> {
        text(self.take(field)?, field, limit)
    }
    fn pin(&mut self) -> Read<Pin> {
        pin(self.take("pin")?)
    }
    fn value(&mut self, limit: usize) -> Read<LiveValue> {
        let bytes = match self.take("value")? {
            Value::Null => return Ok(LiveValue::Nothing),
            Value::Number(number) => {
                let number = number.as_f64().filter(|n| n.is_finite()).ok_or(LiveFault::Field("value"))?;
                // A number with more digits is the text that a device would get.
                return Ok(match LiveValue::is_plain(number) {
                    true => LiveValue::Number(Number::new(number)),
                    false => LiveValue::Bytes(number.to_string().into_bytes()),
                });
            }
            Value::Object(map) => {
                let mut inner = Self(map);
                let bytes = base64(inner.take("base64")?, "value")?;
                inner.end()?;
                bytes
            }
            other => text(other, "value", limit)?.into_bytes(),
        };
        bounded(bytes.len(), "value", limit)?;
        Ok(LiveValue::Bytes(bytes))
    }
    fn list<T>(&mut self, field: &'static str, limit: usize, row: impl FnMut(Value) -> Read<T>) -> Read<Vec<T>> {
        let Value::Array(rows) = self.take(field)? else { return Err(LiveFault::Field(field)) };
        bounded(rows.len(), field, limit)?;
        rows.into_iter().map(row).collect()
    }
    fn word<T: Copy>(&mut self, field: &'static str, all: &[T], word: impl Fn(T) -> &'static str) -> Read<T> {
        let text = self.text(field, ANY)?;
        all.iter().copied().find(|one| word(*one) == text).ok_or(LiveFault::Field(field))
    }
    fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(LiveFault::Trailing { count: self.0.len() }) }
    }
}

fn bounded(len: usize, field: &'static str, limit: usize) -> Read<()> {
    if len > limit { Err(LiveFault::Limit { field, value: len as u64, limit: limit as u64 }) } else { Ok(()) }
}

fn text(value: Value, field: &'static str, limit: usize) -> Read<String> {
    let Value::String(text) = value else { return Err(LiveFault::Field(field)) };
    bounded(text.len(), field, limit)?;
    Ok(text)
}

fn base64(value: Value, field: &'static str) -> Read<Vec<u8>> {
    let bytes = STANDARD.decode(text(value, field, 2 * ANY)?).map_err(|_| LiveFault::Text { field })?;
    bounded(bytes.len(), field, ANY)?;
    Ok(bytes)
}

/// `V7`, in capitals and without zeros in front: one spelling a pin.
fn pin(value: Value) -> Read<Pin> {
    let name = text(value, "pin", 4)?;
    let letter = name.bytes().next().ok_or(LiveFault::Field("pin"))?;
    Pin::parse(letter.to_ascii_lowercase(), name.as_bytes())
        .filter(|pin| pin.to_string() == name)
        .ok_or(LiveFault::Field("pin"))
}

fn id(value: &Value) -> Read<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(LiveFault::Field("devices"))
}

fn subjects(names: Vec<String>) -> Read<Subjects> {
    let mut bits = 0;
    for name in names {
        let at = Subjects::NAMES.iter().position(|known| *known == name).ok_or(LiveFault::Field("what"))?;
        bits |= 1 << at;
    }
    Subjects::from_bits(bits).ok_or(LiveFault::Field("what"))
}

fn selection(o: &mut Object) -> Read<LiveSelection> {
    if o.0.contains_key("devices") {
        return Ok(LiveSelection::Devices(o.list("devices", LIVE_DEVICES, |value| id(&value))?));
    }
    if o.0.contains_key("query") {
        let mut q = Object::of(o.take("query")?, "query")?;
        let made = LiveSelection::Query {
            org: q.u32("org")?,
            below: q.flag("below")?,
            text: q.text("text", LIVE_QUERY_BYTES)?,
            sort: q.text("sort", LIVE_QUERY_BYTES)?,
            first: q.u32("first")?,
            count: q.number("count", LIVE_DEVICES as u64)? as u16,
        };
        return q.end().map(|()| made);
    }
    let mut tree = Object::of(o.take("subtree")?, "subtree")?;
    let made = LiveSelection::Subtree { org: tree.u32("org")?, below: tree.flag("below")? };
    tree.end().map(|()| made)
}

fn watched(o: &mut Object) -> Read<WatchedPins> {
    if o.0.get("pins").and_then(Value::as_str) == Some("all") {
        return o.take("pins").map(|_| WatchedPins::All);
    }
    o.list("pins", LIVE_WATCH_PINS, pin).map(WatchedPins::Some)
}

fn object(bytes: &[u8]) -> Read<Object> {
    bounded(bytes.len(), "message", LIVE_MESSAGE_BYTES)?;
    Object::of(serde_json::from_slice(bytes).map_err(|_| LiveFault::NotJson)?, "message")
}

/// Take what a page asks.
///
/// # Errors
/// [`LiveFault`] for anything that is not exactly one ask within its limits.
pub fn decode_ask(bytes: &[u8]) -> Read<LiveAsk> {
    let mut o = object(bytes)?;
    let ask = match o.text("kind", ANY)?.as_str() {
        "hello" => LiveAsk::Hello { build: o.text("build", LIVE_BUILD_BYTES)? },
        "watch" => LiveAsk::Watch {
            set: o.u16("set")?,
            what: subjects(o.list("what", Subjects::NAMES.len(), |name| text(name, "what", ANY))?)?,
            select: selection(&mut o)?,
            pins: watched(&mut o)?,
            every: o.list("every", LIVE_EVERY_PINS, pin)?,
        },
        "unwatch" => LiveAsk::Unwatch { set: o.u16("set")? },
        "write" => LiveAsk::Write {
            request: o.u32("request")?,
            device: o.u32("device")?,
            pin: o.pin()?,
            value: o.value(MAX_VALUE_BYTES)?,
        },
        _ => return Err(LiveFault::Field("kind")),
    };
    o.end().map(|()| ask)
}

/// Take what the server reports: for tests and programs that watch. Unlike an ask, a report may be longer than a frame
/// of the binary encoding, since names are longer than numbers.
///
/// # Errors
/// [`LiveFault`] for anything that is not exactly one report.
pub fn decode_report(bytes: &[u8]) -> Read<LiveReport> {
    let mut o = Object::of(serde_json::from_slice(bytes).map_err(|_| LiveFault::NotJson)?, "message")?;
    let kind = o.text("kind", ANY)?;
    let report = match kind.as_str() {
        "hello" => {
            LiveReport::Hello { server_ms: o.u53("server_ms")?, build: o.text("build", ANY)?, rights: o.u32("rights")? }
        }
        "tick" => LiveReport::Tick { server_ms: o.u53("server_ms")? },
        "snapshot" => LiveReport::Snapshot {
            set: o.u16("set")?,
            total: o.u32("total")?,
            devices: o.list("devices", ANY, |value| id(&value))?,
        },
        "values" => LiveReport::Values { rows: o.list("rows", ANY, value_row)? },
        "presence" => LiveReport::Presence { rows: o.list("rows", ANY, presence_row)? },
        "skipped" => LiveReport::Skipped { set: o.u16("set")?, count: o.u32("count")? },
        "changed" => LiveReport::Changed { set: o.u16("set")? },
        "refused" => LiveReport::Refused { set: o.u16("set")?, code: o.u16("code")? },
        "revoked" => LiveReport::Revoked { code: o.u16("code")? },
        "bye" => LiveReport::Bye { code: o.u16("code")?, retry_ms: o.u32("retry_ms")? },
        other => of_a_device(other, &mut o)?,
    };
    o.end().map(|()| report)
}

fn of_a_device(kind: &str, o: &mut Object) -> Read<LiveReport> {
    Ok(match kind {
        "event" => LiveReport::Event {
            device: o.u32("device")?,
            event: o.u53("event")?,
            at_ms: o.u53("at_ms")?,
            level: o.word("level", LiveLevel::ALL, LiveLevel::word)?,
            code: o.text("code", ANY)?,
            text: o.text("text", ANY)?,
        },
        "wrote" => LiveReport::Wrote {
            request: o.u32("request")?,
            outcome: o.word("outcome", LiveOutcome::ALL, LiveOutcome::word)?,
            code: o.u16("code")?,
        },
        "property" => LiveReport::Property {
            device: o.u32("device")?,
            pin: o.pin()?,
            name: o.text("name", ANY)?,
            value: o.value(ANY)?,
        },
        "attempt" => LiveReport::Attempt {
            at_ms: o.u53("at_ms")?,
            address: o.text("address", ANY)?,
            code: o.u16("code")?,
            count: o.u32("count")?,
        },
        "frame" => LiveReport::Frame {
            device: o.u32("device")?,
            at_ms: o.u53("at_ms")?,
            direction: o.word("direction", FrameDirection::ALL, FrameDirection::word)?,
            command: o.u8("command")?,
            message: o.u16("message")?,
            body: base64(o.take("body")?, "body")?,
        },
        _ => return Err(LiveFault::Field("kind")),
    })
}

fn value_row(row: Value) -> Read<ValueRow> {
    let mut o = Object::of(row, "rows")?;
    let made = ValueRow { device: o.u32("device")?, pin: o.pin()?, at_ms: o.u53("at_ms")?, value: o.value(ANY)? };
    o.end().map(|()| made)
}

fn presence_row(row: Value) -> Read<PresenceRow> {
    let mut o = Object::of(row, "rows")?;
    let made = PresenceRow {
        device: o.u32("device")?,
        state: o.word("state", LivePresence::ALL, LivePresence::word)?,
        since_ms: o.u53("since_ms")?,
        code: o.u16("code")?,
    };
    o.end().map(|()| made)
}

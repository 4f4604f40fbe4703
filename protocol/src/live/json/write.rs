//! Messages to JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::live::message::{LiveAsk, LiveReport, LiveSelection, PresenceRow, Subjects, ValueRow, WatchedPins};
use crate::live::value::LiveValue;
use crate::model::Pin;

fn pins(pins: &[Pin]) -> Value {
    pins.iter().map(ToString::to_string).collect()
}

fn value(value: &LiveValue) -> Value {
    match value {
        LiveValue::Nothing => Value::Null,
        LiveValue::Number(number) => json!(number.get()),
        LiveValue::Bytes(bytes) => std::str::from_utf8(bytes)
            .map_or_else(|_| json!({ "base64": STANDARD.encode(bytes) }), |text| Value::String(text.to_owned())),
    }
}

fn subjects(what: Subjects) -> Value {
    let bits = what.to_bits();
    Subjects::NAMES.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, name)| *name).collect()
}

fn selection(select: &LiveSelection) -> (&'static str, Value) {
    match select {
        LiveSelection::Devices(devices) => ("devices", json!(devices)),
        LiveSelection::Query { org, below, text, sort, first, count } => {
            ("query", json!({ "org": org, "below": below, "text": text, "sort": sort, "first": first, "count": count }))
        }
        LiveSelection::Subtree { org, below } => ("subtree", json!({ "org": org, "below": below })),
    }
}

/// What a page asks, as JSON.
#[must_use]
pub fn encode_ask(ask: &LiveAsk) -> Value {
    match ask {
        LiveAsk::Hello { build } => json!({ "kind": "hello", "build": build }),
        LiveAsk::Watch { set, what, select, pins: watched, every } => {
            let watched = match watched {
                WatchedPins::All => json!("all"),
                WatchedPins::Some(some) => pins(some),
            };
            let mut made = json!({
                "kind": "watch", "set": set, "what": subjects(*what), "pins": watched, "every": pins(every)
            });
            let (name, which) = selection(select);
            made[name] = which;
            made
        }
        LiveAsk::Unwatch { set } => json!({ "kind": "unwatch", "set": set }),
        LiveAsk::Write { request, device, pin, value: written } => json!({
            "kind": "write", "request": request, "device": device, "pin": pin.to_string(), "value": value(written)
        }),
    }
}

fn value_row(row: &ValueRow) -> Value {
    json!({ "device": row.device, "pin": row.pin.to_string(), "at_ms": row.at_ms, "value": value(&row.value) })
}

fn presence_row(row: &PresenceRow) -> Value {
    json!({ "device": row.device, "state": row.state.word(), "since_ms": row.since_ms, "code": row.code })
}

/// What the server reports, as JSON.
#[must_use]
pub fn encode_report(report: &LiveReport) -> Value {
    match report {
        LiveReport::Hello { server_ms, build, rights } => {
            json!({ "kind": "hello", "server_ms": server_ms, "build": build, "rights": rights })
        }
        LiveReport::Tick { server_ms } => json!({ "kind": "tick", "server_ms": server_ms }),
        LiveReport::Snapshot { set, total, devices } => {
            json!({ "kind": "snapshot", "set": set, "total": total, "devices": devices })
        }
        LiveReport::Values { rows } => {
            json!({ "kind": "values", "rows": rows.iter().map(value_row).collect::<Value>() })
        }
        LiveReport::Presence { rows } => {
            json!({ "kind": "presence", "rows": rows.iter().map(presence_row).collect::<Value>() })
        }
        LiveReport::Event { device, event, at_ms, level, code, text } => json!({
            "kind": "event", "device": device, "event": event, "at_ms": at_ms, "level": level.word(), "code": code,
            "text": text
        }),
        LiveReport::Wrote { request, outcome, code } => {
            json!({ "kind": "wrote", "request": request, "outcome": outcome.word(), "code": code })
        }
        LiveReport::Property { device, pin, name, value: set } => json!({
            "kind": "property", "device": device, "pin": pin.to_string(), "name": name, "value": value(set)
        }),
        LiveReport::Attempt { at_ms, address, code, count } => {
            json!({ "kind": "attempt", "at_ms": at_ms, "address": address, "code": code, "count": count })
        }
        LiveReport::Frame { device, at_ms, direction, command, message, body } => json!({
            "kind": "frame", "device": device, "at_ms": at_ms, "direction": direction.word(), "command": command,
            "message": message, "body": STANDARD.encode(body)
        }),
        LiveReport::Skipped { set, count } => json!({ "kind": "skipped", "set": set, "count": count }),
        LiveReport::Changed { set } => json!({ "kind": "changed", "set": set }),
        LiveReport::Refused { set, code } => json!({ "kind": "refused", "set": set, "code": code }),
        LiveReport::Revoked { code } => json!({ "kind": "revoked", "code": code }),
        LiveReport::Bye { code, retry_ms } => json!({ "kind": "bye", "code": code, "retry_ms": retry_ms }),
    }
}

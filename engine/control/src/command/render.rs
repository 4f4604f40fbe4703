//! Answers as JSON. docs/admin.md lists their fields; no token is in any of them but [`made_json`].

use linchpin_protocol::model::{Template, ValueKind};
use linchpin_shard::{DeviceRow, DeviceView, ShardStatus};
use serde_json::{Value, json};

use crate::{Made, Registry};

pub(crate) fn status_json(status: &ShardStatus) -> Value {
    let ends: serde_json::Map<_, _> = status.ends.iter().map(|(end, n)| (end.to_string(), (*n).into())).collect();
    json!({
        "connections": status.connections,
        "online": status.online,
        "devices": status.devices,
        "ledger_bytes": status.ledger_bytes,
        "diary_bytes": status.diary_bytes,
        "frames": status.frames,
        "requests": status.requests,
        "logins": status.logins,
        "dropped": status.dropped,
        "handshakes_full": status.handshakes_full,
        "handshakes_resumed": status.handshakes_resumed,
        "handshakes_running": status.handshakes_running,
        "handshakes_waiting": status.handshakes_waiting,
        "assembly_bytes": status.assembly_bytes,
        "unsendable": status.unsendable,
        "moved_out": status.moved_out,
        "draining": status.draining,
        "ends": ends,
    })
}

/// A device that was made just now, with its token.
pub(crate) fn made_json(made: &Made) -> Value {
    json!({
        "id": made.entry.id.get(),
        "token": made.token.expose(),
        "template": made.entry.template.map(|template| template.as_str().to_owned()),
    })
}

pub(crate) fn row_json(row: &DeviceRow, registry: &Registry) -> Value {
    json!({
        "id": row.id.get(),
        "name": registry.device(row.id).map_or("", |device| &device.name),
        "template": row.template.map(|t| t.as_str().to_owned()),
        "online": row.online,
        "last_seen_s": (row.last_seen_s > 0).then_some(row.last_seen_s),
    })
}

pub(crate) fn view_json(view: &DeviceView, registry: &Registry) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let object = |pairs: &[(Box<str>, Box<str>)]| -> serde_json::Map<String, Value> {
        pairs.iter().map(|(key, value)| (key.to_string(), (**value).into())).collect()
    };
    let mut answer = row_json(&view.row, registry);
    answer["values"] = view
        .values
        .iter()
        .map(|(pin, value, at)| json!({"pin": pin.to_string(), "value": text(value), "at_ms": at}))
        .collect();
    answer["properties"] = view
        .properties
        .iter()
        .map(|(pin, name, value)| json!({"pin": pin.to_string(), "name": name, "value": text(value)}))
        .collect();
    answer["metadata"] = object(&view.metadata).into();
    answer["firmware"] = object(&view.firmware).into();
    answer["events"] =
        view.events.iter().map(|(code, text, at)| json!({"code": code, "text": text, "at_ms": at})).collect();
    answer["peer"] = view.peer.map(|peer| peer.to_string()).into();
    answer["last_end"] = view.last_end.map(|end| end.to_string()).into();
    answer
}

pub(crate) fn template_json(template: &Template) -> Value {
    let datastreams: Vec<_> = template
        .datastreams
        .iter()
        .map(|stream| {
            let kind = match stream.kind {
                ValueKind::Int { min, max } => json!({"type": "int", "min": min, "max": max}),
                ValueKind::Double { min, max } => json!({"type": "double", "min": min, "max": max}),
                ValueKind::Text => json!({"type": "text"}),
                ValueKind::Enum { count } => json!({"type": "enum", "count": count}),
            };
            json!({
                "pin": stream.pin.to_string(), "name": stream.name, "unit": stream.unit, "sync": stream.sync, "kind": kind,
                "default": stream.default, "fallback": stream.fallback,
            })
        })
        .collect();
    json!({
        "id": template.id.as_str(),
        "name": template.name,
        "tls": template.requires_tls,
        "datastreams": datastreams,
        "events": template.events,
    })
}

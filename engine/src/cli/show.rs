//! Answers of the running server, for people.

use std::collections::BTreeMap;
use std::fmt::Display;

use linchpin_control::ListedBackup;
use linchpin_control::request::{
    Delivered, DeviceFull, DeviceLine, DiaryLine, Frame, MadeDevice, StreamKind, TemplateSheet,
};
use linchpin_protocol::model::one_line;
use serde_json::Value;

use super::status::bytes;

use crate::when::{self, TimeStyle};

/// A value for people: text without quotes, `-` for nothing. What devices send is not trusted with the terminal:
/// hidden characters are replaced.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text of a device for a terminal: parts of a value with bars between them, no hidden characters.
pub(crate) fn printable(text: &str) -> String {
    one_line(text)
}

/// The same, `-` for nothing.
fn or_dash<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| printable(&value.to_string()))
}

/// Lines of the device list, for people.
pub(crate) fn list_text(lines: &[DeviceLine], times: TimeStyle) -> String {
    let now_s = when::now_s();
    let mut out = format!("{:>8}  {:<8}  {:<16}  {:<20}  name\n", "id", "state", "template", "last seen");
    for line in lines {
        let state = if line.online { "online" } else { "offline" };
        let template = or_dash(line.template.as_ref());
        let seen = line.last_seen_s.map_or_else(|| "-".to_owned(), |at_s| times.since(at_s, now_s));
        out += &format!("{:>8}  {state:<8}  {template:<16}  {seen:<20}  {}\n", line.id, printable(&line.name));
    }
    out
}

/// Ids and tokens, a line each.
pub(crate) fn tokens_text(made: &[MadeDevice]) -> String {
    made.iter().map(|device| format!("{} {}\n", device.id, device.token.0.expose())).collect()
}

/// What became of something that was sent.
pub(crate) fn delivered_text(answer: &Delivered, otherwise: &str) -> String {
    format!("{}\n", if answer.delivered { "sent to the device" } else { otherwise })
}

/// One device, for people.
pub(crate) fn device_text(view: &DeviceFull, times: TimeStyle) -> String {
    let now_s = when::now_s();
    let mut out = list_text(std::slice::from_ref(&view.line), times);
    let (peer, end) = (or_dash(view.peer.as_ref()), or_dash(view.last_end.as_ref()));
    out += &format!("peer {peer}, previous connection ended with {end}\n");
    for value in &view.values {
        let at = times.since(value.at_ms / 1_000, now_s);
        out += &format!("  {:<5} {}  ({at})\n", value.pin, printable(&value.value));
    }
    for property in &view.properties {
        out += &format!("  {:<5} {} = {}\n", property.pin, printable(&property.name), printable(&property.value));
    }
    for (name, pairs) in [("metadata", &view.metadata), ("firmware", &view.firmware)] {
        for (key, value) in pairs {
            out += &format!("  {name} {} = {}\n", printable(key), printable(value));
        }
    }
    for event in &view.events {
        let at = times.since(event.at_ms / 1_000, now_s);
        out += &format!("  event {} {}  ({at})\n", printable(&event.code), printable(&event.text));
    }
    out
}

/// The diary: one end a paragraph.
pub(crate) fn diary_text(lines: &[DiaryLine], times: TimeStyle) -> String {
    if lines.is_empty() {
        return "no connection has ended\n".to_owned();
    }
    let mut out = String::new();
    for line in lines {
        let device = line.device.map_or_else(|| "no device".to_owned(), |id| format!("device {id}"));
        out += &format!("{}  {}  {device}", times.date(line.at_s), line.end);
        match &line.peer {
            None => out += "  before the server was started",
            Some(peer) => {
                let lasted = line.lasted_s.map_or_else(|| "-".to_owned(), |s| when::span(s.into()));
                let frames = or_dash(line.frames.as_ref());
                out += &format!("  from {peer}  after {lasted} and {frames} frames");
            }
        }
        out += &format!("\n    {}\n    {}\n", or_dash(line.what.as_ref()), or_dash(line.fix.as_ref()));
        let words: Vec<_> = pairs(&line.firmware).collect();
        if !words.is_empty() {
            out += &format!("    firmware: {}\n", words.join(" "));
        }
    }
    out
}

fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    map.iter().map(|(key, value)| format!("{}={}", printable(key), printable(value)))
}

/// Any answer: a fact a line, lists with their items indented.
pub(crate) fn facts_text(answer: &Value, times: TimeStyle) -> String {
    match answer {
        Value::Object(facts) => facts.iter().fold(String::new(), |out, (name, value)| match value {
            Value::Array(items) => {
                let lines: String = items.iter().map(|item| format!("  {}\n", line(item, times))).collect();
                format!("{out}{}\n{lines}", name.replace('_', " "))
            }
            value => {
                let (name, value) = fact(name, value, times);
                format!("{out}{name:<20}{value}\n")
            }
        }),
        Value::Array(items) if items.is_empty() => "none\n".to_owned(),
        Value::Array(items) => items.iter().map(|item| format!("{}\n", line(item, times))).collect(),
        other => format!("{}\n", plain(other)),
    }
}

fn line(item: &Value, times: TimeStyle) -> String {
    match item.as_object() {
        Some(facts) => {
            let words = facts.iter().map(|(name, value)| fact(name, value, times));
            words.map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        }
        None => plain(item),
    }
}

/// Moments are later than this: other numbers with these units are spans.
const FIRST_MOMENT_S: u64 = 1_000_000_000;

/// A name and a value for people: Unix times as dates, spans in words, yes and no.
fn fact(name: &str, value: &Value, times: TimeStyle) -> (String, String) {
    let (word, seconds) = match (name.strip_suffix("_ms"), name.strip_suffix("_s"), value.as_u64()) {
        (Some(word), _, Some(ms)) if ms / 1_000 >= FIRST_MOMENT_S => (word, Some(ms / 1_000)),
        (_, Some(word), Some(s)) if s >= FIRST_MOMENT_S => (word, Some(s)),
        _ => (name, None),
    };
    let shown = match (seconds, value) {
        (Some(unix_s), _) => times.date(unix_s),
        (None, Value::Bool(is_so)) => if *is_so { "yes" } else { "no" }.to_owned(),
        (None, other) => plain(other),
    };
    (word.replace('_', " "), shown)
}

/// Backups with dates and sizes, the oldest first.
pub(crate) fn backups_text(listed: &[ListedBackup], times: TimeStyle) -> String {
    if listed.is_empty() {
        return "there is no backup in this place\n".to_owned();
    }
    let mut out = format!("{:<24}  {:<20}  {:>8}  {:>10}\n", "name", "made", "files", "size");
    for it in listed {
        let made = times.date(it.created_ms / 1_000);
        out += &format!("{:<24}  {made:<20}  {:>8}  {:>10}\n", it.id, it.files, bytes(it.bytes));
    }
    out
}

/// One frame of a device.
pub(crate) fn frame_text(frame: &Frame) -> String {
    let arrow = if frame.direction == "to-device" { "<-" } else { "->" };
    let fields: Vec<_> = frame.fields.iter().map(|field| printable(field)).collect();
    let rest = frame.status.map_or_else(|| fields.join(" | "), |status| status.to_string());
    format!("{arrow} {:<14} id {:<5} {rest}\n", frame.command, frame.id)
}

/// Templates, one a line.
pub(crate) fn templates_text(templates: &[TemplateSheet]) -> String {
    let mut out = format!("{:<16}  {:>11}  name\n", "id", "datastreams");
    for template in templates {
        out += &format!("{:<16}  {:>11}  {}\n", template.id, template.datastreams.len(), printable(&template.name));
    }
    out
}

/// One template with its datastreams.
pub(crate) fn template_text(template: &TemplateSheet) -> String {
    let mut out = format!("{}  {}\n", template.id, printable(&template.name));
    for stream in &template.datastreams {
        let range = match stream.kind {
            StreamKind::Int { min, max } => format!("int {min} to {max}"),
            StreamKind::Double { min, max } => format!("double {min} to {max}"),
            StreamKind::Text => "text".to_owned(),
            StreamKind::Enum { count } => format!("enum of {count}"),
        };
        let sync = if stream.sync { ", synced" } else { "" };
        let (pin, name, unit) = (stream.pin.to_string(), printable(&stream.name), printable(&stream.unit));
        out += &format!("  {pin:<5} {name} ({range}{sync}) {unit}\n");
    }
    let events: Vec<_> = template.events.iter().map(|code| printable(code)).collect();
    out + &format!("  events: {}\n", events.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_protocol::model::is_hidden;
    use serde_json::json;

    fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).expect("an answer")
    }

    #[test]
    fn what_a_device_sends_cannot_drive_the_terminal() {
        let view = json!({
            "id": 7, "online": true, "name": "pump\u{1b}[2J\u{202e}", "template": null, "last_seen_s": null,
            "values": [{"pin": "V1", "value": "1\u{0}2\u{1b}]0;x\u{7}\r\n", "at_ms": 0}],
            "properties": [], "metadata": {}, "events": [{"code": "a\u{1b}", "text": "\u{9b}", "at_ms": 1}],
            "firmware": {"dev\u{1b}c": "ESP32\u{9b}1m"}, "peer": null, "last_end": null,
        });
        let text = device_text(&read(view), TimeStyle::Utc);
        assert!(text.contains("1 | 2") && text.contains("ESP32"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
    }

    #[test]
    fn facts_are_for_people() {
        let facts = json!({"created_ms": 1_795_457_730_000u64, "newest_created_s": 1_795_457_730, "at_risk_ms": 25,
            "retired": true, "unsealed_by": "file /x", "nothing": null});
        let text = facts_text(&facts, TimeStyle::Utc);
        for line in [
            "created             2026-11-23T18:15:30Z",
            "newest created      2026-11-23T18:15:30Z",
            "at risk ms          25",
            "retired             yes",
            "unsealed by         file /x",
            "nothing             -",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line:?} in {text}");
        }
    }

    #[test]
    fn a_diary_says_what_to_do_and_a_frame_what_it_is() {
        let line = json!({"at_s": 0, "end": "E0103", "device": 7, "peer": "127.0.0.1:1", "lasted_s": 5, "frames": 9,
            "what": "Silence.", "fix": "Look.", "firmware": {"fw": "1\u{1b}[2J"}});
        let text = diary_text(&[read(line)], TimeStyle::Utc);
        assert!(text.contains("E0103  device 7") && text.contains("Look."), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text:?}");
        assert!(diary_text(&[], TimeStyle::Utc).starts_with("no connection"));
        let frame = json!({"direction": "to-device", "command": "RESPONSE", "id": 4, "status": 200});
        assert_eq!(frame_text(&read(frame)), "<- RESPONSE       id 4     200\n");
        let frame = json!({"direction": "from-device", "command": "HARDWARE", "id": 5, "fields": ["vw", "1", "42"]});
        assert_eq!(frame_text(&read(frame)), "-> HARDWARE       id 5     vw | 1 | 42\n");
    }
}

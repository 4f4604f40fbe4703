//! Answers of the running server, for people.

use std::collections::BTreeMap;
use std::fmt::Display;

use linchpin_control::OF_SHARD;
use linchpin_control::request::{
    Delivered, DeviceFull, DeviceLine, DiaryLine, Frame, MadeDevice, StatusAnswer, StreamKind, TemplateSheet,
};
use serde_json::Value;

/// A value for people: text without quotes, `-` for nothing. What devices send is not trusted with the terminal:
/// control characters are replaced.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

/// Text of a device for a terminal: parts of a value with bars between them, no control characters.
pub(crate) fn printable(text: &str) -> String {
    text.replace('\0', " | ").replace(char::is_control, "\u{fffd}")
}

/// The same, `-` for nothing.
fn or_dash<T: Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| printable(&value.to_string()))
}

/// The answer to `status`, for people.
pub(crate) fn status_text(status: &StatusAnswer) -> String {
    let listed = |list: &[String]| if list.is_empty() { "off".to_owned() } else { list.join(" ") };
    let mut out = format!(
        "linchpin {} ({}), up {} s, {}\nplain {}, tls {}, room for {} connections, state in {}\n\n",
        status.version,
        status.commit,
        status.uptime_s,
        status.driver,
        listed(&status.plain),
        listed(&status.tls),
        status.capacity,
        status.state,
    );
    let abouts = OF_SHARD.iter().map(|counter| counter.about);
    let columns: Vec<_> = abouts.filter_map(|about| Some((about.key, about.column?))).collect();
    out += &format!("{:<8}{}\n", "shard", columns.iter().map(|column| format!("{:>13}", column.1)).collect::<String>());
    let named = status.shards.iter().enumerate().map(|(at, shard)| (at.to_string(), shard));
    for (name, figures) in named.chain([("all".to_owned(), &status.all)]) {
        let row: String = columns.iter().map(|column| format!("{:>13}", figures.number(column.0))).collect();
        out += &format!("{name:<8}{row}\n");
    }
    if let Some(linchpin_control::Figure::Labelled(ends)) = status.all.get("ends") {
        for (code, count) in ends {
            out += &format!("{count:>10} x {code} (linchpin explain {code})\n");
        }
    }
    out
}

/// Lines of the device list, for people.
pub(crate) fn list_text(lines: &[DeviceLine]) -> String {
    let mut out = format!("{:>8}  {:<8}  {:<16}  {:<12}  name\n", "id", "state", "template", "last seen s");
    for line in lines {
        let state = if line.online { "online" } else { "offline" };
        let (template, seen) = (or_dash(line.template.as_ref()), or_dash(line.last_seen_s.as_ref()));
        out += &format!("{:>8}  {state:<8}  {template:<16}  {seen:<12}  {}\n", line.id, printable(&line.name));
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
pub(crate) fn device_text(view: &DeviceFull) -> String {
    let mut out = list_text(std::slice::from_ref(&view.line));
    let (peer, end) = (or_dash(view.peer.as_ref()), or_dash(view.last_end.as_ref()));
    out += &format!("peer {peer}, previous connection ended with {end}\n");
    for value in &view.values {
        out += &format!("  {:<5} {}\n", value.pin, printable(&value.value));
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
        out += &format!("  event {} {}\n", printable(&event.code), printable(&event.text));
    }
    out
}

/// The diary: one end a paragraph.
pub(crate) fn diary_text(lines: &[DiaryLine]) -> String {
    if lines.is_empty() {
        return "no connection has ended\n".to_owned();
    }
    let mut out = String::new();
    for line in lines {
        let device = line.device.map_or_else(|| "no device".to_owned(), |id| format!("device {id}"));
        out += &format!("{}  {}  {device}", date(line.at_s), line.end);
        match &line.peer {
            None => out += "  before the server was started",
            Some(peer) => {
                let (lasted, frames) = (or_dash(line.lasted_s.as_ref()), or_dash(line.frames.as_ref()));
                out += &format!("  from {peer}  after {lasted} s and {frames} frames");
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
pub(crate) fn facts_text(answer: &Value) -> String {
    match answer {
        Value::Object(facts) => facts.iter().fold(String::new(), |out, (name, value)| match value {
            Value::Array(items) => {
                let lines: String = items.iter().map(|item| format!("  {}\n", line(item))).collect();
                format!("{out}{}\n{lines}", name.replace('_', " "))
            }
            value => format!("{out}{:<20}{}\n", name.replace('_', " "), plain(value)),
        }),
        Value::Array(items) if items.is_empty() => "none\n".to_owned(),
        Value::Array(items) => items.iter().map(|item| format!("{}\n", line(item))).collect(),
        other => format!("{}\n", plain(other)),
    }
}

fn line(item: &Value) -> String {
    match item.as_object() {
        Some(facts) => {
            let words: Vec<_> =
                facts.iter().map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))).collect();
            words.join(", ")
        }
        None => plain(item),
    }
}

/// `2026-11-23 18:00:00` in UTC.
fn date(unix_s: u64) -> String {
    let time = i64::try_from(unix_s).ok().and_then(|unix_s| jiff::Timestamp::from_second(unix_s).ok());
    time.map_or_else(|| "beyond the calendar".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
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
    use serde_json::json;

    fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).expect("an answer")
    }

    #[test]
    fn what_a_device_sends_cannot_drive_the_terminal() {
        let view = json!({
            "id": 7, "online": true, "name": "pump\u{1b}[2J", "template": null, "last_seen_s": null,
            "values": [{"pin": "V1", "value": "1\u{0}2\u{1b}]0;x\u{7}\r\n", "at_ms": 0}],
            "properties": [], "metadata": {}, "events": [{"code": "a\u{1b}", "text": "\u{9b}", "at_ms": 1}],
            "firmware": {"dev\u{1b}c": "ESP32\u{9b}1m"}, "peer": null, "last_end": null,
        });
        let text = device_text(&read(view));
        assert!(text.contains("1 | 2") && text.contains("ESP32"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_457_730, "2026-11-23 18:15:30"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(date(unix_s), text);
        }
    }

    #[test]
    fn a_diary_says_what_to_do_and_a_frame_what_it_is() {
        let line = json!({"at_s": 0, "end": "E0103", "device": 7, "peer": "127.0.0.1:1", "lasted_s": 5, "frames": 9,
            "what": "Silence.", "fix": "Look.", "firmware": {"fw": "1\u{1b}[2J"}});
        let text = diary_text(&[read(line)]);
        assert!(text.contains("E0103  device 7") && text.contains("Look."), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(diary_text(&[]).starts_with("no connection"));
        let frame = json!({"direction": "to-device", "command": "RESPONSE", "id": 4, "status": 200});
        assert_eq!(frame_text(&read(frame)), "<- RESPONSE       id 4     200\n");
        let frame = json!({"direction": "from-device", "command": "HARDWARE", "id": 5, "fields": ["vw", "1", "42"]});
        assert_eq!(frame_text(&read(frame)), "-> HARDWARE       id 5     vw | 1 | 42\n");
    }
}

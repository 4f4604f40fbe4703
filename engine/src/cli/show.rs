//! Answers of the running server, for people.

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

/// The answer to `status`, for people.
pub(crate) fn status_text(status: &Value) -> String {
    let listed = |name: &str| match status[name].as_array().filter(|list| !list.is_empty()) {
        Some(list) => list.iter().map(plain).collect::<Vec<_>>().join(" "),
        None => "off".to_owned(),
    };
    let mut out = format!(
        "linchpin {} ({}), up {} s, {}\nplain {}, tls {}, room for {} connections, state in {}\n\n",
        plain(&status["version"]),
        plain(&status["commit"]),
        plain(&status["uptime_s"]),
        plain(&status["driver"]),
        listed("plain"),
        listed("tls"),
        plain(&status["capacity"]),
        plain(&status["state"]),
    );
    let columns = ["online", "connections", "devices", "logins", "frames", "dropped", "moved_out", "ledger_bytes"];
    out += &format!("{:<8}{}\n", "shard", columns.map(|name| format!("{name:>13}")).concat());
    let row = |name: String, of: &Value| {
        format!("{name:<8}{}\n", columns.map(|column| format!("{:>13}", plain(&of[column]))).concat())
    };
    for (at, shard) in status["shards"].as_array().into_iter().flatten().enumerate() {
        out += &row(at.to_string(), shard);
    }
    out += &row("all".to_owned(), status);
    for (code, count) in status["ends"].as_object().into_iter().flatten() {
        out += &format!("{:>10} x {code} (linchpin explain {code})\n", plain(count));
    }
    out
}

/// Rows of the device list, for people.
pub(crate) fn list_text(rows: &[Value]) -> String {
    let mut out = format!("{:>8}  {:<8}  {:<16}  {:<12}  name\n", "id", "state", "template", "last seen s");
    for row in rows {
        let state = if row["online"] == true { "online" } else { "offline" };
        out += &format!(
            "{:>8}  {state:<8}  {:<16}  {:<12}  {}\n",
            plain(&row["id"]),
            plain(&row["template"]),
            plain(&row["last_seen_s"]),
            plain(&row["name"])
        );
    }
    out
}

/// One device, for people.
pub(crate) fn device_text(view: &Value) -> String {
    let mut out = list_text(std::slice::from_ref(view));
    out += &format!("peer {}, previous connection ended with {}\n", plain(&view["peer"]), plain(&view["last_end"]));
    for value in view["values"].as_array().into_iter().flatten() {
        out += &format!("  {:<5} {}\n", plain(&value["pin"]), plain(&value["value"]));
    }
    for property in view["properties"].as_array().into_iter().flatten() {
        out +=
            &format!("  {:<5} {} = {}\n", plain(&property["pin"]), plain(&property["name"]), plain(&property["value"]));
    }
    for name in ["metadata", "firmware"] {
        for (key, value) in view[name].as_object().into_iter().flatten() {
            out += &format!("  {name} {} = {}\n", printable(key), plain(value));
        }
    }
    for event in view["events"].as_array().into_iter().flatten() {
        out += &format!("  event {} {}\n", plain(&event["code"]), plain(&event["text"]));
    }
    out
}

/// The diary: one end a paragraph.
pub(crate) fn diary_text(rows: &Value) -> String {
    let mut out = String::new();
    for row in rows.as_array().into_iter().flatten() {
        let device = row["device"].as_u64().map_or("no device".to_owned(), |id| format!("device {id}"));
        out += &format!("{}  {}  {device}", date(row["at_s"].as_u64().unwrap_or_default()), plain(&row["end"]));
        if row["peer"].is_null() {
            out += "  before the server was started";
        } else {
            let (peer, lasted, frames) = (plain(&row["peer"]), plain(&row["lasted_s"]), plain(&row["frames"]));
            out += &format!("  from {peer}  after {lasted} s and {frames} frames");
        }
        out += &format!("\n    {}\n    {}\n", plain(&row["what"]), plain(&row["fix"]));
        let firmware = row["firmware"].as_object().into_iter().flatten();
        let words: Vec<_> = firmware.map(|(key, value)| format!("{}={}", printable(key), plain(value))).collect();
        if !words.is_empty() {
            out += &format!("    firmware: {}\n", words.join(" "));
        }
    }
    if out.is_empty() {
        out.push_str("no connection has ended\n");
    }
    out
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
    let (days, seconds) = (unix_s / 86_400, unix_s % 86_400);
    // Days to a date by the calendar's 400-year cycle, years beginning in March.
    let shifted = days as i64 + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day_of_month:02} {hour:02}:{minute:02}:{second:02}")
}

/// One frame of a watched device.
pub(crate) fn frame_text(frame: &Value) -> String {
    let arrow = if frame["direction"] == "to-device" { "<-" } else { "->" };
    let rest = match frame["status"].as_u64() {
        Some(status) => status.to_string(),
        None => {
            let fields = frame["fields"].as_array().into_iter().flatten().map(plain);
            fields.collect::<Vec<_>>().join(" | ")
        }
    };
    format!("{arrow} {:<14} id {:<5} {rest}\n", plain(&frame["command"]), plain(&frame["id"]))
}

/// Templates, one a line.
pub(crate) fn templates_text(templates: &Value) -> String {
    let mut out = format!("{:<16}  {:>11}  name\n", "id", "datastreams");
    for template in templates.as_array().into_iter().flatten() {
        let count = template["datastreams"].as_array().map_or(0, Vec::len);
        out += &format!("{:<16}  {count:>11}  {}\n", plain(&template["id"]), plain(&template["name"]));
    }
    out
}

/// One template with its datastreams.
pub(crate) fn template_text(template: &Value) -> String {
    let mut out = format!("{}  {}\n", plain(&template["id"]), plain(&template["name"]));
    for stream in template["datastreams"].as_array().into_iter().flatten() {
        let kind = &stream["kind"];
        let range = match kind["type"].as_str() {
            Some("enum") => format!("enum of {}", plain(&kind["count"])),
            Some("text") | None => "text".to_owned(),
            Some(name) => format!("{name} {} to {}", plain(&kind["min"]), plain(&kind["max"])),
        };
        let sync = if stream["sync"] == true { ", synced" } else { "" };
        let (pin, name, unit) = (plain(&stream["pin"]), plain(&stream["name"]), plain(&stream["unit"]));
        out += &format!("  {pin:<5} {name} ({range}{sync}) {unit}\n");
    }
    let events = template["events"].as_array().into_iter().flatten().map(plain);
    out + &format!("  events: {}\n", events.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_device_sends_cannot_drive_the_terminal() {
        let view = json!({
            "id": 7, "online": true, "name": "pump\u{1b}[2J",
            "values": [{"pin": "V1", "value": "1\u{0}2\u{1b}]0;x\u{7}\r\n"}],
            "firmware": {"dev\u{1b}c": "ESP32\u{9b}1m"},
        });
        let text = device_text(&view);
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
        let row = json!([{"at_s": 0, "end": "E0103", "device": 7, "peer": "127.0.0.1:1", "lasted_s": 5, "frames": 9,
            "what": "Silence.", "fix": "Look.", "firmware": {"fw": "1\u{1b}[2J"}}]);
        let text = diary_text(&row);
        assert!(text.contains("E0103  device 7") && text.contains("Look."), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(diary_text(&json!([])).starts_with("no connection"));
        let frame = json!({"direction": "to-device", "command": "RESPONSE", "id": 4, "status": 200});
        assert_eq!(frame_text(&frame), "<- RESPONSE       id 4     200\n");
        let frame = json!({"direction": "from-device", "command": "HARDWARE", "id": 5, "fields": ["vw", "1", "42"]});
        assert_eq!(frame_text(&frame), "-> HARDWARE       id 5     vw | 1 | 42\n");
    }
}

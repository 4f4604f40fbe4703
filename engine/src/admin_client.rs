//! Commands to the running server, through its admin socket.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::limits;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum ClientError {
    /// Nobody answers at the socket.
    NoServer { path: PathBuf, source: std::io::Error },
    /// The connection broke, or the answer is not one.
    Broken(String),
    /// The server says no.
    Refused(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { path, source } => write!(
                f,
                "no server answers at {} ({source}): start one with `linchpin dev`, or name its data directory with --data",
                path.display()
            ),
            Self::Broken(text) => write!(f, "the server's answer could not be read: {text}"),
            Self::Refused(text) => f.write_str(text),
        }
    }
}

/// Ask one thing.
pub(crate) fn ask(socket: &Path, command: &str, mut parameters: Value) -> Result<Value, ClientError> {
    let no_server = |source| ClientError::NoServer { path: socket.into(), source };
    let broken = |error: std::io::Error| ClientError::Broken(error.to_string());
    let mut stream = UnixStream::connect(socket).map_err(no_server)?;
    stream.set_read_timeout(Some(limits::ADMIN_TIMEOUT)).map_err(broken)?;
    parameters["id"] = 1.into();
    parameters["command"] = command.into();
    writeln!(stream, "{parameters}").map_err(broken)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(broken)?;
    let mut answer: Value = serde_json::from_str(&line).map_err(|error| ClientError::Broken(error.to_string()))?;
    match answer.get("error").and_then(|error| error.get("text")).and_then(Value::as_str) {
        Some(text) => Err(ClientError::Refused(text.to_owned())),
        None => Ok(answer["ok"].take()),
    }
}

/// All rows of the device list, page by page.
pub(crate) fn all_devices(socket: &Path) -> Result<Vec<Value>, ClientError> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let after = rows.last().and_then(|row| row["id"].as_u64()).unwrap_or(0);
        let page = ask(socket, "device.list", json!({"after": after, "limit": linchpin_shard::limits::LIST_ROWS}))?;
        match page {
            Value::Array(page) if !page.is_empty() => rows.extend(page),
            _ => return Ok(rows),
        }
    }
}

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
    let mut out = format!(
        "linchpin {}, up {} s, {}\nplain {}, room for {} connections, state in {}\n\n",
        plain(&status["version"]),
        plain(&status["uptime_s"]),
        plain(&status["driver"]),
        status["plain"].as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(" "),
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

#[cfg(test)]
mod tests {
    use super::*;

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
}

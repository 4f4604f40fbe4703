//! What `linchpin dev` prints about devices: one line for each kind of thing that it hears. [`line`] is the whole list.

use std::net::IpAddr;

use linchpin_protocol::model::{DeviceId, one_line};
use linchpin_shard::{Blame, End};

use crate::config::hide_runs;
use crate::limits;
use crate::tick::voice::HeardWire;
use crate::when;

/// What is said. Texts of devices are in it as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SpokenLine {
    /// A device has arrived.
    Online { device: DeviceId, peer: IpAddr, wire: HeardWire, firmware: Option<(Box<str>, Box<str>)> },
    /// The first value of a pin.
    FirstValue { device: DeviceId, pin: String, value: Box<[u8]> },
    /// A device that was logged in is gone.
    Offline { device: DeviceId, end: End, online_ms: u64 },
    /// A connection was sent away.
    Refused { device: Option<DeviceId>, peer: IpAddr, end: End },
    /// There was more than is printed.
    LeftOut(u64),
}

/// What lines need besides what they are about.
pub(super) struct Around<'a> {
    /// Names of devices.
    pub(super) names: &'a dyn Fn(DeviceId) -> Option<String>,
    /// The flag that commands need to find the server: empty or ` --data PATH`.
    pub(super) data: &'a str,
    /// A device for examples.
    pub(super) example: Option<u32>,
}

/// The line, without its time.
pub(super) fn line(said: &SpokenLine, around: &Around<'_>) -> String {
    let named = |device: DeviceId| match (around.names)(device) {
        Some(name) => format!("device {device} \"{}\"", word(&name)),
        None => format!("device {device}"),
    };
    match said {
        SpokenLine::Online { device, peer, wire, firmware } => {
            let (board, library) = firmware.as_ref().map_or(("", ""), |(board, library)| (&**board, &**library));
            let board = if board.is_empty() { String::new() } else { format!("{}, ", word(board)) };
            let library = match (library, wire.is_mqtt) {
                ("", _) | (_, true) => String::new(),
                (version, false) => format!("Blynk {}, ", word(version)),
            };
            format!("{} online from {peer}, {board}{library}{wire}", named(*device))
        }
        SpokenLine::FirstValue { device, pin, value } => {
            format!("{} first value: {pin} = {}", named(*device), word(&String::from_utf8_lossy(value)))
        }
        SpokenLine::Offline { device, end, online_ms } => {
            let next = if end.blame() == Blame::Nobody { String::new() } else { next(*end, Some(*device), around) };
            format!("{} offline after {} ({end}): {}{next}", named(*device), when::span(online_ms / 1_000), end.what())
        }
        SpokenLine::Refused { device, peer, end } => {
            let who =
                device.map_or_else(|| format!("refused {peer}"), |id| format!("refused {} from {peer}", named(id)));
            format!("{who} ({end}): {}{}", end.what(), next(*end, *device, around))
        }
        SpokenLine::LeftOut(count) => format!(
            "{count} more lines were left out; all devices: linchpin device list{0}, all ends: linchpin device diary{0}",
            around.data
        ),
    }
}

/// The command that helps most.
fn next(end: End, device: Option<DeviceId>, around: &Around<'_>) -> String {
    let data = around.data;
    let command = match (end, device) {
        (End::TokenUnknown | End::TokenShape | End::MqttLogin, _) => {
            let id = around.example.map_or_else(|| "ID".to_owned(), |id| id.to_string());
            format!("linchpin device token {id}{data}")
        }
        (End::TemplateMismatch, _) => format!("linchpin template list{data}"),
        (_, Some(id)) => format!("linchpin device diary {id}{data}"),
        (_, None) => format!("linchpin explain {end}"),
    };
    format!(" Next: {command}")
}

/// Text of a device or a person for a terminal: short, without hidden characters and tokens.
fn word(text: &str) -> String {
    let text = hide_runs(&one_line(text), |run_bytes| run_bytes >= linchpin_protocol::limits::TOKEN_BYTES);
    let mut short: String = text.chars().take(limits::HEARD_WORD_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

//! Questions about history: `data/get`.

use serde::{Deserialize, Serialize};

use super::{Dialect, PinRef, Reply, Request, Target};

/// Values of a pin, or of all, over a time. Names are those of the API; what they stand for is known where history is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The pin; `None`: all pins of the device.
    pub pin: Option<PinRef>,
    /// How far back: `HOUR`, `DAY`, `WEEK`, `MONTH`, `THREE_MONTHS`.
    pub period: Box<str>,
    /// How fine: `RAW_DATA`, `MINUTE`, `HOURLY`, `DAILY`.
    pub granularity: Box<str>,
    /// Which value of a row: `AVG`, `MIN`, `MAX`, `SUM`, `COUNT`, `LAST`.
    pub source: Box<str>,
    /// How times look: `TS`, `ISO`, `ISO_US`, `ISO_SIMPLE`.
    pub format: Box<str>,
    /// The zone of local times: its name as given.
    pub zone: Box<str>,
    /// What comes.
    pub output: HistoryOutput,
    /// Events too.
    pub events: bool,
    /// The host that was asked, for links.
    pub host: Box<str>,
}

/// What a question about history is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryOutput {
    /// The values, as JSON.
    Json,
    /// The values, as CSV.
    Csv,
    /// A link to a file with the values.
    File,
    /// The same, as the legacy API has it: a redirect to the file.
    LegacyFile,
}

/// Longest of the names, bytes.
const NAME_BYTES: usize = 32;
/// Longest host, bytes: a name of DNS with a port.
const HOST_BYTES: usize = 260;

/// What a request asks, with the defaults of the API.
pub(super) fn history(target: &Target<'_>, pin: Option<PinRef>, request: &Request<'_>) -> Result<History, Reply> {
    let name = |key: &str, default: &str| name(target, key, default).map(|name| name.to_ascii_uppercase().into());
    let output: Box<str> = name("output", "JSON")?;
    let output = match &*output {
        "JSON" => HistoryOutput::Json,
        "CSV" => HistoryOutput::Csv,
        "FILE" => HistoryOutput::File,
        _ => return Err(wrong(&format!("output is JSON, CSV or FILE, not {output}."))),
    };
    let events: Box<str> = name("sendEvents", "false")?;
    let events = match &*events {
        "TRUE" => true,
        "FALSE" => false,
        _ => return Err(wrong(&format!("sendEvents is true or false, not {}.", events.to_ascii_lowercase()))),
    };
    Ok(History {
        pin,
        period: name("period", "MONTH")?,
        granularity: name("granularityType", "RAW_DATA")?,
        source: name("sourceType", "AVG")?,
        format: name("format", "TS")?,
        zone: self::name(target, "tzName", "UTC")?.into(),
        output,
        events,
        host: host(request),
    })
}

/// All of a pin, as the legacy API gives it.
pub(super) fn legacy_history(pin: PinRef, request: &Request<'_>) -> History {
    History {
        pin: Some(pin),
        period: "THREE_MONTHS".into(),
        granularity: "MINUTE".into(),
        source: "AVG".into(),
        format: "TS".into(),
        zone: "UTC".into(),
        output: HistoryOutput::LegacyFile,
        events: false,
        host: host(request),
    }
}

fn host(request: &Request<'_>) -> Box<str> {
    let host = request.head.host.filter(|host| host.len() <= HOST_BYTES && super::host_name(host.as_bytes()).is_some());
    host.unwrap_or("localhost").into()
}

fn name(target: &Target<'_>, key: &str, default: &str) -> Result<String, Reply> {
    match target.get(key) {
        None => Ok(default.into()),
        Some(name) if name.len() <= NAME_BYTES => {
            std::str::from_utf8(&name).map(str::to_owned).map_err(|_| wrong(&format!("{key} is no text.")))
        }
        Some(name) => Err(wrong(&format!("{key} has {NAME_BYTES} bytes at most, this one {}.", name.len()))),
    }
}

fn wrong(message: &str) -> Reply {
    Reply::error(Dialect::Current, 400, message)
}

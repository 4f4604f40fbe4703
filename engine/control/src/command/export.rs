//! History of a device as text, piece by piece: however long it is, only some pieces are in memory.

use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::Pin;
use linchpin_shard::{Command, Report, home_of};
use linchpin_storage::schema::DeviceKey;
use linchpin_storage::{Error, ExportFormat, ExportQuery, Granularity, Period, Source, TimeFormat};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::command::Desk;
use crate::command::parameters::{device_id, no_such_device, optional_text, optional_u64, parse_pin};
use crate::{CommandError, limits};

/// The pieces of an export; ends after the first error.
pub(crate) type Pieces = mpsc::Receiver<Result<String, CommandError>>;

impl Desk {
    /// Begin an export.
    pub(crate) async fn export(&self, parameters: &Value) -> Result<Pieces, CommandError> {
        let device = device_id(parameters)?;
        let entry = self.registry.lock().await.device(device).cloned().ok_or_else(|| no_such_device(device))?;
        let Some(keep) = self.keep.clone() else {
            return Err(CommandError::new("refused", "this server keeps no history: its state is in memory only"));
        };
        let mut query = query(parameters, DeviceKey::new(entry.org, device))?;
        if query.pins.is_empty() {
            // Whatever has history has a latest value too.
            let ask = |request| Command::Device { request, device };
            if let Report::Device(view) = self.shards.ask(home_of(device, self.shards.count()), ask).await? {
                query.pins = view.values.iter().map(|value| value.0).collect();
            }
        }
        let (send, pieces) = mpsc::channel(limits::EXPORT_PIECES);
        tokio::task::spawn_blocking(move || {
            let failed = |error: &Error| CommandError::new("store", error.to_string());
            let export = match keep.store().export(query) {
                Ok(export) => export,
                Err(error) => return drop(send.blocking_send(Err(failed(&error)))),
            };
            for piece in export {
                let piece = piece.map_err(|error| failed(&error));
                // Whoever asked has gone away.
                if send.blocking_send(piece.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())).is_err() {
                    return;
                }
            }
        });
        Ok(pieces)
    }
}

fn query(parameters: &Value, key: DeviceKey) -> Result<ExportQuery, CommandError> {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let text = |name: &'static str, default: &'static str| Ok(optional_text(parameters, name)?.unwrap_or(default));
    let wrong = CommandError::parameter;
    let period = Period::parse(text("period", "MONTH")?)
        .ok_or_else(|| wrong("period", "HOUR, DAY, WEEK, MONTH or THREE_MONTHS"))?;
    let to_ms = optional_u64(parameters, "to_ms")?.unwrap_or(now_ms);
    Ok(ExportQuery {
        key,
        pins: pins(parameters)?,
        from_ms: optional_u64(parameters, "from_ms")?.unwrap_or(to_ms.saturating_sub(period.ms())),
        to_ms,
        granularity: Granularity::parse(text("granularity", "RAW_DATA")?)
            .ok_or_else(|| wrong("granularity", "RAW_DATA, MINUTE, HOURLY or DAILY"))?,
        source: Source::parse(text("source", "AVG")?)
            .ok_or_else(|| wrong("source", "AVG, MIN, MAX, SUM, COUNT or LAST"))?,
        format: match text("output", "CSV")? {
            "CSV" => ExportFormat::Csv,
            "JSON" => ExportFormat::Json,
            _ => return Err(wrong("output", "CSV or JSON")),
        },
        time: TimeFormat::parse(text("format", "ISO")?)
            .ok_or_else(|| wrong("format", "TS, ISO, ISO_US or ISO_SIMPLE"))?,
        ahead_minutes: 0,
    })
}

fn pins(parameters: &Value) -> Result<Vec<Pin>, CommandError> {
    let wrong = || CommandError::parameter("pins", "a list of pins such as V7");
    match parameters.get("pins") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(pins)) if pins.len() <= linchpin_storage::limits::LATEST_PINS => {
            let pin = |pin: &Value| parse_pin(pin.as_str()?);
            pins.iter().map(|given| pin(given).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

//! History of a device as text, piece by piece: however long it is, only some pieces are in memory.

use linchpin_protocol::model::Pin;
use linchpin_shard::{Command, Report, home_of};
use linchpin_storage::schema::DeviceKey;
use linchpin_storage::{ExportFormat, ExportQuery, Zone};
use tokio::sync::mpsc;

use super::desk::Desk;
use super::request::{DeviceExport, ExportBegun, ExportPiece, ExportedAs};
use super::run::Items;
use crate::{Code, CommandError, clock, limits};

/// Begin an export.
pub(super) async fn export(desk: &Desk, asked: DeviceExport) -> Result<(ExportBegun, Pieces), CommandError> {
    let device = asked.device.0;
    let no_such_device = || CommandError::no_such_device(device);
    let entry = desk.registry().device(device).cloned().ok_or_else(no_such_device)?;
    let Some(upkeep) = desk.upkeep.clone() else {
        return Err(CommandError::new(Code::Refused, "this server keeps no history: its state is in memory only"));
    };
    let mut query = query(&asked, DeviceKey::new(entry.org, device));
    if query.pins.is_empty() {
        // Whatever has history has a latest value too.
        let ask = |request| Command::Device { request, device };
        if let Report::Device(view) = desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
            query.pins = view.values.iter().map(|value| value.0).collect();
        }
    }
    let begun = ExportBegun { pins: query.pins.iter().map(Pin::to_string).collect() };
    let (send, pieces) = mpsc::channel(limits::EXPORT_PIECES);
    tokio::task::spawn_blocking(move || {
        let export = match upkeep.keep().store().export(query) {
            Ok(export) => export,
            Err(error) => return drop(send.blocking_send(Err(error.into()))),
        };
        for piece in export {
            let piece = piece.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(CommandError::from);
            // Whoever asked has gone away.
            if send.blocking_send(piece).is_err() {
                return;
            }
        }
    });
    Ok((begun, Pieces(pieces)))
}

/// The pieces of an export; ends after the first error.
pub(super) struct Pieces(mpsc::Receiver<Result<String, CommandError>>);

impl Items for Pieces {
    type Item = ExportPiece;

    async fn next(&mut self) -> Option<Result<ExportPiece, CommandError>> {
        Some(self.0.recv().await?.map(|piece| ExportPiece { piece }))
    }
}

fn query(asked: &DeviceExport, key: DeviceKey) -> ExportQuery {
    let now_ms = clock::now_ms();
    let to_ms = asked.to_ms.unwrap_or(now_ms);
    ExportQuery {
        key,
        pins: asked.pins.iter().map(|pin| pin.0).collect(),
        from_ms: asked.from_ms.unwrap_or_else(|| to_ms.saturating_sub(asked.period.0.ms())),
        to_ms,
        granularity: asked.granularity.0,
        source: asked.source.0,
        format: match asked.output {
            ExportedAs::Csv => ExportFormat::Csv,
            ExportedAs::Json => ExportFormat::Json,
        },
        time: asked.format.0,
        zone: Zone::UTC,
        events: false,
    }
}

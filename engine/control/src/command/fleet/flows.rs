//! What comes in pieces: history as a file, the fleet as a file, and the frames of a device.

use std::collections::HashMap;
use std::sync::Arc;

use linchpin_protocol::model::TemplateId;

use super::{held, list};
use crate::CommandError;
use crate::access::right;
use crate::audit::AuditAction;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::export::{Pieces, export};
use crate::command::request::{
    DeviceExport, DeviceTap, ExportBegun, ExportedAs, FleetExport, FleetExported, FleetHistory, FleetWire, TapBegun,
};
use crate::command::run::Items;
use crate::command::tap::{Tap, tap};
use crate::fleet::{DeviceFilter, DeviceSort, FleetDevice};

/// Texts of an export, as they are.
pub(in crate::command) struct Texts(Pieces);

impl Items for Texts {
    type Item = String;

    async fn next(&mut self) -> Option<Result<String, CommandError>> {
        Some(self.0.next().await?.map(|piece| piece.piece))
    }
}

/// History of a device as a file. It is written down who took it.
pub(in crate::command) async fn export_history(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetHistory,
) -> Result<(ExportBegun, Texts), CommandError> {
    let FleetHistory { org, device, pins, period, from_ms, to_ms, granularity, source, format, output } = asked;
    let (org, id) = (org.0, device.0);
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::DeviceExport>(org)?;
        Ok(call.loader()?.note_device(&scope, id, (AuditAction::DeviceExport, &[]), call.now_ms())?)
    })
    .await?;
    let export_asked = DeviceExport { device, pins, period, from_ms, to_ms, granularity, source, format, output };
    let (begun, pieces) = export(desk, export_asked).await?;
    let (media, ending) = match output {
        ExportedAs::Csv => ("text/csv; charset=utf-8", "csv"),
        ExportedAs::Json => ("application/json", "json"),
    };
    call.extras(|extras| {
        extras.media = Some(media);
        extras.file_name = Some(format!("device-{id}.{ending}"));
    });
    Ok((begun, Texts(pieces)))
}

/// The frames of a device as they come and go.
pub(in crate::command) async fn wire(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetWire,
) -> Result<(TapBegun, Tap), CommandError> {
    let FleetWire { org, device, seconds } = asked;
    held::<right::DeviceDiagnose>(desk, &call, org.0, device.0).await?;
    tap(desk, DeviceTap { device, seconds }).await
}

/// Lines of a file, made already.
pub(in crate::command) struct Lines(std::vec::IntoIter<String>);

impl Items for Lines {
    type Item = String;

    async fn next(&mut self) -> Option<Result<String, CommandError>> {
        self.0.next().map(Ok)
    }
}

/// Text for a cell of CSV: quoted, and no spreadsheet takes it for a formula.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = text.replace('"', "\"\"");
    if is_formula { format!("\"'{text}\"") } else { format!("\"{text}\"") }
}

fn line(device: &FleetDevice, faces: &HashMap<TemplateId, list::TemplateFace>) -> String {
    let face = device.template.and_then(|id| faces.get(&id)).map(|face| cell(&face.name)).unwrap_or_default();
    let state = match (device.presence.is_online, device.presence.since_s) {
        (true, _) => "online",
        (false, 0) => "never",
        (false, _) => "offline",
    };
    let (name, tags) = (cell(&device.name), cell(&device.tags.join("; ")));
    let template = device.template.map(|id| id.as_str().to_owned()).unwrap_or_default();
    let seen = u64::from(device.presence.seen_s) * 1_000;
    format!("{},{},{name},{template},{face},{state},{seen},{tags}\r\n", device.id, device.org)
}

/// The fleet as a file.
pub(in crate::command) async fn export_fleet(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetExport,
) -> Result<(FleetExported, Lines), CommandError> {
    let FleetExport { org, format: _, q, show, template, tag, ids, below } = asked;
    let org = org.0;
    // Whoever may not export sees the list and takes no file of it.
    desk.with_people(&call, move |call| call.scope::<right::DeviceExport>(org).map(drop)).await?;
    let scopes = list::scopes(desk, &call, org, below).await?;
    let filter: DeviceFilter = list::filter_of(&q, show, &template, &tag, &ids)?;
    desk.fleet.refresh(&desk.shards).await?;
    let faces = list::template_faces(desk);
    let name = |id: &TemplateId| faces.get(id).map(|face| face.name.clone());
    let order = (DeviceSort::Id, false);
    let page = desk.fleet.lock().find(&scopes, &filter, order, (None, usize::MAX), &name, call.now_ms());
    let head = "id,organization,name,template,template_name,state,seen_ms,tags\r\n".to_owned();
    let lines: Vec<String> =
        std::iter::once(head).chain(page.devices.iter().map(|device| line(device, &faces))).collect();
    call.extras(|extras| {
        extras.media = Some("text/csv; charset=utf-8");
        extras.file_name = Some("devices.csv".to_owned());
    });
    Ok((FleetExported { devices: page.devices.len() }, Lines(lines.into_iter())))
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn threat_19_cells_are_no_formulas() {
        for bad in ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx"] {
            assert_eq!(cell(bad), format!("\"'{bad}\""));
        }
        assert_eq!((cell("pump"), cell("a=\"b\"")), ("\"pump\"".to_owned(), "\"a=\"\"b\"\"\"".to_owned()));
    }
}

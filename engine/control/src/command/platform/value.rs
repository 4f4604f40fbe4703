//! Values of devices, their history, and metadata.

use std::collections::BTreeMap;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, Pin};
use linchpin_shard::DeviceView;
use linchpin_storage::schema::DeviceKey;
use serde_json::{Value, json};

use super::{home, of_device, pin_name, template_of, text_of, typed};
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::fleet;
use crate::command::request::*;
use crate::{Code, CommandError, TemplateEntry};

pub(super) fn meta_values(view: &DeviceView, entry: Option<&TemplateEntry>) -> Vec<PlatformMetaField> {
    let fields = entry.map_or(&[][..], |entry| &entry.record.sheet.fields);
    let line = |(name, value): &(Box<str>, Box<str>)| {
        let field = fields.iter().find(|field| field.name == *name);
        let kind = field.map_or_else(|| "Text".to_owned(), |field| format!("{:?}", field.kind));
        let (id, name) = (field.map_or(0, |field| field.id), name.to_string());
        PlatformMetaField { id, name, value: json!({"type": kind, "value": &**value}) }
    };
    view.metadata.iter().map(line).collect()
}

pub(in crate::command) async fn values(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformValues,
) -> Result<BTreeMap<String, Value>, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    let (view, entry) = (fleet::view(desk, device).await?, template_of(desk, &record));
    let wanted = |pin: &Pin| asked.pins.is_empty() || asked.pins.iter().any(|wanted| wanted.0 == *pin);
    let stream = |pin: Pin| entry.as_ref().and_then(|entry| entry.template().datastream(pin));
    let values = view.values.iter().filter(|(pin, ..)| wanted(pin));
    Ok(values.map(|(pin, value, _)| (pin_name(*pin), typed(stream(*pin), value))).collect())
}

/// The pins of datastreams by their ids.
async fn pins_of(
    desk: &Desk,
    call: &Arc<RowCall>,
    device: DeviceId,
    ids: &[u32],
) -> Result<(OrgId, Vec<Pin>), CommandError> {
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceControl>(desk, call, org, device).await)?;
    let entry = template_of(desk, &record);
    let pin_of = |id: &u32| {
        let entry = entry.as_ref()?;
        entry.template().datastreams.iter().find(|stream| stream.id == *id).map(|stream| stream.pin)
    };
    let pins = ids.iter().map(|id| pin_of(id).ok_or_else(no_stream)).collect::<Result<_, _>>()?;
    Ok((org, pins))
}

async fn write(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
    (pin, value): (Pin, String),
) -> Result<(), CommandError> {
    let asked = FleetWrite { org: org.into(), device: device.into(), pin: pin.into(), value };
    let written = fleet::write(desk, Arc::clone(call), asked).await?;
    match written.result {
        WriteResult::Refused => Err(CommandError::new(Code::Rejected, written.detail.unwrap_or_default())),
        WriteResult::Delivered | WriteResult::Kept => Ok(()),
    }
}

/// The pin of a datastream by its id.
async fn pin_of(desk: &Desk, call: &Arc<RowCall>, device: DeviceId, id: u32) -> Result<(OrgId, Pin), CommandError> {
    let (org, pins) = pins_of(desk, call, device, &[id]).await?;
    Ok((org, pins.into_iter().next().ok_or_else(no_stream)?))
}

fn no_stream() -> CommandError {
    CommandError::new(Code::NotFound, "DataStream is not found.")
}

pub(in crate::command) async fn set_property(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformPropertySet,
) -> Result<(), CommandError> {
    let (device, value) = (asked.device_id.0, text_of(&asked.value)?);
    let (org, pin) = pin_of(desk, &call, device, asked.data_stream_id).await?;
    fleet::set_property(desk, &call, (org, device), (pin, asked.property, value)).await
}

pub(in crate::command) async fn import(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformImport,
) -> Result<(), CommandError> {
    let device = asked.device_id.0;
    let point = |point: &PlatformPastPoint| Ok((point.ts, text_of(&point.value)?));
    let points = asked.values.iter().map(point).collect::<Result<Vec<_>, CommandError>>()?;
    let (org, pin) = pin_of(desk, &call, device, asked.data_stream_id).await?;
    fleet::import(desk, &call, (org, device), (pin, points)).await
}

pub(in crate::command) async fn set_value(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformValueSet,
) -> Result<(), CommandError> {
    let (device, value) = (asked.device_id.0, text_of(&asked.value)?);
    let (org, pin) = pin_of(desk, &call, device, asked.data_stream_id).await?;
    write(desk, &call, org, device, (pin, value)).await
}

pub(in crate::command) async fn set_values(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformValuesSet,
) -> Result<(), CommandError> {
    let device = asked.device_id.0;
    let wrong = || CommandError::parameter("values", "ids of datastreams with their values").about("values");
    let ids: Vec<u32> =
        asked.values.keys().map(|id| id.parse().map_err(|_| wrong())).collect::<Result<_, CommandError>>()?;
    let texts: Vec<String> = asked.values.values().map(text_of).collect::<Result<_, _>>()?;
    let (org, pins) = pins_of(desk, &call, device, &ids).await?;
    for write_one in pins.into_iter().zip(texts) {
        write(desk, &call, org, device, write_one).await?;
    }
    Ok(())
}

pub(in crate::command) async fn history(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformHistory,
) -> Result<PlatformPage<PlatformPoint>, CommandError> {
    let PlatformHistory { device_id, pin, page, size, from, to } = asked;
    let device = device_id.0;
    let org = home(desk, device)?;
    of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    let (from_ms, to_ms) = (from.unwrap_or(0), to.unwrap_or_else(|| call.now_ms()));
    let key = DeviceKey::new(org, device);
    let read = move |upkeep: &crate::Upkeep| Ok(upkeep.keep().store().samples(key, pin.0, from_ms, to_ms)?);
    let samples = desk.with_upkeep(read).await?;
    Ok(PlatformPage::of(&samples, (page, size), |of| PlatformPoint { created_at: of.at_ms, value: of.value }))
}

pub(in crate::command) async fn metafields(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformMetaFields,
) -> Result<Vec<PlatformMetaField>, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    let (view, entry) = (fleet::view(desk, device).await?, template_of(desk, &record));
    Ok(meta_values(&view, entry.as_ref()))
}

pub(in crate::command) async fn set_metafield(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformMetaFieldSet,
) -> Result<(), CommandError> {
    let (device, value) = (asked.device_id.0, text_of(&asked.new_value)?);
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceEdit>(desk, &call, org, device).await)?;
    let entry = template_of(desk, &record);
    let fields = entry.as_ref().map_or(&[][..], |entry| &entry.record.sheet.fields);
    let field = fields.iter().find(|field| field.id == asked.meta_field_id);
    let no_field = || CommandError::new(Code::NotFound, "Meta field is not found.");
    let name = field.ok_or_else(no_field)?.name.clone();
    fleet::set_field(desk, &call, org, device, (name, value)).await
}

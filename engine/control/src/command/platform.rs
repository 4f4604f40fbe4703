//! Blynk's Platform API: its names and shapes, on the functions of the other rows. Ids of devices say their organization: one
//! that the asker does not see is as missing as one that does not exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use linchpin_protocol::model::{Datastream, DeviceId, OrgId, Pin, ValueKind};
use linchpin_shard::DeviceView;
use linchpin_storage::schema::{Device, DeviceKey};
use serde_json::{Value, json};

use super::call::{RowCall, RowCaller};
use super::desk::Desk;
use super::request::*;
use super::{fleet, sheet};
use crate::access::{ScopeReach, right};
use crate::fleet::{DeviceFilter, DeviceSort};
use crate::{Code, CommandError, TemplateEntry};

fn missing(device: DeviceId) -> CommandError {
    let text = format!("Device with identifier {device} is not found or belong to another organization.");
    CommandError::new(Code::NotFound, text)
}

/// Where a device is, so that its scope can be asked for.
fn home(desk: &Desk, device: DeviceId) -> Result<OrgId, CommandError> {
    desk.fleet.lock().home(device).ok_or_else(|| missing(device))
}

/// What is not there and what may not be seen read the same.
fn of_device<T>(device: DeviceId, result: Result<T, CommandError>) -> Result<T, CommandError> {
    result.map_err(|error| if error.code.status() == 404 { missing(device) } else { error })
}

/// The organization of the asker.
fn own_org(call: &RowCall) -> OrgId {
    let RowCaller::Known(known) = call.caller() else { return OrgId::FIRST };
    let standing = &known.asker.standing;
    let first = || standing.memberships.first().map_or(OrgId::FIRST, |member| member.org);
    standing.view.map_or_else(first, |view| view.org)
}

fn template_of(desk: &Desk, record: &Device) -> Option<TemplateEntry> {
    record.template.and_then(|id| desk.registry().template(id).cloned())
}

fn pin_name(pin: Pin) -> String {
    pin.to_string().to_lowercase()
}

/// Numbers of numeric datastreams are numbers.
fn typed(stream: Option<&Datastream>, value: &[u8]) -> Value {
    let text = String::from_utf8_lossy(value);
    let is_number = stream.is_none_or(|stream| !matches!(stream.kind, ValueKind::Text));
    let number = || match text.parse::<i64>() {
        Ok(number) => Some(Value::from(number)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    };
    is_number.then(number).flatten().unwrap_or_else(|| text.into())
}

fn text_of(value: &Value) -> Result<String, CommandError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(on) => Ok(u8::from(*on).to_string()),
        _ => Err(CommandError::parameter("value", "a number or a text").about("value")),
    }
}

pub(super) async fn devices(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDevices,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformDevices { page, size, include_sub_org_devices, org_id } = asked;
    let org = org_id.map_or_else(|| own_org(&call), |org| org.0);
    let scopes: Vec<(OrgId, ScopeReach)> = fleet::scopes(desk, &call, org, include_sub_org_devices).await?;
    let (order, last) = ((DeviceSort::Id, false), (page + 1) * size);
    let found =
        desk.fleet.lock().find(&scopes, &DeviceFilter::default(), order, (None, last), &|_| None, call.now_ms());
    let registry = desk.registry();
    let line = |device: &crate::fleet::FleetDevice| PlatformDeviceLine {
        id: device.id.get(),
        template_id: device.template.and_then(|id| registry.template(id)).map(|entry| entry.number),
        org_id: device.org.get(),
        name: device.name.to_string(),
        activated_at: u64::from(device.created_s) * 1_000,
        owner_user_id: device.owner.map(|(_, user)| user),
    };
    let content = found.devices.iter().skip(page * size).map(line).collect();
    Ok(PlatformPage { content, total_elements: found.total })
}

fn hardware(view: &DeviceView) -> PlatformHardware {
    let said = |key: &str| view.firmware.iter().find(|(known, _)| **known == *key).map(|(_, value)| value.to_string());
    PlatformHardware {
        version: said("fw"),
        fw_type: said("fw-type"),
        blynk_version: said("ver"),
        board_type: said("dev"),
        build: said("build"),
        template_id: said("tmpl"),
    }
}

fn stream_values(view: &DeviceView, entry: Option<&TemplateEntry>) -> Vec<PlatformValue> {
    let line = |(pin, value, at_ms): &(Pin, Box<[u8]>, u64)| {
        let stream = entry.and_then(|entry| entry.template().datastream(*pin));
        let sheet = entry.and_then(|entry| entry.record.stream(*pin));
        PlatformValue {
            data_stream_id: stream.map_or(0, |stream| stream.id),
            pin: pin_name(*pin),
            data_stream_label: stream.map_or_else(|| pin_name(*pin), |stream| stream.name.to_string()),
            data_stream_alias: sheet.map(|sheet| sheet.alias.to_string()).unwrap_or_default(),
            value: typed(stream, value),
            updated_at: *at_ms,
        }
    };
    view.values.iter().map(line).collect()
}

fn meta_values(view: &DeviceView, entry: Option<&TemplateEntry>) -> Vec<PlatformMetaField> {
    let fields = entry.map_or(&[][..], |entry| &entry.record.sheet.fields);
    let line = |(name, value): &(Box<str>, Box<str>)| {
        let field = fields.iter().find(|field| field.name == *name);
        let kind = field.map_or_else(|| "Text".to_owned(), |field| format!("{:?}", field.kind));
        let (id, name) = (field.map_or(0, |field| field.id), name.to_string());
        PlatformMetaField { id, name, value: json!({"type": kind, "value": &**value}) }
    };
    view.metadata.iter().map(line).collect()
}

async fn full(desk: &Desk, call: &Arc<RowCall>, device: DeviceId) -> Result<PlatformDevice, CommandError> {
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceView>(desk, call, org, device).await)?;
    // Whoever may see tokens sees it here too, and it is written down.
    let token = desk
        .with_people(call, move |call| {
            let Some(scope) = call.scope_if::<right::DeviceToken>(org) else { return Ok(None) };
            Ok(call.loader()?.reveal_token(&scope, device, call.now_ms()).ok())
        })
        .await?;
    desk.fleet.refresh(&desk.shards).await?;
    let (view, entry) = (fleet::view(desk, device).await?, template_of(desk, &record));
    let presence = crate::fleet::presence_of(&desk.fleet.lock(), device);
    let is_online = view.is_shown_online();
    let since_ms = u64::from(presence.since_s) * 1_000;
    Ok(PlatformDevice {
        line: PlatformDeviceLine {
            id: device.get(),
            template_id: entry.as_ref().map(|entry| entry.number),
            org_id: org.get(),
            name: record.name.to_string(),
            activated_at: record.created_ms,
            owner_user_id: record.owner.map(|(_, user)| user),
        },
        token: token.map(Into::into),
        lifecycle_status: PlatformLifecycle { name: if is_online { "Online" } else { "Offline" }.to_owned() },
        connect_time: if is_online { since_ms } else { 0 },
        disconnect_time: if is_online { 0 } else { since_ms },
        hardware_info: hardware(&view),
        ip: view.peer.map(|peer| peer.ip().to_string()),
        data_stream_values: stream_values(&view, entry.as_ref()),
        meta_field_values: meta_values(&view, entry.as_ref()),
    })
}

pub(super) async fn device(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceShow,
) -> Result<PlatformDevice, CommandError> {
    full(desk, &call, asked.device_id.0).await
}

pub(super) async fn create(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceCreate,
) -> Result<PlatformDevice, CommandError> {
    let PlatformDeviceCreate { template_id, org_id, name, owner_id } = asked;
    let org = org_id.unwrap_or_else(|| own_org(&call).into());
    let (tags, metadata) = (Vec::new(), BTreeMap::new());
    let make = FleetMake { org, name, template: Some(template_id), tags, metadata, is_virtual: false };
    let made = fleet::make(desk, Arc::clone(&call), make).await?;
    let device = DeviceId::new(made.id).ok_or_else(|| CommandError::new(Code::Failed, "no device was made"))?;
    if let Some(owner) = owner_id {
        fleet::set_owner(desk, &call, org.0, device, Some(owner)).await?;
    }
    full(desk, &call, device).await
}

pub(super) async fn edit(desk: &Desk, call: Arc<RowCall>, asked: PlatformDeviceEdit) -> Result<(), CommandError> {
    let PlatformDeviceEdit { device_id, name } = asked;
    let org = home(desk, device_id.0)?.into();
    let (template, owner, tags, metadata) = (None, None, None, None);
    let change = FleetChange { org, device: device_id, name: Some(name), template, owner, tags, metadata };
    of_device(device_id.0, fleet::change(desk, call, change).await.map(drop))
}

pub(super) async fn delete(desk: &Desk, call: Arc<RowCall>, asked: PlatformDeviceDelete) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::remove(desk, call, FleetRemove { org, device }).await)
}

pub(super) async fn clear(desk: &Desk, call: Arc<RowCall>, asked: PlatformClear) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::erase(desk, call, FleetErase { org, device }).await)
}

pub(super) async fn remove_owner(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOwnerRemove,
) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::unclaim(desk, call, FleetUnclaim { org, device }).await)
}

pub(super) async fn transfer(desk: &Desk, call: Arc<RowCall>, asked: PlatformTransfer) -> Result<(), CommandError> {
    let PlatformTransfer { device_id: device, new_user_id, new_org_id } = asked;
    let org = home(desk, device.0)?;
    let done = match (new_user_id, new_org_id) {
        (Some(user), _) => fleet::set_owner(desk, &call, org, device.0, Some(user)).await,
        (None, Some(to)) => fleet::move_one(desk, call, FleetMove { org: org.into(), device, to }).await,
        (None, None) => Err(CommandError::parameter("newUserId", "given, or newOrgId").about("newUserId")),
    };
    of_device(device.0, done)
}

pub(super) async fn online(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOnline,
) -> Result<PlatformConnected, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    Ok(PlatformConnected { connected: fleet::view(desk, device).await?.row.online })
}

pub(super) async fn tags(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTags,
) -> Result<Vec<PlatformTag>, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    Ok(record.tags.iter().map(|tag| PlatformTag { name: tag.to_string() }).collect())
}

pub(super) async fn values(
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
    let no_stream = || CommandError::new(Code::NotFound, "DataStream is not found.");
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

pub(super) async fn set_value(desk: &Desk, call: Arc<RowCall>, asked: PlatformValueSet) -> Result<(), CommandError> {
    let (device, value) = (asked.device_id.0, text_of(&asked.value)?);
    let (org, pins) = pins_of(desk, &call, device, &[asked.data_stream_id]).await?;
    match pins.first() {
        Some(pin) => write(desk, &call, org, device, (*pin, value)).await,
        None => Ok(()),
    }
}

pub(super) async fn set_values(desk: &Desk, call: Arc<RowCall>, asked: PlatformValuesSet) -> Result<(), CommandError> {
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

pub(super) async fn history(
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
    let points = samples.iter().skip(page * size).take(size);
    let content = points.map(|sample| PlatformPoint { created_at: sample.at_ms, value: sample.value }).collect();
    Ok(PlatformPage { content, total_elements: samples.len() })
}

pub(super) async fn metafields(
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

pub(super) async fn set_metafield(
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

pub(super) async fn templates(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTemplates,
) -> Result<PlatformPage<PlatformTemplate>, CommandError> {
    let seen = sheet::templates_seen(desk, &call, own_org(&call)).await?;
    let line = |entry: &TemplateEntry| PlatformTemplate {
        id: entry.number,
        template_id: entry.template().id.as_str().to_owned(),
        name: entry.template().name.to_string(),
        description: entry.record.sheet.description.to_string(),
    };
    let content = seen.iter().skip(asked.page * asked.size).take(asked.size).map(line).collect();
    Ok(PlatformPage { content, total_elements: seen.len() })
}

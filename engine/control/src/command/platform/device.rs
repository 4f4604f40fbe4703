//! One device.

use std::collections::BTreeMap;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, Pin};
use linchpin_shard::DeviceView;

use super::value::meta_values;
use super::{home, of_device, own_org, pin_name, template_of, typed};
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::fleet;
use crate::command::request::*;
use crate::{Code, CommandError, TemplateEntry};

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

/// A device without its values, and what they are made from.
async fn base(
    desk: &Desk,
    call: &Arc<RowCall>,
    device: DeviceId,
) -> Result<(PlatformDeviceBase, DeviceView, Option<TemplateEntry>), CommandError> {
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
    let base = PlatformDeviceBase {
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
    };
    Ok((base, view, entry))
}

async fn full(desk: &Desk, call: &Arc<RowCall>, device: DeviceId) -> Result<PlatformDevice, CommandError> {
    let (base, view, entry) = base(desk, call, device).await?;
    Ok(PlatformDevice {
        base,
        data_stream_values: stream_values(&view, entry.as_ref()),
        meta_field_values: meta_values(&view, entry.as_ref()),
    })
}

pub(in crate::command) async fn base_info(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformBaseShow,
) -> Result<PlatformDeviceBase, CommandError> {
    Ok(base(desk, &call, asked.device_id.0).await?.0)
}

pub(in crate::command) async fn device(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceShow,
) -> Result<PlatformDevice, CommandError> {
    full(desk, &call, asked.device_id.0).await
}

pub(in crate::command) async fn create(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceCreate,
) -> Result<PlatformDevice, CommandError> {
    let PlatformDeviceCreate { template_id, org_id, name, owner_id } = asked;
    let org = org_id.unwrap_or_else(|| own_org(&call).into());
    if let Some(owner) = owner_id {
        fleet::check_owner(desk, &call, org.0, owner).await?;
    }
    let (tags, metadata) = (Vec::new(), BTreeMap::new());
    let make = FleetMake { org, name, template: Some(template_id), tags, metadata, is_virtual: false };
    let made = fleet::make(desk, Arc::clone(&call), make).await?;
    let device = DeviceId::new(made.id).ok_or_else(|| CommandError::new(Code::Failed, "no device was made"))?;
    if let Some(owner) = owner_id {
        fleet::set_owner(desk, &call, org.0, device, Some(owner)).await?;
    }
    full(desk, &call, device).await
}

pub(in crate::command) async fn edit(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceEdit,
) -> Result<(), CommandError> {
    let PlatformDeviceEdit { device_id, name } = asked;
    let org = home(desk, device_id.0)?.into();
    let (template, owner, tags, metadata) = (None, None, None, None);
    let change = FleetChange { org, device: device_id, name: Some(name), template, owner, tags, metadata };
    of_device(device_id.0, fleet::change(desk, call, change).await.map(drop))
}

pub(in crate::command) async fn delete(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceDelete,
) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::remove(desk, call, FleetRemove { org, device }).await)
}

pub(in crate::command) async fn clear(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformClear,
) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::erase(desk, call, FleetErase { org, device }).await)
}

pub(in crate::command) async fn remove_owner(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOwnerRemove,
) -> Result<(), CommandError> {
    let device = asked.device_id;
    let org = home(desk, device.0)?.into();
    of_device(device.0, fleet::unclaim(desk, call, FleetUnclaim { org, device }).await)
}

pub(in crate::command) async fn transfer(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTransfer,
) -> Result<(), CommandError> {
    let PlatformTransfer { device_id: device, new_user_id, new_org_id } = asked;
    let org = home(desk, device.0)?;
    let done = match (new_user_id, new_org_id) {
        (Some(user), _) => fleet::set_owner(desk, &call, org, device.0, Some(user)).await,
        (None, Some(to)) => fleet::move_one(desk, call, FleetMove { org: org.into(), device, to }).await,
        (None, None) => Err(CommandError::parameter("newUserId", "given, or newOrgId").about("newUserId")),
    };
    of_device(device.0, done)
}

pub(in crate::command) async fn online(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformOnline,
) -> Result<PlatformConnected, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    Ok(PlatformConnected { connected: fleet::view(desk, device).await?.row.online })
}

pub(in crate::command) async fn tags(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformTags,
) -> Result<Vec<PlatformTag>, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    let record = of_device(device, fleet::held::<right::DeviceView>(desk, &call, org, device).await)?;
    Ok(record.tags.iter().map(|tag| PlatformTag { name: tag.to_string() }).collect())
}

//! Devices, a page at a time.

use std::sync::Arc;

use linchpin_protocol::model::OrgId;

use super::own_org;
use crate::CommandError;
use crate::access::ScopeReach;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::fleet;
use crate::command::request::*;
use crate::fleet::{DeviceFilter, DeviceSort};

pub(in crate::command) async fn devices(
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

//! Boards that are set up, and static tokens.

use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_storage::schema::StaticState;

use super::org::of_org;
use super::{home, of_device, org_or_own};
use crate::access::right;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::fleet;
use crate::command::request::*;
use crate::loader::static_token::StaticLine;
use crate::{Code, CommandError};

pub(in crate::command) async fn provision(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformProvision,
) -> Result<PlatformProvisioned, CommandError> {
    let PlatformProvision { org_id: org, owner_id: owner } = asked;
    of_org(fleet::check_owner(desk, &call, org.0, owner).await)?;
    let made = fleet::provision(desk, Arc::clone(&call), ProvisionMake { org, name: String::new() }).await?;
    let device = DeviceId::new(made.device).ok_or_else(|| CommandError::new(Code::Failed, "no device was made"))?;
    fleet::set_owner(desk, &call, org.0, device, Some(owner)).await?;
    // Blynk's answer to this is a 200.
    call.extras(|extras| extras.status = None);
    Ok(PlatformProvisioned { token: made.token, device_id: made.device })
}

pub(in crate::command) async fn reconfigure(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformReconfigure,
) -> Result<PlatformReconfigured, CommandError> {
    let device = asked.device_id.0;
    let org = home(desk, device)?;
    let is_sent = of_device(device, fleet::reconfigure(desk, &call, (org, device)).await)?;
    Ok(PlatformReconfigured { device_is_offline: !is_sent })
}

pub(in crate::command) async fn statics(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformStatics,
) -> Result<PlatformPage<PlatformStatic>, CommandError> {
    let PlatformStatics { org_id, page, size } = asked;
    let org = org_or_own(&call, org_id);
    let look = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceBatch>(org)?;
        Ok(call.loader()?.static_page(&scope, (page * size, size))?)
    };
    let (found, total_elements) = of_org(desk.with_people(&call, look).await)?;
    let content = found.iter().map(|pair| line(desk, org, pair)).collect();
    Ok(PlatformPage { content, total_elements })
}

fn line(desk: &Desk, org: OrgId, pair: &StaticLine) -> PlatformStatic {
    let (status, device) = match pair.state {
        StaticState::Unclaimed => ("UNCLAIMED", None),
        StaticState::Claimed(device) => ("CLAIMED", Some(device)),
        StaticState::Withdrawn => ("WITHDRAWN", None),
    };
    // What was given to another organization since is that one's.
    let known = device.and_then(|device| desk.fleet.lock().device(device)).filter(|device| device.org == org);
    PlatformStatic {
        id: pair.number,
        org_id: org.get(),
        product_id: desk.registry().template(pair.template).map(|entry| entry.number),
        created_at: pair.made_ms,
        status: status.to_owned(),
        owner_id: known.as_ref().and_then(|device| device.owner).map_or(0, |(_, user)| user),
        device_id: device.map_or(0, DeviceId::get),
        claimed_org_id: known.map_or(0, |device| device.org.get()),
    }
}

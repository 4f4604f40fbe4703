//! Devices, a page at a time.

use std::collections::HashMap;
use std::sync::Arc;

use linchpin_protocol::model::{OrgId, TemplateId};

use super::org::of_org;
use super::user::missing_person;
use super::{hidden, org_or_own};
use crate::CommandError;
use crate::access::{ScopeReach, right};
use crate::account::EmailAddress;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::fleet;
use crate::command::request::*;
use crate::fleet::{DeviceFilter, DeviceSort};

/// Which devices, in which order, and which part of them.
struct Question {
    scopes: Vec<(OrgId, ScopeReach)>,
    filter: DeviceFilter,
    order: (DeviceSort, bool),
    page: usize,
    size: usize,
}

async fn answer(
    desk: &Desk,
    call: &RowCall,
    asked: Question,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let Question { scopes, filter, order, page, size } = asked;
    if matches!(order.0, DeviceSort::Seen | DeviceSort::State) {
        desk.fleet.refresh(&desk.shards).await?;
    }
    let faces: HashMap<TemplateId, (u32, Box<str>)> = {
        let registry = desk.registry();
        let face = |entry: &crate::TemplateEntry| (entry.template().id, (entry.number, entry.template().name.clone()));
        registry.template_entries().map(face).collect()
    };
    let name = |id: &TemplateId| faces.get(id).map(|(_, name)| name.clone());
    let last = (page + 1) * size;
    let found = desk.fleet.lock().find(&scopes, &filter, order, (None, last), &name, call.now_ms());
    let line = |device: &crate::fleet::FleetDevice| PlatformDeviceLine {
        id: device.id.get(),
        template_id: device.template.and_then(|id| faces.get(&id)).map(|(number, _)| *number),
        org_id: device.org.get(),
        name: device.name.to_string(),
        activated_at: u64::from(device.created_s) * 1_000,
        owner_user_id: device.owner.map(|(_, user)| user),
    };
    let content = found.devices.iter().skip(page * size).map(line).collect();
    Ok(PlatformPage { content, total_elements: found.total })
}

pub(in crate::command) async fn devices(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDevices,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformDevices { page, size, include_sub_org_devices, org_id } = asked;
    let org = org_or_own(&call, org_id);
    let scopes = fleet::scopes(desk, &call, org, include_sub_org_devices).await?;
    let (filter, order) = (DeviceFilter::default(), (DeviceSort::Id, false));
    answer(desk, &call, Question { scopes, filter, order, page, size }).await
}

pub(in crate::command) async fn search_devices(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformDeviceSearch,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformDeviceSearch { query, sort_by, sort_order, org_id, page, size } = asked;
    let org = org_or_own(&call, org_id);
    let scopes = of_org(fleet::scopes(desk, &call, org, false).await)?;
    let words = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let is_descending = sort_order == PlatformOrder::Desc;
    let order = match sort_by {
        PlatformSort::Id => (DeviceSort::Id, is_descending),
        PlatformSort::Name => (DeviceSort::Name, is_descending),
        PlatformSort::Template => (DeviceSort::Template, is_descending),
        PlatformSort::Status => (DeviceSort::State, is_descending),
        // These two begin with the last of them.
        PlatformSort::Activated => (DeviceSort::Created, !is_descending),
        PlatformSort::Reported => (DeviceSort::Seen, !is_descending),
    };
    let filter = DeviceFilter { words, ..DeviceFilter::default() };
    answer(desk, &call, Question { scopes, filter, order, page, size }).await
}

pub(in crate::command) async fn last_activated(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformLastActivated,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformLastActivated { org_id, page, size } = asked;
    let org = org_or_own(&call, org_id);
    let scopes = of_org(fleet::scopes(desk, &call, org, false).await)?;
    let (filter, order) = (DeviceFilter::default(), (DeviceSort::Created, false));
    answer(desk, &call, Question { scopes, filter, order, page, size }).await
}

pub(in crate::command) async fn by_owner(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformByOwner,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformByOwner { owner_email, org_id, page, size } = asked;
    let org = org_or_own(&call, org_id);
    let scopes = of_org(fleet::scopes(desk, &call, org, false).await)?;
    // Who may not see people learns nothing of an address: that is asked before it is looked up.
    of_org(desk.with_people(&call, move |call| call.scope::<right::UserView>(org).map(drop)).await)?;
    let email = EmailAddress::parse(&owner_email).map_err(|fault| CommandError::from(fault).about("ownerEmail"))?;
    let found = desk.with_people(&call, move |call| {
        let scope = call.scope::<right::UserView>(org)?;
        Ok(call.loader()?.person_of(&scope, &email)?.id)
    });
    let owner = Some(hidden(found.await, missing_person)?);
    let (filter, order) = (DeviceFilter { owner, ..DeviceFilter::default() }, (DeviceSort::Id, false));
    answer(desk, &call, Question { scopes, filter, order, page, size }).await
}

pub(in crate::command) async fn by_user_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformByUserOrg,
) -> Result<PlatformPage<PlatformDeviceLine>, CommandError> {
    let PlatformByUserOrg { user_email, org_id, page, size } = asked;
    let org = org_or_own(&call, org_id);
    let look = move |call: &RowCall| {
        call.scope::<right::DeviceView>(org)?;
        call.scope::<right::UserView>(org).map(drop)
    };
    of_org(desk.with_people(&call, look).await)?;
    let email = EmailAddress::parse(&user_email).map_err(|fault| CommandError::from(fault).about("userEmail"))?;
    let found = desk.with_people(&call, move |call| {
        let loader = call.loader()?;
        let home = loader.find_person(&email)?.map(|person| person.id.0);
        let home = home.filter(|home| loader.directory().tree.is_within(*home, org));
        // Only where the caller sees the people too.
        home.filter(|home| call.scope_if::<right::UserView>(*home).is_some()).ok_or_else(missing_person)
    });
    let home = found.await?;
    let scopes = hidden(fleet::scopes(desk, &call, home, false).await, missing_person)?;
    let (filter, order) = (DeviceFilter::default(), (DeviceSort::Id, false));
    answer(desk, &call, Question { scopes, filter, order, page, size }).await
}

//! Devices as objects of organizations, for whoever may: lists, sheets, changes, values, history, tokens, shares, transfers.
//!
//! Records are changed by the [loaders](crate::loader), which take scopes; what is durable is then put into the registry and
//! the index of devices, and the shards are told.

mod access;
mod batch;
mod bulk;
mod claim;
mod flows;
mod list;
mod moves;
mod one;
mod pending;
mod reports;
mod template;
mod verbs;

use std::collections::BTreeSet;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};
use linchpin_shard::WhoseRights;
use linchpin_storage::schema::Device;

pub(in crate::command) use access::{end_share, list_shares, replace_token, set_share, show_token};
pub(in crate::command) use batch::batch;
pub(in crate::command) use bulk::bulk;
pub(in crate::command) use claim::{claim, list_static, make_static, provision, provision_again};
pub(in crate::command) use flows::{export_fleet, export_history, wire};
pub(in crate::command) use list::{list, scopes, tags};
pub(crate) use moves::resume_moves;
pub(in crate::command) use moves::{move_one, unclaim};
pub(in crate::command) use one::{
    change, check_owner, device_values, give_template, make, name_of as people_name, remove, set_field, set_owner,
    show, view,
};
pub(crate) use pending::follow as follow_boards;
pub(in crate::command) use reports::{attempts, chart, diary, erase, values, write};
pub(in crate::command) use template::template;
pub(in crate::command) use verbs::{import, log_event, reconfigure, set_property};

use super::call::RowCall;
use super::desk::Desk;
use crate::access::Right;
use crate::shards::Fact;
use crate::{CommandError, DeviceEntry};

/// The device, if the caller may do `P` with it.
///
/// # Errors
/// They may not, or it is missing: the same for whoever may not see it.
pub(in crate::command) async fn held<P: Right + 'static>(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
) -> Result<Device, CommandError> {
    desk.with_people(call, move |call| {
        let scope = call.scope::<P>(org)?;
        Ok(call.loader()?.device(&scope, device, call.now_ms())?)
    })
    .await
}

/// As the registry has it.
fn entry(org: OrgId, id: DeviceId, record: &Device) -> DeviceEntry {
    let Device { name, template, token_epoch, .. } = record;
    DeviceEntry { id, org, name: name.clone(), template: *template, token_epoch: *token_epoch }
}

/// A device was changed in the store: registry, index and its home follow.
///
/// # Errors
/// The registry does not take it.
async fn publish(desk: &Desk, org: OrgId, device: DeviceId, record: &Device) -> Result<(), CommandError> {
    desk.registry().change(&entry(org, device, record))?;
    put_in_lists(desk, org, &[(device, record.clone())]);
    desk.publish([Fact::Device(device)]).await;
    Ok(())
}

/// Lists show devices as they are now. Whoever saw one as their own and does not any more, or does from now on, is granted
/// anew: live sockets go by what was theirs when they began.
fn put_in_lists(desk: &Desk, org: OrgId, devices: &[(DeviceId, Device)]) {
    let (mut lost, mut gained) = (Vec::new(), BTreeSet::new());
    {
        let mut fleet = desk.fleet.lock();
        for (device, record) in devices {
            let before = fleet.device(*device).map(|known| (known.org, known.owner));
            fleet.put(org, *device, record);
            if before != Some((org, record.owner)) {
                lost.extend(before.map(|_| *device));
                gained.extend(record.owner);
            }
        }
    }
    let Some(people) = &desk.people else { return };
    let ended = people.loader().ended();
    lost.into_iter().for_each(|device| ended.tell(WhoseRights::Device(device), false));
    for (home, user) in gained {
        // Who sees all devices of the organization sees it already.
        if !access::sees_all(people.loader(), org, (home, user)) {
            ended.tell(WhoseRights::Person { org: home, user }, false);
        }
    }
}

/// May devices of this organization have this template?
///
/// # Errors
/// There is none that the organization sees.
fn check_template(desk: &Desk, call: &RowCall, org: OrgId, id: TemplateId) -> Result<(), CommandError> {
    let entry = desk.registry().template(id).cloned();
    let entry = entry.filter(|entry| call.loader().is_ok_and(|loader| loader.is_template_for(org, entry)));
    let expected = "a template that the organization has, or is given by one above";
    entry.map(drop).ok_or_else(|| CommandError::parameter("template", expected).about("template"))
}

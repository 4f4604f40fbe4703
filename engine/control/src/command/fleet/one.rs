//! One device: made, shown, changed, removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_shard::{Command, DeviceView, Report, home_of};
use linchpin_storage::schema::Device;

use super::{check_template, entry, held, list, publish, put_in_lists};
use crate::access::scope::check;
use crate::access::{Permission, PersonRef, ScopeReach, right};
use crate::audit::AuditAction;
use crate::command::call::{RowCall, RowCaller};
use crate::command::desk::Desk;
use crate::command::erase;
use crate::command::request::{DeviceRemove, FleetChange, FleetMade, FleetMake, FleetRemove, FleetSheet, FleetShowOne};
use crate::fleet::presence_of;
use crate::loader::device::DeviceEdit;
use crate::shards::Fact;
use crate::{Code, CommandError, Made, NewDevices, clock, limits};

/// Reserve ids and tokens, store the devices, and let everybody know of them.
pub(super) async fn make_all(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    wanted: Vec<Device>,
) -> Result<Vec<(DeviceId, Device)>, CommandError> {
    if !desk.desired.has_room(2 * wanted.len()) {
        let text = format!("{} changes wait for shards: try again in a moment", limits::UNACKNOWLEDGED);
        return Err(CommandError::new(Code::Busy, text).again_in(1_000));
    }
    let new = NewDevices { count: wanted.len() as u32, org, ..NewDevices::default() };
    let reserved = desk.registry().reserve(&new)?;
    let mut devices: Vec<(DeviceId, Device)> = reserved
        .iter()
        .zip(wanted)
        .map(|(made, device)| (made.entry.id, Device { token: made.token, ..device }))
        .collect();
    let stored = desk
        .with_people(call, move |call| {
            let scope = call.scope::<right::DeviceCreate>(org)?;
            call.loader()?.create_devices(&scope, &mut devices, call.now_ms())?;
            Ok(devices)
        })
        .await;
    let devices = match stored {
        Ok(devices) => devices,
        Err(error) => {
            desk.registry().give_up(&reserved);
            return Err(error);
        }
    };
    let made: Vec<Made> =
        devices.iter().map(|(id, device)| Made { entry: entry(org, *id, device), token: device.token }).collect();
    let facts: Vec<Fact> = {
        let mut registry = desk.registry();
        registry.publish(&made)?;
        let facts =
            |made: &Made| [Fact::Device(made.entry.id), Fact::Token(registry.digest(&made.token), made.entry.id)];
        made.iter().flat_map(facts).collect()
    };
    put_in_lists(desk, org, &devices);
    desk.publish(facts).await;
    Ok(devices)
}

/// A device without token and id yet.
pub(super) fn blank(name: &str, template: Option<linchpin_protocol::model::TemplateId>, tags: Vec<String>) -> Device {
    let token = linchpin_protocol::model::Token::from_random(&[0; 24]);
    let device = Device::new(name.into(), template, token, clock::now_ms());
    Device { tags: tags.into_iter().map(Into::into).collect(), ..device }
}

pub(in crate::command) async fn make(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetMake,
) -> Result<FleetMade, CommandError> {
    let FleetMake { org, name, template, tags, metadata, is_virtual } = asked;
    let (org, template) = (org.0, template.map(|id| id.0));
    if is_virtual {
        desk.with_people(&call, move |call| call.scope::<right::DeviceCreate>(org).map(drop)).await?;
        desk.players.check_room()?;
    }
    if let Some(template) = template {
        // Whoever may not make any learns nothing of templates.
        desk.with_people(&call, move |call| call.scope::<right::DeviceCreate>(org).map(drop)).await?;
        check_template(desk, &call, org, template)?;
    }
    let made = make_all(desk, &call, org, vec![blank(&name, template, tags)]).await?;
    let Some((id, device)) = made.into_iter().next() else {
        return Err(CommandError::new(Code::Failed, "no device was made"));
    };
    if !metadata.is_empty() {
        describe(desk, id, &BTreeMap::new(), &metadata).await?;
    }
    if is_virtual {
        let players = Arc::clone(&desk.players);
        let added = tokio::task::spawn_blocking(move || players.add(id)).await;
        added.map_err(|_| CommandError::new(Code::Failed, "the virtual device was not started"))??;
        desk.players.spawn(id);
    }
    call.extras(|extras| extras.status = Some(201));
    let (host, port, port_tls) = desk.address();
    Ok(FleetMade { id: id.get(), name: device.name.to_string(), token: device.token.into(), host, port, port_tls })
}

/// What the home of a device knows of it.
pub(in crate::command) async fn view(desk: &Desk, device: DeviceId) -> Result<DeviceView, CommandError> {
    let ask = |request| Command::Device { request, device };
    match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Device(view) => Ok(*view),
        _ => Err(CommandError::new(Code::NotFound, "there is no such thing")),
    }
}

pub(in crate::command) async fn show(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetShowOne,
) -> Result<FleetSheet, CommandError> {
    let (org, id) = (asked.org.0, asked.device.0);
    let record = held::<right::DeviceView>(desk, &call, org, id).await?;
    sheet(desk, &call, org, id, &record).await
}

async fn sheet(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    id: DeviceId,
    record: &Device,
) -> Result<FleetSheet, CommandError> {
    desk.fleet.refresh(&desk.shards).await?;
    let view = view(desk, id).await?;
    let (presence, face) = (presence_of(&desk.fleet.lock(), id), list::template_faces(desk));
    let owner = record.owner;
    let owner_name = desk.with_people(call, move |call| Ok(owner.and_then(|owner| name_of(call, org, owner)))).await?;
    let was_here = presence.is_online || presence.since_s > 0;
    let said = |key: &str| view.firmware.iter().find(|(known, _)| **known == *key).map(|(_, value)| value.to_string());
    let loader = call.loader()?;
    let org_name = loader.directory().tree.get(org).map_or_else(String::new, |node| node.name.to_string());
    Ok(FleetSheet {
        id: id.get(),
        org: org.get(),
        org_name,
        name: record.name.to_string(),
        template: record.template.map(|template| template.as_str().to_owned()),
        template_name: record.template.and_then(|id| face.get(&id)).map(|face| face.name.to_string()),
        owner: owner.map(|(_, user)| user),
        owner_org: owner.map(|(home, _)| home.get()),
        owner_name,
        tags: record.tags.iter().map(ToString::to_string).collect(),
        metadata: view.metadata.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        online: was_here.then_some(view.is_shown_online()),
        since_ms: if was_here { u64::from(presence.since_s) * 1_000 } else { record.created_ms },
        seen_ms: (view.row.last_seen_s > 0).then_some(view.row.last_seen_s * 1_000),
        created_ms: record.created_ms,
        address: view.peer.map(|peer| peer.ip().to_string()),
        transport: None,
        board: said("dev"),
        firmware: said("fw"),
        library: said("ver"),
        may: may(call, org, record),
    })
}

/// A person's name, for those who see the people of the organization, and one's own.
pub(in crate::command) fn name_of(call: &RowCall, org: OrgId, person: PersonRef) -> Option<String> {
    let is_self = matches!(call.caller(), RowCaller::Known(known) if known.asker.standing.person == Some(person));
    let loader = call.loader().ok()?;
    let found =
        if is_self { loader.myself(person) } else { loader.person(&call.scope_if::<right::UserView>(org)?, person) };
    let user = found.ok()?.user;
    Some(if user.name.is_empty() { user.email.to_string() } else { user.name.to_string() })
}

/// What the caller may do with a device. What needs a fresh proof is among it.
fn may(call: &RowCall, org: OrgId, record: &Device) -> Vec<String> {
    let of_devices =
        |permission: &Permission| permission.name().starts_with("device.") || permission.name().starts_with("event.");
    let all = Permission::ALL.into_iter().filter(of_devices);
    let RowCaller::Known(known) = call.caller() else {
        return all.map(|permission| permission.name().to_owned()).collect();
    };
    let Ok(loader) = call.loader() else { return Vec::new() };
    let (standing, directory) = (&known.asker.standing, loader.directory());
    // As if the proof were fresh.
    let now_ms = standing.proven_ms.max(1);
    let allowed = |permission: &Permission| match check(standing, org, &directory.tree, *permission, now_ms) {
        Ok(ScopeReach::Org) => true,
        Ok(ScopeReach::Own(home, user)) => record.owner == Some((home, user)) || permission.is_reading(),
        Err(_) => false,
    };
    all.filter(allowed).map(|permission| permission.name().to_owned()).collect()
}

async fn send_fields(
    desk: &Desk,
    device: DeviceId,
    fields: Vec<(Box<str>, Option<Box<str>>)>,
) -> Result<(), CommandError> {
    let ask = |request| Command::Describe { request, device, fields };
    match desk.shards.ask(home_of(device, desk.shards.count()), ask).await? {
        Report::Done => Ok(()),
        Report::Rejected(refused) => Err(CommandError::new(Code::Refused, refused.to_string())),
        _ => Err(CommandError::new(Code::NotFound, "there is no such thing")),
    }
}

/// The first metadata of a device.
pub(super) async fn describe_new(
    desk: &Desk,
    device: DeviceId,
    fields: Vec<(Box<str>, Option<Box<str>>)>,
) -> Result<(), CommandError> {
    if fields.is_empty() {
        return Ok(());
    }
    let all: Vec<_> = fields.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    send_fields(desk, device, fields).await?;
    desk.fleet.lock().describe(device, &all);
    Ok(())
}

/// All metadata of a device as they are to be.
async fn describe(
    desk: &Desk,
    device: DeviceId,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let fits = |(name, value): (&String, &String)| {
        (1..=limits::META_NAME_BYTES).contains(&name.len()) && value.len() <= limits::META_VALUE_BYTES
    };
    if !after.iter().all(fits) {
        let (name, value) = (limits::META_NAME_BYTES, limits::META_VALUE_BYTES);
        let expected = format!("fields with names of 1 to {name} bytes and values of at most {value}");
        return Err(CommandError::parameter("metadata", &expected).about("metadata"));
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.as_str().into(), None));
    let set = after.iter().filter(|(name, value)| before.get(*name) != Some(*value));
    let set = set.map(|(name, value)| (name.as_str().into(), Some(value.as_str().into())));
    let fields: Vec<(Box<str>, Option<Box<str>>)> = gone.chain(set).collect();
    if fields.is_empty() {
        return Ok(());
    }
    send_fields(desk, device, fields).await?;
    let metadata: Vec<_> = after.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    desk.fleet.lock().describe(device, &metadata);
    Ok(())
}

pub(in crate::command) async fn change(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetChange,
) -> Result<FleetSheet, CommandError> {
    let FleetChange { org, device, name, template, owner, tags, metadata } = asked;
    let (org, device) = (org.0, device.0);
    let before = held::<right::DeviceEdit>(desk, &call, org, device).await?;
    let template = template.map(|template| template.map(|id| id.0));
    if let Some(Some(id)) = template
        && before.template != Some(id)
    {
        check_template(desk, &call, org, id)?;
    }
    if let Some(after) = metadata {
        let known = view(desk, device).await?.metadata;
        let known = known.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        describe(desk, device, &known, &after).await?;
        let texts = (format!("{known:?}"), format!("{after:?}"));
        desk.with_people(&call, move |call| {
            let scope = call.scope::<right::DeviceEdit>(org)?;
            let changes = [("metadata", texts.0.as_str(), texts.1.as_str())];
            Ok(call.loader()?.note_device(&scope, device, (AuditAction::DeviceEdit, &changes), call.now_ms())?)
        })
        .await?;
    }
    let edit = DeviceEdit {
        name: name.map(Into::into),
        template,
        owner: owner.map(|owner| owner.map(|user| (org, user))),
        tags: tags.map(|tags| tags.into_iter().map(Into::into).collect()),
    };
    let record = desk
        .with_people(&call, move |call| {
            let scope = call.scope::<right::DeviceEdit>(org)?;
            Ok(call.loader()?.edit_device(&scope, device, edit, call.now_ms())?.1)
        })
        .await?;
    if record != before {
        publish(desk, org, device, &record).await?;
    }
    sheet(desk, &call, org, device, &record).await
}

/// It is written down first: whatever happens then, who asked for it is known.
pub(super) async fn remove_one(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
) -> Result<(), CommandError> {
    desk.with_people(call, move |call| {
        let scope = call.scope::<right::DeviceDelete>(org)?;
        Ok(call.loader()?.note_device(&scope, device, (AuditAction::DeviceDelete, &[]), call.now_ms())?)
    })
    .await?;
    erase::remove(desk, DeviceRemove { device: device.into() }).await?;
    Ok(())
}

pub(in crate::command) async fn remove(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetRemove,
) -> Result<(), CommandError> {
    remove_one(desk, &call, asked.org.0, asked.device.0).await
}

/// Pins of a device with their latest values, for whoever may see it.
pub(in crate::command) async fn device_values(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
) -> Result<Vec<(linchpin_protocol::model::Pin, Box<[u8]>)>, CommandError> {
    held::<right::DeviceView>(desk, call, org, device).await?;
    Ok(view(desk, device).await?.values.into_iter().map(|(pin, value, _)| (pin, value)).collect())
}

/// Give a device a template that was made from it.
pub(in crate::command) async fn give_template(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
    template: linchpin_protocol::model::TemplateId,
) -> Result<(), CommandError> {
    let record = desk
        .with_people(call, move |call| {
            let scope = call.scope::<right::DeviceEdit>(org)?;
            let edit = DeviceEdit { template: Some(Some(template)), ..DeviceEdit::default() };
            Ok(call.loader()?.edit_device(&scope, device, edit, call.now_ms())?.1)
        })
        .await?;
    publish(desk, org, device, &record).await
}

/// Set the owner of a device: somebody of its organization.
pub(in crate::command) async fn set_owner(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
    owner: Option<u32>,
) -> Result<(), CommandError> {
    let record = desk
        .with_people(call, move |call| {
            let scope = call.scope::<right::DeviceEdit>(org)?;
            let edit = DeviceEdit { owner: Some(owner.map(|user| (org, user))), ..DeviceEdit::default() };
            Ok(call.loader()?.edit_device(&scope, device, edit, call.now_ms())?.1)
        })
        .await?;
    publish(desk, org, device, &record).await
}

/// Can a device that is about to be made be given to this person? Asked before, so that none is made for nobody.
pub(in crate::command) async fn check_owner(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    owner: u32,
) -> Result<(), CommandError> {
    desk.with_people(call, move |call| {
        call.scope::<right::DeviceCreate>(org)?;
        let scope = call.scope::<right::DeviceEdit>(org)?;
        Ok(call.loader()?.check_owner(&scope, Some((org, owner)))?)
    })
    .await
}

/// Set one field of a device's metadata.
pub(in crate::command) async fn set_field(
    desk: &Desk,
    call: &Arc<RowCall>,
    org: OrgId,
    device: DeviceId,
    (name, value): (Box<str>, String),
) -> Result<(), CommandError> {
    let before: BTreeMap<String, String> =
        view(desk, device).await?.metadata.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut after = before.clone();
    let old = after.insert(name.to_string(), value.clone()).unwrap_or_default();
    describe(desk, device, &before, &after).await?;
    desk.with_people(call, move |call| {
        let scope = call.scope::<right::DeviceEdit>(org)?;
        let changes = [(&*name, old.as_str(), value.as_str())];
        Ok(call.loader()?.note_device(&scope, device, (AuditAction::DeviceEdit, &changes), call.now_ms())?)
    })
    .await?;
    Ok(())
}

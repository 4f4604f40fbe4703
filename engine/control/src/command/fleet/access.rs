//! Who may use a device: its token, and people it is shared with.

use std::sync::Arc;

use linchpin_protocol::model::OrgId;
use linchpin_shard::{Command, home_of};

use super::{entry, one};
use crate::access::{Permission, Permissions, PersonRef, right};
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::{
    FleetToken, FleetTokenReplace, FleetTokenShow, ListPage, ShareEnd, ShareLine, ShareList, ShareSet,
};
use crate::loader::Loader;
use crate::loader::device::{DeviceShare, ReplacedToken};
use crate::shards::Fact;
use crate::{CommandError, clock, limits};

pub(in crate::command) async fn show_token(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetTokenShow,
) -> Result<FleetToken, CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    let reveal = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceToken>(org)?;
        Ok(call.loader()?.reveal_token(&scope, device, call.now_ms())?)
    };
    Ok(FleetToken { token: desk.with_people(&call, reveal).await?.into() })
}

/// The order matters: the disk, then the device's home, which takes nothing with the old token from then on, then the index.
/// When it is answered the old token is worth nothing.
pub(in crate::command) async fn replace_token(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FleetTokenReplace,
) -> Result<FleetToken, CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    let replace = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceToken>(org)?;
        Ok(call.loader()?.replace_token(&scope, device, call.now_ms())?)
    };
    let ReplacedToken { old, device: record } = desk.with_people(&call, replace).await?;
    let token_epoch = record.token_epoch;
    let facts = {
        let mut registry = desk.registry();
        registry.change(&entry(org, device, &record))?;
        let (old, new) = (registry.digest(&old), registry.digest(&record.token));
        [Fact::Device(device), Fact::NoToken(old), Fact::Token(new, device)]
    };
    desk.fleet.lock().put(org, device, &record);
    let ask = |request| Command::Revoke { request, device, token_epoch };
    // Should it not answer, what follows says it again until it does.
    let revoked = desk.shards.ask(home_of(device, desk.shards.count()), ask).await;
    let marks = desk.desired.changed(facts);
    let is_known = desk.desired.acknowledged(&marks, limits::ANSWER_TIMEOUT).await;
    if revoked.is_err() || !is_known {
        tracing::warn!(%device, "a token was replaced, and not every shard has said yet that it knows");
        revoked?;
    }
    Ok(FleetToken { token: record.token.into() })
}

pub(in crate::command) async fn list_shares(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ShareList,
) -> Result<ListPage<ShareLine>, CommandError> {
    let (org, device) = (asked.org.0, asked.device.0);
    let list = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceEdit>(org)?;
        let shares = call.loader()?.shares(&scope, device, call.now_ms())?;
        let line = |share: &DeviceShare| {
            let (home, user) = share.person;
            let sees = call.scope_if::<right::UserView>(org);
            let person = sees.and_then(|scope| call.loader().ok()?.person(&scope, share.person).ok());
            ShareLine {
                user,
                home: home.get(),
                name: one::name_of(call, org, share.person).unwrap_or_default(),
                email: person.map(|person| person.user.email.to_string()).unwrap_or_default(),
                permissions: share.permissions.iter().map(|permission| permission.name().to_owned()).collect(),
                until_ms: (share.until_ms > 0).then_some(share.until_ms),
            }
        };
        Ok(shares.iter().map(line).collect())
    };
    Ok(ListPage::whole(desk.with_people(&call, list).await?))
}

pub(in crate::command) async fn set_share(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ShareSet,
) -> Result<(), CommandError> {
    let ShareSet { org, device, user, home, permissions, until_ms } = asked;
    let (org, device) = (org.0, device.0);
    let person = (home.map_or(org, |home| home.0), user);
    let permissions = Permissions::parse(permissions.iter().map(String::as_str)).map_err(|wrong| {
        CommandError::parameter("permissions", &format!("names of permissions, not {wrong:?}")).about("permissions")
    })?;
    let until_ms = until_ms.unwrap_or(0);
    let share = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceEdit>(org)?;
        let share = DeviceShare { person, permissions, until_ms };
        Ok(call.loader()?.share_device(&scope, &call.giver(org)?, device, &share, call.now_ms())?)
    };
    desk.with_people(&call, share).await?;
    // Lists show what somebody may see.
    let sees = permissions.has(Permission::DeviceView);
    desk.fleet.lock().share(device, person, sees.then_some(until_ms));
    people_see_other_devices(desk, person);
    Ok(())
}

pub(in crate::command) async fn end_share(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: ShareEnd,
) -> Result<(), CommandError> {
    let ShareEnd { org, device, user, home } = asked;
    let (org, device) = (org.0, device.0);
    let person = (home.map_or(org, |home| home.0), user);
    let end = move |call: &RowCall| {
        let scope = call.scope::<right::DeviceEdit>(org)?;
        Ok(call.loader()?.unshare_device(&scope, device, person, call.now_ms())?)
    };
    desk.with_people(&call, end).await?;
    desk.fleet.lock().share(device, person, None);
    people_see_other_devices(desk, person);
    Ok(())
}

/// Live sockets of a person were granted for devices that are not those any more.
fn people_see_other_devices(desk: &Desk, (org, user): PersonRef) {
    if let Some(people) = &desk.people {
        people.loader().ended().tell(linchpin_shard::WhoseRights::Person { org, user }, false);
    }
}

/// Does somebody see all devices of an organization, not only what is theirs?
pub(super) fn sees_all(loader: &Loader, org: OrgId, person: PersonRef) -> bool {
    let (directory, now_ms) = (loader.directory(), clock::now_ms());
    let mut roles = directory.memberships(person).into_iter();
    roles.any(|role| {
        let reaches = role.org == org || role.below && directory.tree.is_within(org, role.org);
        let counts = role.until_ms == 0 || now_ms < role.until_ms;
        reaches && counts && role.sets.org.has(Permission::DeviceView)
    })
}

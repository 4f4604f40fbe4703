//! Members of an organization and their roles.

use std::sync::Arc;

use linchpin_storage::schema::{AccountState, Grant, OrgId};

use super::call::{RowCall, org_of};
use super::desk::Desk;
use super::keys::permissions;
use super::me::session_lines;
use super::request::{
    GrantSet, ListPage, MySession, RoleLine, RoleList, RolePut, RoleRemove, UserEdit, UserLine, UserList, UserLogout,
    UserMove, UserRemove, UserReset, UserResetFactor, UserResume, UserSessions, UserShow, UserSuspend,
};
use crate::access::{BuiltIn, Permissions, PersonRef, RoleSets, Scope, right};
use crate::loader::LoaderFault;
use crate::loader::person::Person;
use crate::loader::profile::ProfileEdit;
use crate::loader::role::{RoleAsked, RoleFound};
use crate::{Code, CommandError, limits};

/// A member by number: whoever is none does not exist.
fn member(call: &RowCall, org: OrgId, user: u32) -> Result<(PersonRef, Grant), CommandError> {
    let directory = call.loader()?.directory();
    let found = directory.members(org).into_iter().find(|((_, number), _)| *number == user);
    found.ok_or_else(|| LoaderFault::Missing.into())
}

fn line(call: &RowCall, org: OrgId, person: &Person, grant: Grant) -> Result<UserLine, CommandError> {
    let loader = call.loader()?;
    let sessions = loader.sessions_of(person.id)?;
    let state = match person.account.state {
        AccountState::Pending => "pending",
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
    };
    Ok(UserLine {
        id: person.id.1,
        home: person.id.0.get(),
        email: person.user.email.to_string(),
        name: person.user.name.to_string(),
        state: state.to_owned(),
        role: grant.role,
        role_name: loader.directory().role_name(org, grant.role).unwrap_or_default().into(),
        below: grant.below,
        until_ms: Some(grant.until_ms).filter(|until_ms| *until_ms > 0),
        factor: person.account.has_factor(),
        seen_ms: sessions.iter().map(|line| line.record.seen_ms).max(),
        sessions: sessions.len() as u64,
    })
}

pub(super) fn list(call: &RowCall, asked: &UserList) -> Result<ListPage<UserLine>, CommandError> {
    let org = org_of(asked.org)?;
    let (scope, loader) = (call.scope::<right::UserView>(org)?, call.loader()?);
    let after = asked.after.as_deref().map(|text| loader.read_cursor::<8>(org, "users", text)).transpose()?;
    let after = after.map(u64::from_be_bytes).and_then(|key| Some((OrgId::new((key >> 32) as u32)?, key as u32)));
    let limit = asked.limit.map_or(limits::PAGE, |limit| limit as usize);
    let page = loader.people(&scope, after, limit)?;
    let next = page.last().filter(|_| page.len() == limit).map(|(person, _)| {
        let key = (u64::from(person.id.0.get()) << 32) | u64::from(person.id.1);
        loader.cursor(org, "users", &key.to_be_bytes())
    });
    let items = page.iter().map(|(person, grant)| line(call, org, person, *grant));
    Ok(ListPage { items: items.collect::<Result<_, _>>()?, next })
}

/// Members from `skip` on, at most `take`, in the order of their homes and numbers, and how many there are in all.
pub(super) fn page(
    call: &RowCall,
    org: OrgId,
    (skip, take): (usize, usize),
) -> Result<(Vec<UserLine>, usize), CommandError> {
    let (scope, loader) = (call.scope::<right::UserView>(org)?, call.loader()?);
    let members = loader.directory().members(org);
    let part = members.iter().skip(skip).take(take);
    let items = part.map(|(id, grant)| line(call, org, &loader.person(&scope, *id)?, *grant));
    Ok((items.collect::<Result<_, _>>()?, members.len()))
}

/// By what members that were searched for are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemberOrder {
    Id,
    Name,
    Email,
    Status,
    Role,
}

/// Members whose name or address contains a text, sorted, the other way round if asked for; a part, and how many there are.
pub(super) fn search(
    call: &RowCall,
    (org, text): (OrgId, &str),
    (order, is_descending): (MemberOrder, bool),
    (skip, take): (usize, usize),
) -> Result<(Vec<UserLine>, usize), CommandError> {
    let (scope, loader) = (call.scope::<right::UserView>(org)?, call.loader()?);
    let (members, text) = (loader.directory().members(org), text.to_lowercase());
    if members.len() > limits::MEMBERS_SEARCHED {
        let (count, most) = (members.len(), limits::MEMBERS_SEARCHED);
        let text = format!("{count} members are too many to search, {most} are looked at: read the list by pages");
        return Err(CommandError::new(Code::Refused, text));
    }
    let mut found = Vec::new();
    for (id, grant) in members {
        let person = loader.person(&scope, id)?;
        let (name, email) = (person.user.name.to_lowercase(), person.user.email.to_lowercase());
        if !name.contains(&text) && !email.contains(&text) {
            continue;
        }
        let key = match order {
            MemberOrder::Id => (u64::from(id.1), String::new()),
            MemberOrder::Name => (0, name),
            MemberOrder::Email => (0, email),
            MemberOrder::Status => (person.account.state as u64, String::new()),
            MemberOrder::Role => (u64::from(grant.role), String::new()),
        };
        found.push((key, id, person, grant));
    }
    found.sort_unstable_by(|a, b| {
        let keys = if is_descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
        keys.then(a.1.cmp(&b.1))
    });
    let part = found.iter().skip(skip).take(take).map(|(_, _, person, grant)| line(call, org, person, *grant));
    Ok((part.collect::<Result<_, _>>()?, found.len()))
}

pub(super) fn show(call: &RowCall, asked: &UserShow) -> Result<UserLine, CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::UserView>(org)?;
    let (id, grant) = member(call, org, asked.user)?;
    line(call, org, &call.loader()?.person(&scope, id)?, grant)
}

pub(super) fn edit(call: &RowCall, asked: &UserEdit) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::UserEdit>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    let edit =
        ProfileEdit { name: asked.name.as_deref().map(Into::into), locale: asked.locale.as_deref().map(Into::into) };
    Ok(call.loader()?.edit_person(&scope, id, &edit, call.now_ms())?)
}

fn set_suspended(call: &RowCall, org: u32, user: u32, suspend: bool) -> Result<(), CommandError> {
    let org = org_of(org)?;
    let scope = call.scope::<right::UserSuspend>(org)?;
    let (id, _) = member(call, org, user)?;
    Ok(call.loader()?.suspend_person(&scope, &call.giver(org)?, id, suspend, call.now_ms())?)
}

pub(super) fn suspend(call: &RowCall, asked: &UserSuspend) -> Result<(), CommandError> {
    set_suspended(call, asked.org, asked.user, true)
}

pub(super) fn resume(call: &RowCall, asked: &UserResume) -> Result<(), CommandError> {
    set_suspended(call, asked.org, asked.user, false)
}

pub(super) fn logout(call: &RowCall, asked: &UserLogout) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::UserSuspend>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    Ok(call.loader()?.log_out(&scope, &call.giver(org)?, id, call.now_ms())?)
}

pub(super) fn sessions(call: &RowCall, asked: &UserSessions) -> Result<ListPage<MySession>, CommandError> {
    let org = org_of(asked.org)?;
    call.scope::<right::UserSuspend>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    let all = call.loader()?.sessions_of(id)?;
    Ok(ListPage::whole(session_lines(all, None, call.now_ms())))
}

pub(super) fn reset_factor(call: &RowCall, asked: &UserResetFactor) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::UserReset>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    Ok(call.loader()?.reset_factor(&scope, &call.giver(org)?, id, call.now_ms())?)
}

pub(super) async fn reset(desk: &Desk, call: Arc<RowCall>, asked: UserReset) -> Result<(), CommandError> {
    desk.with_people(&call, move |call| {
        let org = org_of(asked.org)?;
        let scope = call.scope::<right::UserReset>(org)?;
        let (id, _) = member(call, org, asked.user)?;
        call.loader()?.reset_person(&scope, &call.giver(org)?, id, call.now_ms())?;
        Ok(())
    })
    .await
}

pub(super) fn remove(call: &RowCall, asked: &UserRemove) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::UserRemove>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    Ok(call.loader()?.remove_person(&scope, &call.giver(org)?, id, call.now_ms())?)
}

pub(super) fn move_user(call: &RowCall, asked: &UserMove) -> Result<(), CommandError> {
    let (from, to) = (org_of(asked.org)?, org_of(asked.to)?);
    let leave: Scope<right::UserTransfer> = call.scope(from)?;
    let enter: Scope<right::RoleAssign> = call.scope(to)?;
    let (id, _) = member(call, from, asked.user)?;
    let grant = Grant { role: asked.role, below: asked.below, until_ms: 0 };
    let givers = (&call.giver(from)?, &call.giver(to)?);
    call.loader()?.move_person((&leave, &enter), givers, (id, grant), call.now_ms())?;
    Ok(())
}

pub(super) fn set_grant(call: &RowCall, asked: &GrantSet) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::RoleAssign>(org)?;
    let (id, _) = member(call, org, asked.user)?;
    let until_ms = asked.until.unwrap_or(0);
    if until_ms != 0 && until_ms <= call.now_ms() {
        return Err(CommandError::parameter("until", "a time to come"));
    }
    let grant = Grant { role: asked.role, below: asked.below, until_ms };
    Ok(call.loader()?.assign(&scope, &call.giver(org)?, id, Some(grant), call.now_ms())?)
}

fn names(set: Permissions) -> Vec<String> {
    set.iter().map(|permission| permission.name().to_owned()).collect()
}

fn role_line(found: RoleFound) -> RoleLine {
    RoleLine {
        id: found.number,
        name: found.name.into(),
        builtin: found.is_built_in,
        inherited: found.is_inherited,
        users: found.members as u64,
        org: names(found.sets.org),
        own: names(found.sets.own),
    }
}

pub(super) fn list_roles(call: &RowCall, asked: &RoleList) -> Result<ListPage<RoleLine>, CommandError> {
    let scope = call.scope::<right::RoleView>(org_of(asked.org)?)?;
    Ok(ListPage::whole(call.loader()?.roles(&scope).into_iter().map(role_line).collect()))
}

pub(super) fn put_role(call: &RowCall, asked: &RolePut) -> Result<(), CommandError> {
    let org = org_of(asked.in_org)?;
    let scope = call.scope::<right::RoleEdit>(org)?;
    let own = permissions("own", &asked.own)?;
    if !Permissions::OWNABLE.contains(own) {
        return Err(CommandError::parameter("own", "permissions that can be limited to what is somebody's own"));
    }
    let sets = RoleSets { own, org: permissions("org", &asked.org)? };
    let role = RoleAsked { number: asked.role, name: asked.name.as_str().into(), sets };
    let holds = call.holds(org, asked.role);
    Ok(call.loader()?.put_role(&scope, &call.giver(org)?, holds, &role, call.now_ms())?)
}

pub(super) fn remove_role(call: &RowCall, asked: &RoleRemove) -> Result<(), CommandError> {
    let org = org_of(asked.org)?;
    let scope = call.scope::<right::RoleEdit>(org)?;
    let replacement = asked.replacement.unwrap_or(BuiltIn::Viewer as u16);
    if call.holds(org, asked.role) {
        return Err(LoaderFault::Give(crate::access::GiveRule::OwnRole).into());
    }
    Ok(call.loader()?.delete_role(&scope, &call.giver(org)?, (asked.role, replacement), call.now_ms())?)
}

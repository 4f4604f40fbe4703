//! Organizations as people see them.

use std::sync::Arc;

use linchpin_storage::schema::{Org, OrgId, OrgKind, OrgPolicy, OrgState};

use super::call::{RowCall, org_of};
use super::desk::Desk;
use super::keys::ranges;
use super::me::show_ranges;
use super::request::{
    EraseOrg, ListPage, OrgChange, OrgChildren, OrgCreate, OrgDelete, OrgKindName, OrgMove, OrgResume, OrgSheet,
    OrgShow, OrgSuspend, PolicySheet,
};
use crate::access::{Permission, Scope, right};
use crate::loader::LoaderFault;
use crate::loader::org::OrgEdit;
use crate::{CommandError, Plain, limits};

fn kind(name: OrgKindName) -> OrgKind {
    match name {
        OrgKindName::Business => OrgKind::Business,
        OrgKindName::Branch => OrgKind::Branch,
        OrgKindName::Personal => OrgKind::Personal,
        OrgKindName::Partner => OrgKind::Partner,
    }
}

fn policy(sheet: &PolicySheet) -> Result<OrgPolicy, CommandError> {
    Ok(OrgPolicy {
        second_factor: sheet.factor,
        plain_allowed: sheet.plain,
        session_hours: sheet.session_hours,
        sign_in_from: ranges("policy.sign_in_from", &sheet.sign_in_from)?,
        keys_from: ranges("policy.keys_from", &sheet.keys_from)?,
        requests_per_minute: sheet.requests_per_minute,
    })
}

/// What is counted where the store is not asked: devices of an organization.
type Devices<'a> = &'a dyn Fn(OrgId) -> u64;

fn sheet(call: &RowCall, id: OrgId, org: &Org, devices: Devices<'_>) -> Result<OrgSheet, CommandError> {
    let directory = call.loader()?.directory();
    let parent = org.parent.filter(|parent| call.may_see(*parent, Permission::OrgView, &directory));
    let kind = match org.kind {
        OrgKind::Business => "business",
        OrgKind::Branch => "branch",
        OrgKind::Personal => "personal",
        OrgKind::Partner => "partner",
    };
    Ok(OrgSheet {
        id: id.get(),
        parent: parent.map(OrgId::get),
        name: org.name.to_string(),
        kind: kind.to_owned(),
        state: if org.state == OrgState::Active { "active" } else { "suspended" }.to_owned(),
        depth: directory.tree.depth(id),
        devices: devices(id),
        users: directory.members(id).len() as u64,
        policy: PolicySheet {
            factor: org.policy.second_factor,
            session_hours: org.policy.session_hours,
            plain: org.policy.plain_allowed,
            sign_in_from: show_ranges(&org.policy.sign_in_from),
            keys_from: show_ranges(&org.policy.keys_from),
            requests_per_minute: org.policy.requests_per_minute,
        },
        time_zone: org.time_zone.to_string(),
        locale: org.locale.to_string(),
    })
}

/// How many devices each organization has, counted once for an answer.
fn counted(desk: &Desk) -> impl Fn(OrgId) -> u64 + Send + use<> {
    let mut counts = std::collections::HashMap::<OrgId, u64>::new();
    for device in desk.registry().devices() {
        *counts.entry(device.org).or_default() += 1;
    }
    move |org| counts.get(&org).copied().unwrap_or(0)
}

pub(super) async fn show(desk: &Desk, call: Arc<RowCall>, asked: OrgShow) -> Result<OrgSheet, CommandError> {
    let devices = counted(desk);
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::OrgView>(org_of(asked.org)?)?;
        sheet(call, scope.org(), &call.loader()?.org(&scope)?, &devices)
    })
    .await
}

pub(super) async fn children(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: OrgChildren,
) -> Result<ListPage<OrgSheet>, CommandError> {
    let devices = counted(desk);
    desk.with_people(&call, move |call| below(call, &asked, &devices)).await
}

fn below(call: &RowCall, asked: &OrgChildren, devices: Devices<'_>) -> Result<ListPage<OrgSheet>, CommandError> {
    let org = org_of(asked.org)?;
    let (scope, loader) = (call.scope::<right::OrgView>(org)?, call.loader()?);
    let list = if asked.below { "orgs below" } else { "orgs" };
    let after = asked.after.as_deref().map(|text| loader.read_cursor::<4>(org, list, text)).transpose()?;
    let after = after.and_then(|key| OrgId::new(u32::from_be_bytes(key)));
    let limit = asked.limit.map_or(limits::PAGE, |limit| limit as usize);
    let page = loader.orgs_below(&scope, asked.below, after, limit)?;
    let next = page.last().filter(|_| page.len() == limit);
    let next = next.map(|(id, _)| loader.cursor(org, list, &id.get().to_be_bytes()));
    let mut items = Vec::new();
    for (id, record) in &page {
        // A role that does not reach below sees that there are organizations, and nothing of them.
        if *id == org || call.may_see(*id, Permission::OrgView, &loader.directory()) {
            items.push(sheet(call, *id, record, devices)?);
        }
    }
    Ok(ListPage { items, next })
}

/// By what organizations that were searched for are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrgOrder {
    Id,
    Name,
    Devices,
    Users,
    Children,
}

/// Organizations to look for.
#[derive(Clone, Debug)]
pub(super) struct OrgSearch {
    /// This one and those below it.
    pub(super) org: OrgId,
    /// What the name contains, in any case of letters.
    pub(super) text: String,
    /// By what they are sorted, and whether the other way round; of equal ones the smaller number comes first.
    pub(super) order: (OrgOrder, bool),
    /// How many are left out, and how many are wanted.
    pub(super) part: (usize, usize),
}

/// Organizations that are found, and how many there are in all. A role that does not reach below finds its own only.
pub(super) async fn search(
    desk: &Desk,
    call: &Arc<RowCall>,
    asked: OrgSearch,
) -> Result<(Vec<OrgSheet>, usize), CommandError> {
    let devices = counted(desk);
    desk.with_people(call, move |call| {
        call.scope::<right::OrgView>(asked.org)?;
        let mut found = matching(call, &asked, &devices)?;
        let (order, total) = (asked.order.1, found.len());
        found.sort_unstable_by(|a, b| {
            let keys = if order { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) };
            keys.then(a.1.cmp(&b.1))
        });
        let (skip, take) = asked.part;
        let part = found.into_iter().skip(skip).take(take).map(|(_, id)| {
            let scope = call.scope::<right::OrgView>(id)?;
            sheet(call, id, &call.loader()?.org(&scope)?, &devices)
        });
        Ok((part.collect::<Result<_, _>>()?, total))
    })
    .await
}

/// What an organization is sorted by, as a number or a text, and which it is.
type Ranked = ((u64, String), OrgId);

/// Those that fit.
fn matching(call: &RowCall, asked: &OrgSearch, devices: Devices<'_>) -> Result<Vec<Ranked>, CommandError> {
    let (directory, text) = (call.loader()?.directory(), asked.text.to_lowercase());
    let users = if asked.order.0 == OrgOrder::Users { directory.member_counts() } else { Default::default() };
    let mut found = Vec::new();
    for id in directory.tree.below(asked.org) {
        let Some(node) = directory.tree.get(id) else { continue };
        let name = node.name.to_lowercase();
        if !name.contains(&text) || id != asked.org && !call.may_see(id, Permission::OrgView, &directory) {
            continue;
        }
        let key = match asked.order.0 {
            OrgOrder::Id => (id.get().into(), String::new()),
            OrgOrder::Name => (0, name),
            OrgOrder::Devices => (devices(id), String::new()),
            OrgOrder::Users => (users.get(&id).copied().unwrap_or(0), String::new()),
            OrgOrder::Children => (u64::from(node.children), String::new()),
        };
        found.push((key, id));
    }
    Ok(found)
}

pub(super) async fn create(desk: &Desk, call: Arc<RowCall>, asked: OrgCreate) -> Result<OrgSheet, CommandError> {
    let made = desk.with_people(&call, move |call| {
        let scope = call.scope::<right::OrgCreate>(org_of(asked.org)?)?;
        let demands = asked.policy.as_ref().map(policy).transpose()?.unwrap_or_default();
        let new = (&*asked.name, kind(asked.kind), demands, asked.time_zone.as_deref().unwrap_or_default());
        let (id, org) = call.loader()?.create_org(&scope, new, call.now_ms())?;
        sheet(call, id, &org, &|_| 0)
    });
    let made = made.await?;
    call.extras(|extras| extras.status = Some(201));
    Ok(made)
}

pub(super) fn edit(call: &RowCall, asked: &OrgChange) -> Result<(), CommandError> {
    let scope = call.scope::<right::OrgEdit>(org_of(asked.org)?)?;
    let edit = OrgEdit {
        name: asked.name.as_deref().map(Into::into),
        policy: asked.policy.as_ref().map(policy).transpose()?,
        time_zone: asked.time_zone.as_deref().map(Into::into),
        locale: asked.locale.as_deref().map(Into::into),
    };
    Ok(call.loader()?.edit_org(&scope, edit, call.now_ms())?)
}

pub(super) fn suspend(call: &RowCall, asked: &OrgSuspend) -> Result<(), CommandError> {
    let scope = call.scope::<right::OrgEdit>(org_of(asked.org)?)?;
    Ok(call.loader()?.suspend_org(&scope, true, call.now_ms())?)
}

pub(super) fn resume(call: &RowCall, asked: &OrgResume) -> Result<(), CommandError> {
    let scope = call.scope::<right::OrgEdit>(org_of(asked.org)?)?;
    Ok(call.loader()?.suspend_org(&scope, false, call.now_ms())?)
}

pub(super) fn move_org(call: &RowCall, asked: &OrgMove) -> Result<(), CommandError> {
    let leave: Scope<right::OrgTransfer> = call.scope(org_of(asked.org)?)?;
    let enter: Scope<right::OrgCreate> = call.scope(org_of(asked.parent)?)?;
    Ok(call.loader()?.move_org(&leave, &enter, call.now_ms())?)
}

pub(super) async fn delete(desk: &Desk, call: Arc<RowCall>, asked: OrgDelete) -> Result<(), CommandError> {
    let looked = desk.with_people(&call, move |call| {
        let scope = call.scope::<right::OrgDelete>(org_of(asked.org)?)?;
        Ok(call.loader()?.check_delete_org(&scope).map(|()| scope.org())?)
    });
    let org = looked.await?;
    super::erase::org(desk, EraseOrg { org: Plain(org), to: None }).await?;
    desk.with_people(&call, move |call| {
        let scope = call.scope::<right::OrgDelete>(org)?;
        call.loader()?.org_deleted(&scope, call.now_ms()).map_err(|fault: LoaderFault| fault.into())
    })
    .await
}

//! People. Numbers of people are given out once, so that a number says where its person is at home.

use linchpin_protocol::model::OrgId;

use super::org::of_org;
use super::{hidden, org_or_own};
use crate::command::call::RowCall;
use crate::command::members::{self, MemberOrder};
use crate::command::request::*;
use crate::{Code, CommandError};

pub(super) fn missing_person() -> CommandError {
    CommandError::new(Code::NotFound, "User is not found or belong to another organization.")
}

fn user(line: UserLine) -> PlatformUser {
    let status = match line.state.as_str() {
        "pending" => "Pending",
        "active" => "Active",
        _ => "Suspended",
    };
    PlatformUser {
        id: line.id,
        name: line.name,
        email: line.email,
        role_id: line.role,
        org_id: line.home,
        status: status.to_owned(),
        last_logged_at: line.seen_ms,
    }
}

pub(in crate::command) fn users(
    call: &RowCall,
    asked: &PlatformUsers,
) -> Result<PlatformPage<PlatformUser>, CommandError> {
    let org = org_or_own(call, asked.org_id);
    let (found, total_elements) = of_org(members::page(call, org, (asked.page * asked.size, asked.size)))?;
    Ok(PlatformPage { content: found.into_iter().map(user).collect(), total_elements })
}

pub(in crate::command) fn search_users(
    call: &RowCall,
    asked: &PlatformUserSearch,
) -> Result<PlatformPage<PlatformUser>, CommandError> {
    let org = org_or_own(call, asked.org_id);
    let order = match asked.sort_by {
        PlatformUserSort::Id => MemberOrder::Id,
        PlatformUserSort::Name => MemberOrder::Name,
        PlatformUserSort::Email => MemberOrder::Email,
        PlatformUserSort::Status => MemberOrder::Status,
        PlatformUserSort::Role => MemberOrder::Role,
    };
    let (order, part) = ((order, asked.sort_order == PlatformOrder::Desc), (asked.page * asked.size, asked.size));
    let (found, total_elements) = of_org(members::search(call, (org, &asked.query), order, part))?;
    Ok(PlatformPage { content: found.into_iter().map(user).collect(), total_elements })
}

/// A person at their home.
fn at_home(call: &RowCall, user: u32) -> Result<(OrgId, UserLine), CommandError> {
    let home = call.loader()?.directory().person(user).map(|(home, _)| home).ok_or_else(missing_person)?;
    let line = hidden(members::show(call, &UserShow { org: home.get(), user }), missing_person)?;
    Ok((home, line))
}

pub(in crate::command) fn show_user(call: &RowCall, asked: &PlatformUserShow) -> Result<PlatformUser, CommandError> {
    Ok(user(at_home(call, asked.user_id)?.1))
}

pub(in crate::command) fn set_role(call: &RowCall, asked: &PlatformUserRole) -> Result<PlatformUser, CommandError> {
    let (home, before) = at_home(call, asked.user_id)?;
    let grant = GrantSet {
        org: home.get(),
        user: asked.user_id,
        role: asked.role_id,
        below: before.below,
        until: before.until_ms,
    };
    members::set_grant(call, &grant)?;
    Ok(user(UserLine { role: asked.role_id, ..before }))
}

pub(in crate::command) fn move_user(
    call: &RowCall,
    asked: &PlatformUserTransfer,
) -> Result<PlatformUser, CommandError> {
    // One text for both, so that what is in the way says nothing of the other.
    let missing = || CommandError::new(Code::NotFound, "User or target organization is not found.");
    let (home, before) = hidden(at_home(call, asked.user_id), missing)?;
    let (to, role) = (asked.target_org_id.0.get(), asked.role_id);
    let asked = UserMove { org: home.get(), user: asked.user_id, to, role, below: false };
    hidden(members::move_user(call, &asked), missing)?;
    call.extras(|extras| extras.status = Some(201));
    // Their sessions have ended.
    Ok(user(UserLine { home: to, role, seen_ms: None, ..before }))
}

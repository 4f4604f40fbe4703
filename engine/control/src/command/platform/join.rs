//! People who are to come: all of them are asked by mail.

use std::sync::Arc;

use linchpin_protocol::model::OrgId;

use super::org::of_org;
use super::{org_or_own, own_org};
use crate::access::role::GiveRule;
use crate::access::{Permission, right};
use crate::account::EmailAddress;
use crate::command::call::RowCall;
use crate::command::desk::Desk;
use crate::command::request::*;
use crate::command::{address, links, tree};
use crate::loader::LoaderFault;
use crate::loader::invite::InviteRoom;
use crate::{Code, CommandError};

async fn invited(
    desk: &Desk,
    call: Arc<RowCall>,
    org: OrgId,
    (email, role): (String, u16),
    room: Option<InviteRoom>,
) -> Result<PlatformInvited, CommandError> {
    let asked = InviteCreate { org: org.get(), email: email.clone(), role, below: false };
    let made = of_org(links::invite(desk, call, asked, room).await)?;
    Ok(PlatformInvited { invite_id: made.id, email, role_id: role, org_id: org.get(), status: "Pending".to_owned() })
}

pub(in crate::command) async fn invite(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformInvite,
) -> Result<PlatformInvited, CommandError> {
    let org = org_or_own(&call, asked.org_id);
    invited(desk, call, org, (asked.email, asked.role_id), None).await
}

/// Nobody knows somebody else's password: not even whoever made the account.
fn check_hash(hash: Option<&String>) -> Result<(), CommandError> {
    if hash.is_none() {
        return Ok(());
    }
    let expected = "left out: who is invited chooses their password, and nobody else sets it";
    Err(CommandError::parameter("passwordHash", expected).about("passwordHash"))
}

pub(in crate::command) async fn create_in_org(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformCreateInOrg,
) -> Result<PlatformInvited, CommandError> {
    let org = asked.org_id.0;
    of_org(desk.with_people(&call, move |call| call.scope::<right::UserInvite>(org).map(drop)).await)?;
    check_hash(asked.password_hash.as_ref())?;
    invited(desk, call, org, (asked.email, asked.role_id), None).await
}

/// All that an invitation needs, before an organization is made for it.
fn check_invitation(call: &RowCall, above: OrgId, role: u16) -> Result<(), CommandError> {
    call.scope::<right::OrgCreate>(above)?;
    call.scope::<right::UserInvite>(above)?;
    let giver = call.giver(above)?;
    if !giver.below.org.has(Permission::UserInvite) || !giver.below.org.has(Permission::OrgView) {
        return Err(LoaderFault::from(GiveRule::Below).into());
    }
    let sets = call.loader()?.directory().role(above, role).map(|(sets, _)| sets);
    let expected = || LoaderFault::field("roleId", "a role of the organization");
    Ok(giver.may_assign(sets.ok_or_else(expected)?, true).map_err(LoaderFault::from)?)
}

pub(in crate::command) async fn create_user(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformUserCreate,
) -> Result<PlatformInvited, CommandError> {
    let PlatformUserCreate { email, name, organization_name, org_id, role_id, time_zone, password_hash } = asked;
    let above = org_or_own(&call, org_id);
    of_org(desk.with_people(&call, move |call| check_invitation(call, above, role_id)).await)?;
    check_hash(password_hash.as_ref())?;
    let address = EmailAddress::parse(&email).map_err(|fault| CommandError::from(fault).about("email"))?;
    let room = desk.with_people(&call, move |call| Ok(call.loader()?.invite_room(&address, call.now_ms())?)).await?;
    let new = OrgCreate {
        org: above.get(),
        name: organization_name.unwrap_or(name),
        kind: OrgKindName::Personal,
        policy: None,
        time_zone,
    };
    let made = of_org(tree::create(desk, Arc::clone(&call), new).await);
    if made.is_err() {
        call.loader()?.free_room(&room);
    }
    let made = made?;
    let org = OrgId::new(made.id).ok_or_else(|| CommandError::new(Code::Failed, "no organization was made"))?;
    // What can still be in the way is a store that has just failed: the organization is there then, and is named.
    invited(desk, call, org, (email, role_id), Some(room)).await.map_err(|error| CommandError {
        text: format!("organization {org} was made, but nobody was invited: {}", error.text),
        ..error
    })
}

pub(in crate::command) async fn register(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: PlatformRegister,
) -> Result<(), CommandError> {
    let org = own_org(&call);
    desk.with_people(&call, move |call| call.scope::<right::UserInvite>(org).map(drop)).await?;
    let PlatformRegister { email, locale } = asked;
    address::sign_up(desk, Arc::clone(&call), SignUp { email, locale }).await?;
    // Blynk's answer to this is a 204.
    call.extras(|extras| extras.status = None);
    Ok(())
}

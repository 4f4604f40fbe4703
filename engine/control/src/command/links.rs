//! What a link lets anybody do: set the server up, accept an invitation, set a new password; and the invitations themselves.

use std::sync::Arc;

use super::call::{RowCall, org_of};
use super::desk::Desk;
use super::request::{
    InviteAccept, InviteCreate, InviteLine, InviteList, InviteRevoke, LinkedPerson, ListPage, MadeInvitation,
    PasswordForgot, PasswordReset, SetupAnswer, SetupLink, SetupOpen, SetupRenew, SetupState,
};
use super::session::{check_way, input};
use crate::access::{BuiltIn, right};
use crate::account::{EmailAddress, GivenSecret, SecretKind};
use crate::loader::LoaderFault;
use crate::loader::invite::{InviteAsked, InviteRoom, Joining};
use crate::loader::person::NewPerson;
use crate::{Code, CommandError};

/// The secret of a link.
fn secret(text: &str) -> Result<GivenSecret, CommandError> {
    GivenSecret::parse(SecretKind::Invite, text).ok_or_else(|| LoaderFault::Spent.into())
}

pub(super) async fn setup_state(desk: &Desk, _: Arc<RowCall>, _: SetupState) -> Result<SetupAnswer, CommandError> {
    Ok(SetupAnswer { open: desk.people()?.loader().is_empty() })
}

pub(super) async fn set_up(desk: &Desk, call: Arc<RowCall>, asked: SetupOpen) -> Result<LinkedPerson, CommandError> {
    let people = Arc::clone(desk.people()?);
    check_way(&people, &call)?;
    // No password is hashed for somebody without the link.
    if !people.knows_setup(&asked.token, call.now_ms()) {
        return Err(LoaderFault::Spent.into());
    }
    let email = EmailAddress::parse(&asked.email)?;
    let hashed =
        people.pool().hash(input("hash", &asked.hash)?, &email.folded(), vec![asked.name.as_str().into()]).await;
    let password = hashed.map_err(LoaderFault::from)?;
    let new = NewPerson { email, name: asked.name.as_str().into(), role: BuiltIn::Admin as u16, below: true, password };
    let id = desk
        .with_people(&call, move |call| {
            let job = || people.loader().first_person(call.by(), &asked.org, &new, call.now_ms());
            Ok(people.use_setup(&asked.token, call.now_ms(), job)?)
        })
        .await?;
    call.extras(|extras| extras.status = Some(201));
    Ok(LinkedPerson { org: id.0.get(), user: id.1 })
}

pub(super) async fn renew_setup(desk: &Desk, call: Arc<RowCall>, _: SetupRenew) -> Result<SetupLink, CommandError> {
    let people = Arc::clone(desk.people()?);
    desk.with_people(&call, move |call| {
        let made = people.renew_setup(call.now_ms())?;
        let text = "there is somebody already: `linchpin admin user create` makes more people";
        let (link, until_ms) = made.ok_or_else(|| CommandError::new(Code::Refused, text))?;
        Ok(SetupLink { link, until_ms })
    })
    .await
}

pub(super) fn list(call: &RowCall, asked: &InviteList) -> Result<ListPage<InviteLine>, CommandError> {
    let org = org_of(asked.org)?;
    let (scope, loader) = (call.scope::<right::UserInvite>(org)?, call.loader()?);
    let all = loader.invites(&scope, call.now_ms())?;
    let one = |(number, invite): (u32, linchpin_storage::schema::Invite)| {
        let by = invite.inviter.and_then(|id| loader.myself(id).ok()).map(|person| person.user.name);
        InviteLine {
            id: number,
            email: invite.email.into(),
            role_name: loader.directory().role_name(org, invite.role).unwrap_or_default().into(),
            by: by.unwrap_or_default().into(),
            until_ms: invite.until_ms,
            made_ms: invite.made_ms,
        }
    };
    Ok(ListPage::whole(all.into_iter().map(one).collect()))
}

pub(super) async fn create(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: InviteCreate,
) -> Result<MadeInvitation, CommandError> {
    invite(desk, call, asked, None).await
}

/// As [`create`], with the room that was taken for it.
pub(super) async fn invite(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: InviteCreate,
    room: Option<InviteRoom>,
) -> Result<MadeInvitation, CommandError> {
    let made = desk.with_people(&call, move |call| {
        let org = org_of(asked.org)?;
        let scope = call.scope::<right::UserInvite>(org)?;
        let new = InviteAsked { email: EmailAddress::parse(&asked.email)?, role: asked.role, below: asked.below };
        let made = call.loader()?.invite(&scope, &call.giver(org)?, &new, room, call.now_ms())?;
        Ok(MadeInvitation { id: made.number })
    });
    let made = made.await?;
    call.extras(|extras| extras.status = Some(201));
    Ok(made)
}

pub(super) fn revoke(call: &RowCall, asked: &InviteRevoke) -> Result<(), CommandError> {
    let scope = call.scope::<right::UserInvite>(org_of(asked.org)?)?;
    Ok(call.loader()?.revoke_invite(&scope, asked.invite, call.now_ms())?)
}

pub(super) async fn accept(desk: &Desk, call: Arc<RowCall>, asked: InviteAccept) -> Result<LinkedPerson, CommandError> {
    let people = Arc::clone(desk.people()?);
    check_way(&people, &call)?;
    let token = secret(&asked.token)?;
    let signed_in = call.myself().ok();
    let looked = token.clone();
    let (_, email) = desk.with_people(&call, move |call| Ok(call.loader()?.invited(&looked, call.now_ms())?)).await?;
    let name: Box<str> = asked.name.as_str().into();
    let new = match (&asked.hash, signed_in) {
        (Some(hash), None) => {
            let consents = super::me::agreed(&asked.consents)?;
            // The password's place was made with the address that was typed: another one would never be right.
            let typed = asked.email.as_deref().map(EmailAddress::parse).transpose()?;
            if typed.is_some_and(|typed| typed.folded() != email.folded()) {
                return Err(CommandError::new(Code::Conflict, "this invitation is for another address").about("email"));
            }
            let hashed = people.pool().hash(input("hash", hash)?, &email.folded(), vec![name.clone()]).await;
            Joining { name, password: hashed.map_err(LoaderFault::from)?, consents }
        }
        _ => Joining { name, ..Joining::default() },
    };
    let id = desk.with_people(&call, move |call| {
        Ok(call.loader()?.accept(call.by(), &token, signed_in, &new, call.now_ms())?)
    });
    let id = id.await?;
    Ok(LinkedPerson { org: id.0.get(), user: id.1 })
}

pub(super) async fn forgot(desk: &Desk, call: Arc<RowCall>, asked: PasswordForgot) -> Result<(), CommandError> {
    desk.people()?;
    let email = EmailAddress::parse(&asked.email)?;
    // Answered before anything is looked up: the time says nothing of whether there is such an account.
    call.extras(|extras| extras.status = Some(202));
    let late = Arc::clone(&call);
    tokio::task::spawn_blocking(move || {
        let done = late.loader().map(|loader| loader.forgotten(late.by(), &email, late.now_ms()));
        if let Ok(Err(fault)) = done {
            tracing::error!(%fault, "a link for a new password was not made");
        }
    });
    Ok(())
}

pub(super) async fn reset(desk: &Desk, call: Arc<RowCall>, asked: PasswordReset) -> Result<(), CommandError> {
    let people = desk.people()?;
    check_way(people, &call)?;
    let (token, input) = (secret(&asked.token)?, input("hash", &asked.hash)?);
    people.door().reset(call.by(), token, input, call.now_ms()).await?;
    Ok(())
}

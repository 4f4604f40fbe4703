//! Signing up with an address, and taking another.

use std::sync::Arc;

use super::call::RowCall;
use super::desk::Desk;
use super::request::{AddressConfirm, AddressStop, MeAddress, SignUp};
use super::session::{check_way, input};
use crate::account::{EmailAddress, GivenSecret, SecretKind};
use crate::loader::LoaderFault;
use crate::{Code, CommandError};

fn secret(text: &str) -> Result<GivenSecret, CommandError> {
    GivenSecret::parse(SecretKind::Invite, text).ok_or_else(|| LoaderFault::Spent.into())
}

pub(super) async fn sign_up(desk: &Desk, call: Arc<RowCall>, asked: SignUp) -> Result<(), CommandError> {
    let people = desk.people()?;
    let text = "people do not sign up here by themselves: somebody must invite them";
    let org = people.settings().sign_up.ok_or_else(|| CommandError::new(Code::Refused, text))?;
    let email = EmailAddress::parse(&asked.email)?;
    if !people.admits_sign_up(call.origin().address, call.now_ms()) {
        let text = "too many people sign up from this address: try again in an hour";
        return Err(CommandError::new(Code::TooMany, text).again_in(crate::limits::MAIL_WINDOW_MS));
    }
    // Answered before anything is looked up: the time says nothing of whether there is such an account.
    call.extras(|extras| extras.status = Some(202));
    let late = Arc::clone(&call);
    tokio::task::spawn_blocking(move || {
        let done = late.loader().map(|loader| {
            loader.sign_up(late.by(), org, (&email, asked.locale.as_deref().unwrap_or_default()), late.now_ms())
        });
        if let Ok(Err(fault)) = done {
            tracing::error!(%fault, "somebody could not sign up");
        }
    });
    Ok(())
}

pub(super) async fn ask(desk: &Desk, call: Arc<RowCall>, asked: MeAddress) -> Result<(), CommandError> {
    let people = desk.people()?;
    check_way(people, &call)?;
    let (asker, ..) = call.session()?;
    let new = EmailAddress::parse(&asked.new_email).map_err(|fault| CommandError::from(fault).about("new_email"))?;
    let (old_input, new_input) = (input("old", &asked.old)?, input("new", &asked.new)?);
    people.door().step_up(asker, Ok(old_input), call.now_ms()).await?;
    let hashed = people.pool().hash(new_input, &new.folded(), Vec::new()).await;
    let password = hashed.map_err(LoaderFault::from)?;
    call.extras(|extras| extras.status = Some(202));
    desk.with_people(&call, move |call| {
        Ok(call.loader()?.ask_address(call.by(), call.myself()?, (&new, password), call.now_ms())?)
    })
    .await
}

pub(super) fn confirm(call: &RowCall, asked: &AddressConfirm) -> Result<(), CommandError> {
    Ok(call.loader()?.confirm_address(call.by(), &secret(&asked.token)?, call.now_ms())?)
}

pub(super) fn stop(call: &RowCall, asked: &AddressStop) -> Result<(), CommandError> {
    Ok(call.loader()?.stop_address(call.by(), &secret(&asked.token)?, call.now_ms())?)
}

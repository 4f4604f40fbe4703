//! What people change of themselves.

use std::sync::Arc;

use linchpin_storage::schema::{AddressRange, ClientKind, ClientRecord, Consent, SessionKind};
use zeroize::Zeroizing;

use super::call::RowCall;
use super::desk::Desk;
use super::keys;
use super::request::{
    ConsentLine, FactorBegin, FactorConfirm, FactorRemove, FactorSecret, ListPage, MadeKey, MeEdit, MePassword,
    MyConsentSet, MyConsents, MyKeyCreate, MyKeyRevoke, MyKeys, MyPerson, MySession, MySessionEnd, MySessions,
    MySessionsEnd, RecoveryCodes, RecoveryRenew,
};
use super::session::{input, line, set_cookie};
use crate::access::{Assurance, Denial};
use crate::account::{EmailAddress, totp};
use crate::loader::LoaderFault;
use crate::loader::client::ClientAsked;
use crate::loader::person::AccountEdit;
use crate::loader::profile::ProfileEdit;
use crate::loader::session::{NewSession, SessionLine};
use crate::{Code, CommandError, limits};

/// What people may agree to: number, name, text, and its version. Numbers are stored: never change or reuse one.
const PURPOSES: &[(u16, &str, &str, u32)] =
    &[(1, "account", "Name and e-mail address, to sign in", 1), (2, "news", "Mails about new versions", 1)];

/// What a new account needs, and what else of this its person agrees to: numbers and versions.
///
/// # Errors
/// One of them is unknown, or `account` is missing.
pub(super) fn agreed(consents: &[String]) -> Result<Vec<(u16, u32)>, CommandError> {
    let known = |asked: &String| PURPOSES.iter().find(|(_, name, ..)| name == asked).map(|one| (one.0, one.3));
    let found: Option<Vec<_>> = consents.iter().map(known).collect();
    let needed = |found: &Vec<(u16, u32)>| found.iter().any(|(purpose, _)| *purpose == PURPOSES[0].0);
    let what = "names of the list of me.consents, with \"account\": without it there is no account";
    found.filter(needed).ok_or_else(|| CommandError::parameter("consents", what))
}

pub(super) fn edit(call: &RowCall, asked: &MeEdit) -> Result<MyPerson, CommandError> {
    let (id, loader) = (call.myself()?, call.loader()?);
    let edit =
        ProfileEdit { name: asked.name.as_deref().map(Into::into), locale: asked.locale.as_deref().map(Into::into) };
    loader.edit_profile(call.by(), id, &edit, call.now_ms())?;
    Ok(line(&loader.myself(id)?))
}

/// After a change that ended all sessions of the person: a new one for the page that asked.
fn reopen(call: &RowCall, assurance: Assurance) -> Result<(), CommandError> {
    let (id, loader) = (call.myself()?, call.loader()?);
    let origin = call.origin();
    let new =
        NewSession { kind: SessionKind::Browser, assurance, agent: origin.agent.clone(), address: origin.address };
    let (token, _) = loader.open_session(call.by(), &loader.myself(id)?, &new, call.now_ms())?;
    set_cookie(call, Some(&token));
    let csrf = loader.csrf(&token);
    call.extras(|extras| extras.csrf = Some(csrf));
    Ok(())
}

pub(super) async fn password(desk: &Desk, call: Arc<RowCall>, asked: MePassword) -> Result<(), CommandError> {
    let people = desk.people()?;
    let (asker, ..) = call.session()?;
    let (old, new) = (input("old", &asked.old)?, input("new", &asked.new)?);
    people.door().step_up(asker, Ok(old), call.now_ms()).await?;
    let person = desk.with_people(&call, |call| Ok(call.loader()?.myself(call.myself()?)?)).await?;
    let email = EmailAddress::parse(&person.user.email)?;
    let hashed = people.pool().hash(new, &email.folded(), vec![person.user.name.clone()]).await;
    let text = hashed.map_err(LoaderFault::from)?;
    let assurance = asker.standing.assurance.and(Assurance::PASSWORD);
    desk.with_people(&call, move |call| {
        call.loader()?.edit_account(call.by(), person.id, AccountEdit::Password(text), call.now_ms())?;
        reopen(call, assurance)
    })
    .await
}

pub(super) fn sessions(call: &RowCall, _: &MySessions) -> Result<ListPage<MySession>, CommandError> {
    let (_, _, live) = call.session()?;
    let current = live.key.map(|key| key.session());
    let all = call.loader()?.sessions_of(live.owner)?;
    Ok(ListPage::whole(session_lines(all, current, call.now_ms())))
}

/// Sessions that are not over, the one that was used last first.
pub(super) fn session_lines(mut all: Vec<SessionLine>, current: Option<u64>, now_ms: u64) -> Vec<MySession> {
    all.retain(|line| now_ms < line.record.until_ms);
    all.sort_by_key(|line| std::cmp::Reverse(line.record.seen_ms));
    let one = |line: SessionLine| MySession {
        id: format!("{:016x}", line.session),
        kind: if line.record.kind == SessionKind::Browser { "browser" } else { "live" }.to_owned(),
        agent: line.record.agent.to_string(),
        address: None,
        made_ms: line.record.made_ms,
        seen_ms: line.record.seen_ms,
        current: current == Some(line.session),
    };
    all.into_iter().map(one).collect()
}

pub(super) fn end_session(call: &RowCall, asked: &MySessionEnd) -> Result<(), CommandError> {
    let number = u64::from_str_radix(&asked.session, 16).map_err(|_| LoaderFault::Missing)?;
    Ok(call.loader()?.end_session(call.by(), call.myself()?, number, call.now_ms())?)
}

pub(super) fn end_sessions(call: &RowCall, _: &MySessionsEnd) -> Result<(), CommandError> {
    let (_, _, live) = call.session()?;
    let (loader, current) = (call.loader()?, live.key.map(|key| key.session()));
    for line in loader.sessions_of(live.owner)?.into_iter().filter(|line| Some(line.session) != current) {
        match loader.end_session(call.by(), live.owner, line.session, call.now_ms()) {
            // It ended by itself meanwhile.
            Ok(()) | Err(LoaderFault::Missing) => {}
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}

/// Setting a factor up is allowed while one is due because an organization demands it, and not while one's own is.
fn may_set_up(call: &RowCall) -> Result<(), CommandError> {
    let (asker, ..) = call.session()?;
    if asker.standing.has_factor && call.owes_factor() {
        return Err(Denial::FactorDue.into());
    }
    if asker.standing.is_fresh(call.now_ms()) {
        return Ok(());
    }
    Err(CommandError::new(Code::StepUpDue, "this needs a fresh proof: give your password or a code again"))
}

pub(super) fn begin_factor(call: &RowCall, _: &FactorBegin) -> Result<FactorSecret, CommandError> {
    may_set_up(call)?;
    let (id, loader) = (call.myself()?, call.loader()?);
    let mut secret = Zeroizing::new(vec![0; totp::SECRET_BYTES]);
    getrandom::fill(&mut secret).map_err(LoaderFault::from)?;
    loader.edit_account(call.by(), id, AccountEdit::FactorBegin(secret.clone()), call.now_ms())?;
    let person = loader.myself(id)?;
    let uri = totp::otpauth(&secret, "Linchpin", &person.user.email).to_string();
    Ok(FactorSecret { uri, secret: totp::base32(&secret).to_string() })
}

/// Fresh recovery codes and their digests.
fn recovery_codes(call: &RowCall) -> Result<(RecoveryCodes, Vec<[u8; 32]>), CommandError> {
    let (id, loader) = (call.myself()?, call.loader()?);
    let (mut codes, mut digests) = (Vec::new(), Vec::new());
    for _ in 0..limits::RECOVERY_CODES {
        let mut random = Zeroizing::new([0; 10]);
        getrandom::fill(&mut *random).map_err(LoaderFault::from)?;
        let code = totp::recovery_code(&random);
        digests.push(loader.recovery_digest(id, &code));
        codes.push(code.to_string());
    }
    Ok((RecoveryCodes { recovery: codes }, digests))
}

pub(super) async fn confirm_factor(
    desk: &Desk,
    call: Arc<RowCall>,
    asked: FactorConfirm,
) -> Result<RecoveryCodes, CommandError> {
    may_set_up(&call)?;
    let (asker, ..) = call.session()?;
    let assurance = asker.standing.assurance.and(Assurance::FACTOR);
    let code = Zeroizing::new(asked.code);
    let attempt = desk.people()?.door().attempt(asker, call.now_ms()).await?;
    let looked =
        desk.with_people(&call, move |call| Ok(call.loader()?.first_code(call.myself()?, &code, call.now_ms())?));
    let step = looked.await;
    desk.people()?.door().attempted(attempt, step.as_ref().is_ok_and(Option::is_some), call.now_ms());
    let step = step?.ok_or_else(|| CommandError::new(Code::WrongCode, "the code is wrong").about("code"))?;
    desk.with_people(&call, move |call| {
        let (codes, digests) = recovery_codes(call)?;
        call.loader()?.edit_account(
            call.by(),
            call.myself()?,
            AccountEdit::FactorConfirm(step, digests),
            call.now_ms(),
        )?;
        reopen(call, assurance)?;
        Ok(codes)
    })
    .await
}

pub(super) fn renew_recovery(call: &RowCall, _: &RecoveryRenew) -> Result<RecoveryCodes, CommandError> {
    let (codes, digests) = recovery_codes(call)?;
    call.loader()?.edit_account(call.by(), call.myself()?, AccountEdit::Recovery(digests), call.now_ms())?;
    Ok(codes)
}

pub(super) fn remove_factor(call: &RowCall, _: &FactorRemove) -> Result<(), CommandError> {
    call.loader()?.edit_account(call.by(), call.myself()?, AccountEdit::FactorRemove, call.now_ms())?;
    reopen(call, Assurance::PASSWORD)
}

pub(super) fn list_keys(call: &RowCall, _: &MyKeys) -> Result<ListPage<super::request::KeyLine>, CommandError> {
    let all = call.loader()?.personal_keys(call.myself()?)?;
    Ok(ListPage::whole(all.iter().map(|(number, client)| keys::line(*number, client)).collect()))
}

pub(super) fn create_key(call: &RowCall, asked: &MyKeyCreate) -> Result<MadeKey, CommandError> {
    let (id, loader) = (call.myself()?, call.loader()?);
    let sets = keys::sets(&asked.permissions)?;
    let asked = ClientAsked {
        kind: ClientKind::Personal,
        name: asked.name.as_str().into(),
        sets,
        until_ms: asked.until_ms.unwrap_or(0),
        from: keys::ranges("from", &asked.from)?,
        requests_per_minute: 0,
    };
    let (number, secret) = loader.create_personal_key(call.by(), id, asked, call.now_ms())?;
    let found = loader.personal_keys(id)?.into_iter().find(|(known, _)| *known == number);
    let made: (u32, ClientRecord) = found.ok_or(LoaderFault::Missing)?;
    Ok(MadeKey { key: keys::line(number, &made.1), secret: secret.expose().to_owned() })
}

pub(super) fn revoke_key(call: &RowCall, asked: &MyKeyRevoke) -> Result<(), CommandError> {
    Ok(call.loader()?.revoke_personal_key(call.by(), call.myself()?, asked.key, call.now_ms())?)
}

pub(super) fn consents(call: &RowCall, _: &MyConsents) -> Result<ListPage<ConsentLine>, CommandError> {
    let known = call.loader()?.consents(call.myself()?)?;
    let one = |(number, name, text, version): &(u16, &str, &str, u32)| {
        let decision = known.iter().find(|(purpose, _, consent)| purpose == number && consent.version == *version);
        ConsentLine {
            purpose: (*name).to_owned(),
            text: (*text).to_owned(),
            given: decision.is_some_and(|(_, _, consent)| consent.given),
            at_ms: decision.map(|(_, at_ms, _)| *at_ms),
        }
    };
    Ok(ListPage::whole(PURPOSES.iter().map(one).collect()))
}

pub(super) fn set_consent(call: &RowCall, asked: &MyConsentSet) -> Result<ListPage<ConsentLine>, CommandError> {
    let found = PURPOSES.iter().find(|(_, name, ..)| *name == asked.purpose);
    let (purpose, _, _, version) = *found.ok_or_else(|| CommandError::parameter("purpose", "one of the list"))?;
    let consent = Consent { version, given: asked.given, source: "console".into() };
    call.loader()?.set_consent(call.by(), call.myself()?, (purpose, &consent), call.now_ms())?;
    consents(call, &MyConsents {})
}

/// Address ranges as texts.
pub(super) fn show_ranges(ranges: &[AddressRange]) -> Vec<String> {
    ranges.iter().map(ToString::to_string).collect()
}

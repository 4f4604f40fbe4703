//! Signing in and out, and who one is.

use std::sync::Arc;

use linchpin_storage::schema::{OrgId, SessionKind};
use zeroize::Zeroizing;

use super::call::RowCall;
use super::desk::Desk;
use super::request::{
    Me, MeShow, MyGrant, MyPerson, ServerFacts, SessionAnswer, SessionEnd, SessionOpen, SessionStepUp,
};
use crate::access::{Membership, Permission, Permissions};
use crate::account::{EmailAddress, GivenSecret, PasswordInput};
use crate::loader::LoaderFault;
use crate::loader::person::Person;
use crate::loader::session::NewSession;
use crate::loader::sign_in::{SignInAsked, SignInFault};
use crate::people::People;
use crate::{Code, CommandError, limits};

impl From<SignInFault> for CommandError {
    fn from(fault: SignInFault) -> Self {
        match fault {
            SignInFault::Wrong => Self::new(Code::WrongCredentials, "address, password or code is wrong"),
            SignInFault::Blocked(blocked) => {
                let seconds = blocked.retry_ms.div_ceil(1_000);
                let text = format!("too many attempts failed: nothing was looked at; try again in {seconds} s");
                Self::new(Code::Blocked, text).again_in(blocked.retry_ms)
            }
            SignInFault::Full => {
                Self::new(Code::Busy, "too many passwords wait to be looked at: try again in a second").again_in(1_000)
            }
            SignInFault::Elsewhere => {
                Self::new(Code::Elsewhere, "the organization does not allow to sign in from this address")
            }
            SignInFault::Fault(fault) => fault.into(),
        }
    }
}

/// What stands for a password, as it was sent.
pub(super) fn input(name: &str, text: &str) -> Result<PasswordInput, CommandError> {
    PasswordInput::parse(text).ok_or_else(|| {
        CommandError::parameter(name, "base64(SHA-256(password, SHA-256(e-mail address))): 44 characters")
    })
}

/// Passwords and sessions travel over TLS, or not beyond this machine, unless the operator says otherwise.
pub(super) fn check_way(people: &People, call: &RowCall) -> Result<(), CommandError> {
    let origin = call.origin();
    if origin.over_tls || origin.address.is_loopback() || people.settings().plain_from_lan {
        return Ok(());
    }
    let text =
        "sign in over https: without TLS anybody on the way could read the session (or set console.plain = \"lan\")";
    Err(CommandError::new(Code::Refused, text))
}

pub(super) fn line(person: &Person) -> MyPerson {
    MyPerson {
        id: person.id.1,
        org: person.id.0.get(),
        email: person.user.email.to_string(),
        name: person.user.name.to_string(),
        locale: Some(person.account.locale.to_string()).filter(|locale| !locale.is_empty()),
    }
}

fn due(owes_factor: bool) -> Vec<String> {
    owes_factor.then(|| "factor".to_owned()).into_iter().collect()
}

/// The cookie of a session; with how long a browser keeps it at most.
pub(super) fn set_cookie(call: &RowCall, token: Option<&GivenSecret>) {
    let origin = call.origin();
    let seconds = limits::SESSION_MS / 1_000;
    let line = origin.cookie(&origin.session_cookie(), token.map(GivenSecret::expose), seconds);
    call.extras(|extras| extras.cookies.push(line));
}

pub(super) async fn open(desk: &Desk, call: Arc<RowCall>, asked: SessionOpen) -> Result<SessionAnswer, CommandError> {
    let people = desk.people()?;
    check_way(people, &call)?;
    let origin = call.origin();
    let email = EmailAddress::parse(&asked.email)?;
    let key = people.loader().email_key(&email);
    let asked = SignInAsked {
        email,
        input: input("hash", &asked.hash)?,
        code: asked.code.map(Zeroizing::new),
        known: origin.known.clone(),
        address: origin.address,
        agent: origin.agent.clone(),
        request: origin.request,
    };
    let signed = people.door().sign_in(asked, call.now_ms()).await?;
    set_cookie(&call, Some(&signed.token));
    if !signed.owes_factor {
        mark_browser(people, &call, &key)?;
    }
    let (id, replaced, due) = (signed.person, origin.session.clone(), due(signed.owes_factor));
    let csrf = people.loader().csrf(&signed.token);
    desk.with_people(&call, move |call| {
        let loader = call.loader()?;
        // The session of this browser before this one: another's is left alone, and so is one that is over.
        if let Some(old) = replaced.map(|token| loader.session(&token, call.now_ms())).transpose()?.flatten()
            && let Some(key) = old.key.filter(|_| old.owner == id)
        {
            loader.end_session(call.by(), id, key.session(), call.now_ms())?;
        }
        Ok(SessionAnswer { user: line(&loader.myself(id)?), csrf, due })
    })
    .await
}

/// A browser that has signed in fully is known from then on.
fn mark_browser(people: &People, call: &RowCall, account: &[u8; 32]) -> Result<(), CommandError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(LoaderFault::from)?;
    let until_ms = call.now_ms() + limits::KNOWN_BROWSER_MS;
    let mark = people.loader().marks().known_browser(account, until_ms, &random);
    let origin = call.origin();
    let cookie = origin.cookie(&origin.known_cookie(), Some(&mark), limits::KNOWN_BROWSER_MS / 1_000);
    call.extras(|extras| extras.cookies.push(cookie));
    Ok(())
}

pub(super) fn close(call: &RowCall, _: &SessionEnd) -> Result<(), CommandError> {
    let (asker, _, live) = call.session()?;
    set_cookie(call, None);
    let key = live.key.ok_or(LoaderFault::Missing)?;
    Ok(call.loader()?.end_session(asker.by(), live.owner, key.session(), call.now_ms())?)
}

pub(super) async fn step_up(desk: &Desk, call: Arc<RowCall>, asked: SessionStepUp) -> Result<(), CommandError> {
    let people = desk.people()?;
    let (asker, _, live) = call.session()?;
    let given = match (&asked.hash, asked.code) {
        (Some(hash), None) => Ok(input("hash", hash)?),
        (None, Some(code)) => Err(Zeroizing::new(code)),
        _ => return Err(CommandError::parameter("hash", "given, or code, and not both")),
    };
    let proven = people.door().step_up(asker, given, call.now_ms()).await?;
    let assurance = asker.standing.assurance.and(proven);
    let (by, live) = (asker.by(), Arc::clone(live));
    let origin = call.origin().clone();
    let (token, _) = desk
        .with_people(&call, move |call| {
            let (kind, agent, address) = (SessionKind::Browser, origin.agent, origin.address);
            let new = NewSession { kind, assurance, agent, address };
            Ok(call.loader()?.renew_session(by, &live, &new, call.now_ms())?)
        })
        .await?;
    set_cookie(&call, Some(&token));
    // Pages send the old mark until they ask again: it is of the token, so the answer has the new one.
    let csrf = people.loader().csrf(&token);
    call.extras(|extras| extras.csrf = Some(csrf));
    Ok(())
}

fn names(set: Permissions) -> Vec<String> {
    set.iter().map(|permission| permission.name().to_owned()).collect()
}

pub(super) async fn me(desk: &Desk, call: Arc<RowCall>, _: MeShow) -> Result<Me, CommandError> {
    let settings = desk.people()?.settings();
    let host = settings.public_url.as_deref().and_then(|url| url.split_once("://")).map(|(_, host)| host);
    let server = ServerFacts {
        name: host.unwrap_or("Linchpin").to_owned(),
        build: desk.facts.commit.to_owned(),
        public_url: settings.public_url.as_deref().map(str::to_owned),
        plain: !call.origin().over_tls,
    };
    desk.with_people(&call, move |call| of_session(call, server)).await
}

fn of_session(call: &RowCall, server: ServerFacts) -> Result<Me, CommandError> {
    let (asker, token, live) = call.session()?;
    let loader = call.loader()?;
    let person = loader.myself(live.owner)?;
    let directory = loader.directory();
    let standing = &asker.standing;
    let grant = |member: &Membership| {
        let sets = standing.sets(&directory.tree, member.org, call.now_ms());
        MyGrant {
            org: member.org.get(),
            org_name: directory.tree.get(member.org).map(|node| node.name.to_string()).unwrap_or_default(),
            role: member.role,
            role_name: directory.role_name(member.org, member.role).unwrap_or_default().into(),
            below: member.below,
            all: names(sets.org),
            own: names(sets.own),
        }
    };
    let is_operator = standing.sets(&directory.tree, OrgId::FIRST, call.now_ms()).org.has(Permission::ServerManage);
    let owes_factor = standing.owes_factor(&directory.tree, None);
    // Whoever owes a factor learns nothing of what there is.
    let grants = if owes_factor { Vec::new() } else { standing.memberships.iter().map(grant).collect() };
    Ok(Me {
        user: line(&person),
        csrf: loader.csrf(token),
        grants,
        factor: person.account.has_factor(),
        due: due(owes_factor),
        operator: is_operator && !owes_factor,
        server,
    })
}

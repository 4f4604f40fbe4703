//! Signing in at another server.

use std::sync::{Arc, PoisonError};

use linchpin_storage::schema::AccountLink;

use super::call::RowCall;
use super::desk::Desk;
use super::request::{ListPage, OidcCallback, OidcLine, OidcLink, OidcList, OidcStart, OidcStarted, OidcUnlink};
use super::session::{check_way, set_cookie};
use crate::account::GivenSecret;
use crate::loader::LoaderFault;
use crate::oidc::OidcProvider;
use crate::people::People;
use crate::{Code, CommandError, limits};

fn provider(people: &People, number: u32) -> Result<(usize, &OidcProvider), CommandError> {
    let at = (number as usize).checked_sub(1);
    let found = at.and_then(|at| Some((at, people.providers().get(at)?)));
    found.ok_or_else(|| CommandError::new(Code::NotFound, "there is no such server to sign in at"))
}

fn redirect_uri(people: &People, number: u32) -> String {
    format!("{}/api/v1/oidc/{number}/callback", people.public_url())
}

pub(super) async fn list(desk: &Desk, _: Arc<RowCall>, _: OidcList) -> Result<ListPage<OidcLine>, CommandError> {
    let line = |(at, provider): (usize, &OidcProvider)| OidcLine {
        id: at as u32 + 1,
        name: provider.server.name.to_string(),
        issuer: provider.server.issuer.to_string(),
    };
    Ok(ListPage::whole(desk.people()?.providers().iter().enumerate().map(line).collect()))
}

/// Begin a sign-in, bound to this browser by a cookie that comes along when the server sends the browser back.
async fn begin(
    people: &People,
    call: &RowCall,
    number: u32,
    linking: Option<GivenSecret>,
) -> Result<String, CommandError> {
    check_way(people, call)?;
    let (at, provider) = provider(people, number)?;
    let mut random = [0; 128];
    getrandom::fill(&mut random).map_err(LoaderFault::from)?;
    let begun = (at, linking, call.origin().address);
    let begun = people.flows().lock().unwrap_or_else(PoisonError::into_inner).begin(begun, &random, call.now_ms());
    let address = provider.begin(&begun, &redirect_uri(people, number)).await.map_err(|fault| {
        tracing::warn!(issuer = %provider.server.issuer, %fault, "nobody can sign in there");
        CommandError::new(Code::OtherServer, "the server to sign in at does not answer: try again later")
    })?;
    let origin = call.origin();
    let cookie = origin.lax_cookie(&origin.oidc_cookie(), Some(&begun.binding), limits::OIDC_FLOW_MS / 1_000);
    call.extras(|extras| extras.cookies.push(cookie));
    Ok(address)
}

/// Lead the browser to a place; if there is none, people see why on the page where they sign in, and programs as ever.
fn lead(call: &RowCall, place: Result<String, CommandError>) -> Result<(), CommandError> {
    let place = match place {
        Err(error) if call.origin().is_page => format!("/sign-in?elsewhere={}", error.code.number()),
        place => place?,
    };
    call.extras(|extras| (extras.status, extras.location) = (Some(302), Some(place)));
    Ok(())
}

pub(super) async fn start(desk: &Desk, call: Arc<RowCall>, asked: OidcStart) -> Result<(), CommandError> {
    let place = begin(desk.people()?, &call, asked.provider, None).await;
    lead(&call, place)
}

pub(super) async fn link(desk: &Desk, call: Arc<RowCall>, asked: OidcLink) -> Result<OidcStarted, CommandError> {
    let linking = Some(call.session()?.1.clone());
    Ok(OidcStarted { location: begin(desk.people()?, &call, asked.provider, linking).await? })
}

pub(super) async fn unlink(desk: &Desk, call: Arc<RowCall>, asked: OidcUnlink) -> Result<(), CommandError> {
    let issuer = provider(desk.people()?, asked.provider)?.1.server.issuer.clone();
    desk.with_people(&call, move |call| {
        Ok(call.loader()?.unlink_identity(call.by(), call.myself()?, &issuer, call.now_ms())?)
    })
    .await
}

fn link_to(call: &RowCall, token: &GivenSecret, link: &AccountLink) -> Result<(), CommandError> {
    let loader = call.loader()?;
    let over = || CommandError::new(Code::SignInFirst, "the session that began this is over: sign in again");
    let live = loader.session(token, call.now_ms())?.ok_or_else(over)?;
    let origin = call.origin();
    let by = loader.asker(&live, origin.address, &origin.agent, origin.request).by();
    Ok(loader.link_identity(by, live.owner, link, call.now_ms())?)
}

pub(super) async fn callback(desk: &Desk, call: Arc<RowCall>, asked: OidcCallback) -> Result<(), CommandError> {
    let place = come_back(desk, &call, asked).await;
    lead(&call, place)
}

/// Finish what has begun in this browser; where it goes then.
async fn come_back(desk: &Desk, call: &Arc<RowCall>, asked: OidcCallback) -> Result<String, CommandError> {
    let people = Arc::clone(desk.people()?);
    check_way(&people, call)?;
    let (at, provider) = provider(&people, asked.provider)?;
    let flow = {
        let mut flows = people.flows().lock().unwrap_or_else(PoisonError::into_inner);
        flows.take(&asked.state, at, call.origin().oidc.as_deref(), call.now_ms())
    };
    let origin = call.origin();
    let forget = origin.lax_cookie(&origin.oidc_cookie(), None, 0);
    call.extras(|extras| extras.cookies.push(forget));
    let spent = "this sign-in was used, is over, or began in another browser: begin again";
    let flow = flow.ok_or_else(|| CommandError::new(Code::Spent, spent))?;
    // A server that says who it is must be the one that was asked (RFC 9207).
    if asked.iss.as_deref().is_some_and(|iss| *iss != *provider.server.issuer) {
        return Err(CommandError::new(Code::WrongCredentials, "another server answered than the one that was asked"));
    }
    let refused = || CommandError::new(Code::WrongCredentials, "the other server did not sign you in");
    let code = asked.code.filter(|_| asked.error.is_none()).ok_or_else(refused)?;
    let found = provider.finish(&flow, &code, &redirect_uri(&people, asked.provider), call.now_ms() / 1_000).await;
    let found = found.map_err(|fault| {
        tracing::warn!(issuer = %provider.server.issuer, %fault, "a sign-in there came to nothing");
        refused()
    })?;
    let link = AccountLink { issuer: provider.server.issuer.clone(), subject: found.subject };
    let speaks_for = |domain: &str| provider.server.domains.iter().any(|known| known.eq_ignore_ascii_case(domain));
    let email = found.verified_email.filter(|email| speaks_for(&email.domain()));
    match flow.linking {
        // The browser comes from another site and sends no session: the one that began must still be good.
        Some(token) => {
            desk.with_people(call, move |call| link_to(call, &token, &link)).await?;
            Ok("/me".to_owned())
        }
        None => {
            let door = people.door();
            let from = (origin.address, origin.agent.clone(), origin.request);
            let signed = door.sign_in_elsewhere((link, email), from, call.now_ms()).await?;
            set_cookie(call, Some(&signed.token));
            Ok(if signed.owes_factor { "/sign-in?factor=1" } else { "/devices" }.to_owned())
        }
    }
}

//! Live sockets: who may have one, and what it may see. The shard that has the connection does the rest.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, StatusCode, header};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use linchpin_protocol::http::Target;
use linchpin_protocol::model::DeviceId;
use linchpin_shard::limits::{LIVE_OWN_DEVICES, LIVE_SCOPES};
use linchpin_shard::{LiveGrant, LiveOwner, LiveRights, LiveScope};
use linchpin_storage::schema::OrgId;
use ring::digest::{SHA256, digest};

use super::AskClient;
use super::caller::{is_own_page, origin, sender};
use super::problem::problem;
use super::viewing::looking;
use crate::access::scope::check;
use crate::access::{Permission, ScopeReach};
use crate::account::ended::live_user;
use crate::command::{CallOrigin, Desk, KnownCaller, Needs, RowCaller};
use crate::{Code, CommandError, clock, limits};

/// What each right of a live socket needs.
const RIGHTS: [(LiveRights, Permission); 4] = [
    (LiveRights::VIEW, Permission::DeviceView),
    (LiveRights::CONTROL, Permission::DeviceControl),
    (LiveRights::EVENTS, Permission::EventView),
    (LiveRights::DIAGNOSE, Permission::DeviceDiagnose),
];

/// Tickets that were given and not used: by their digests, with who asked and until when.
#[derive(Default)]
struct Tickets(Mutex<HashMap<[u8; 32], (Instant, KnownCaller)>>);

impl Tickets {
    fn key(ticket: &str) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, ticket.as_bytes()).as_ref());
        key
    }

    fn give(&self, known: KnownCaller) -> Result<String, CommandError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| CommandError::new(Code::Failed, "no random bytes"))?;
        let ticket = URL_SAFE_NO_PAD.encode(bytes);
        let now = Instant::now();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|_, (until, _)| *until > now);
        if tickets.len() >= limits::LIVE_TICKETS {
            let text = format!("{} tickets wait to be used: try again in a moment", limits::LIVE_TICKETS);
            return Err(CommandError::new(Code::TooMany, text));
        }
        tickets.insert(Self::key(&ticket), (now + Duration::from_secs(limits::LIVE_TICKET_S), known));
        Ok(ticket)
    }

    /// Good once.
    fn take(&self, ticket: &str) -> Option<KnownCaller> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&Self::key(ticket));
        taken.filter(|(until, _)| *until > Instant::now()).map(|(_, known)| known)
    }
}

/// `GET /api/v1/live` and `POST /api/v1/live/ticket`.
pub(super) fn live(desk: Arc<Desk>, build: fn() -> &'static str) -> Router {
    let tickets = Arc::new(Tickets::default());
    let (for_get, for_post) = ((Arc::clone(&desk), Arc::clone(&tickets)), (desk, tickets));
    let grant = move |request: Request| {
        let (desk, tickets) = for_get.clone();
        let request = request.into_parts().0;
        async move { grant(&desk, &tickets, &request, build()).await.unwrap_or_else(|error| problem(&error, 0)) }
    };
    let ticket = move |request: Request| {
        let (desk, tickets) = for_post.clone();
        let request = request.into_parts().0;
        async move { ticket(&desk, &tickets, &request).await.unwrap_or_else(|error| problem(&error, 0)) }
    };
    Router::new().route("/api/v1/live", get(grant)).route("/api/v1/live/ticket", post(ticket))
}

fn client_of(request: &Parts) -> Result<AskClient, CommandError> {
    let failed = || CommandError::new(Code::Failed, "nobody knows where the request came from");
    request.extensions.get::<AskClient>().copied().ok_or_else(failed)
}

async fn known(
    desk: &Desk,
    headers: &HeaderMap,
    method: &Method,
    from: &CallOrigin,
) -> Result<KnownCaller, CommandError> {
    let people = desk.people()?;
    let sender = sender(people.loader(), (headers, method), from, Needs::Myself).await?;
    // To ask for a ticket changes nothing: a view as a role may have one, and the socket has the view's eyes.
    match looking(people.loader(), headers, sender)? {
        RowCaller::Known(known) => Ok(*known),
        _ => Err(CommandError::new(Code::SignInFirst, "sign in first")),
    }
}

async fn ticket(desk: &Desk, tickets: &Tickets, request: &Parts) -> Result<Response<Body>, CommandError> {
    let from = origin(&request.headers, client_of(request)?, 0);
    let known = known(desk, &request.headers, &request.method, &from).await?;
    let ticket = tickets.give(known)?;
    let body = serde_json::json!({ "ticket": ticket, "seconds": limits::LIVE_TICKET_S }).to_string();
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn grant(desk: &Desk, tickets: &Tickets, request: &Parts, build: &str) -> Result<Response<Body>, CommandError> {
    let client = client_of(request)?;
    if !client.wants_live {
        let mut response = Response::new(Body::from("send an upgrade request with a subprotocol of docs/live.md\n"));
        *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
        return Ok(response);
    }
    let people = desk.people()?;
    // Before anything is read: what ends from here on is looked at again by the shard.
    let stamp = people.loader().ended().last();
    let from = origin(&request.headers, client, 0);
    let target = request.uri.to_string();
    let known = match Target::parse(&target).text("ticket") {
        Some(ticket) => {
            let over = || CommandError::new(Code::SignInFirst, "the ticket is not good, or not any more");
            let known = tickets.take(&ticket).ok_or_else(over)?;
            let is_good = known.session.as_ref().is_none_or(|(_, live)| live.is_good(clock::now_ms()));
            if !is_good {
                return Err(over());
            }
            known
        }
        None => {
            // A cookie comes with requests of every page: this one must say that it is ours.
            let by_cookie = request.headers.get(header::AUTHORIZATION).is_none();
            if by_cookie && !is_own_page(&request.headers, &from) {
                return Err(CommandError::new(Code::ForgedRequest, "Origin is not this server's own page"));
            }
            known(desk, &request.headers, &request.method, &from).await?
        }
    };
    let grant = LiveGrant { build: build.into(), ..grant_of(desk, known, stamp)? };
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(grant);
    Ok(response)
}

/// What somebody may see and do, as of now.
fn grant_of(desk: &Desk, known: KnownCaller, stamp: u64) -> Result<LiveGrant, CommandError> {
    let people = desk.people()?;
    let (loader, now_ms) = (people.loader(), clock::now_ms());
    let mut standing = known.asker.standing;
    if let Some(person) = standing.person {
        // A ticket is older than this moment.
        standing.memberships = loader.directory().memberships(person);
    }
    let directory = loader.directory();
    let (standing, tree) = (standing, &directory.tree);
    if standing.owes_factor(tree, None) {
        return Err(CommandError::new(Code::FactorDue, "a second factor must be given first"));
    }
    let mut orgs: Vec<OrgId> = Vec::new();
    for member in &standing.memberships {
        if member.below { orgs.extend(tree.below(member.org)) } else { orgs.push(member.org) }
    }
    orgs.sort_unstable();
    orgs.dedup();
    orgs.retain(|org| standing.looks_at(*org));
    let (mut scopes, mut own) = (Vec::new(), BTreeMap::<DeviceId, LiveRights>::new());
    let fleet = desk.fleet.lock();
    for org in orgs.into_iter().take(LIVE_SCOPES) {
        let (mut all, mut owned) = (LiveRights::default(), LiveRights::default());
        for (right, permission) in RIGHTS {
            match check(&standing, org, tree, permission, now_ms) {
                Ok(ScopeReach::Org) => all = all.with(right),
                Ok(ScopeReach::Own(..)) => owned = owned.with(right),
                Err(_) => {}
            }
        }
        let parent = tree.path(org).nth(1).map(|(parent, _)| parent);
        scopes.push(LiveScope { org, parent, rights: all });
        if let Some(person) = standing.person.filter(|_| owned != LiveRights::default()) {
            own.extend(fleet.owned_in(org, person).into_iter().map(|device| (device, owned)));
        }
    }
    let mut shared = standing.person.map(|person| fleet.shared_with(person, now_ms)).unwrap_or_default();
    if let Some(view) = standing.view {
        let sees = check(&standing, view.org, tree, Permission::DeviceView, now_ms).is_ok();
        shared.retain(|device| sees && fleet.home(*device) == Some(view.org));
    }
    drop(fleet);
    for device in shared {
        let rights = own.entry(device).or_default();
        *rights = rights.with(LiveRights::VIEW);
    }
    let (org, user, session, until_ms) = match &known.session {
        Some((_, live)) => {
            let number = live.key.map_or(0, |key| key.session());
            (live.owner.0, live_user(live.owner.1, live.is_key), number, live.until_ms)
        }
        None => return Err(CommandError::new(Code::SignInFirst, "live sockets are for people who are signed in")),
    };
    Ok(LiveGrant {
        stamp,
        owner: LiveOwner { org, user, session },
        scopes,
        devices: own.into_iter().take(LIVE_OWN_DEVICES).collect(),
        rights: stamp as u32,
        build: Box::default(),
        until_ms,
    })
}

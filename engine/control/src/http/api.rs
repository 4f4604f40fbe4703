//! The routes over HTTP: those of the table, each with whoever calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use futures_core::Stream;
use linchpin_shard::AskStart;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::caller::{caller, origin};
use super::files::files;
use super::live::live;
use super::openapi::openapi;
use super::parameters::parameters;
use super::problem::{problem, problem_at};
use super::routes::{RouteOptions, routes};
use super::security::security;
use super::{AskClient, Front, Owner};
use crate::command::{Desk, Extras, Outcome, Row, RowCall, Streamed, TABLE};
use crate::{Code, CommandError, limits};

/// What answers asks: the routes of the table, and who is whose.
pub(crate) fn front(desk: &Arc<Desk>, options: RouteOptions) -> Front {
    let owners = Arc::clone(desk);
    let router = routes(options)
        .merge(files(Arc::clone(desk)))
        .merge(security(Arc::clone(desk)))
        .merge(live(Arc::clone(desk), options.console_build))
        .merge(api(desk));
    Front::new(router, Arc::new(move |ask| owner(&owners, ask)))
}

/// Whose an ask is: a session's, if it was used lately; it is not looked for on the disk here.
fn owner(desk: &Desk, ask: &AskStart) -> Owner {
    let stranger = Owner::of_address(ask.peer.ip());
    let Some(people) = &desk.people else { return stranger };
    let fields = ask.fields.iter().filter(|field| matches!(field.name, "cookie" | "host"));
    let headers =
        fields.filter_map(|field| Some((field.name.parse().ok()?, HeaderValue::from_bytes(&field.value).ok()?)));
    let headers = headers.collect();
    let origin = origin(&headers, AskClient { peer: ask.peer, over_tls: ask.over_tls, wants_live: ask.wants_live }, 0);
    let session = origin.session.and_then(|token| people.loader().session_in_memory(&token));
    session.map_or(stranger, Owner::Session)
}

/// All rows that have a place over HTTP.
fn api(desk: &Arc<Desk>) -> Router {
    let mut places: BTreeMap<&str, MethodRouter> = BTreeMap::new();
    for row in TABLE.iter().copied() {
        let Some(route) = row.route else { continue };
        let filter = match route.method {
            "GET" => MethodFilter::GET,
            "POST" => MethodFilter::POST,
            "PUT" => MethodFilter::PUT,
            "PATCH" => MethodFilter::PATCH,
            _ => MethodFilter::DELETE,
        };
        let desk = Arc::clone(desk);
        let take = move |request: Request| {
            let desk = Arc::clone(&desk);
            async move { take(&desk, row, request).await }
        };
        let place = places.remove(route.path).unwrap_or_default();
        places.insert(route.path, place.merge(on(filter, take)));
    }
    let wrong = |code: Code| {
        move || async move { finished(problem(&CommandError::new(code, code.meaning()), new_request()), 0) }
    };
    let all = places
        .into_iter()
        .fold(Router::new(), |router, (path, place)| router.route(path, place.fallback(wrong(Code::MethodNotAllowed))));
    let document = openapi().to_string();
    let document = move || async move { finished(once_text(document), 0) };
    all.route("/api/v1/openapi.json", get(document)).fallback(wrong(Code::UnknownCommand))
}

/// A number for a request; 0 is none.
fn new_request() -> u64 {
    let mut bytes = [0; 8];
    // Without random bytes no session could be found either.
    let _ = getrandom::fill(&mut bytes);
    u64::from_ne_bytes(bytes).max(1)
}

async fn take(desk: &Desk, row: &'static Row, request: Request) -> Response<Body> {
    let number = new_request();
    let response = match answer(desk, row, request, number).await {
        Ok(response) => response,
        Err(error) => {
            if error.code.status() >= 500 {
                tracing::warn!(command = row.name, request = format!("{number:016x}"), %error, "a request failed");
            }
            let is_platform = row.route.is_some_and(|route| route.is_platform());
            problem_at(&error, number, is_platform)
        }
    };
    finished(response, number)
}

/// What every answer of the API has.
fn finished(mut response: Response<Body>, number: u64) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::try_from(format!("{number:016x}")).map(|value| (number != 0).then_some(value)) {
        value.map(|value| headers.insert("x-request-id", value));
    }
    response
}

async fn answer(desk: &Desk, row: &'static Row, request: Request, number: u64) -> Result<Response<Body>, CommandError> {
    let (mut parts, body) = request.into_parts();
    let path = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(path) => path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        Err(_) => Vec::new(),
    };
    let failed = || CommandError::new(Code::Failed, "nobody knows where the request came from");
    let client = parts.extensions.get::<AskClient>().copied().ok_or_else(failed)?;
    let people = desk.people()?;
    let origin = origin(&parts.headers, client, number);
    let caller = caller(people.loader(), (&parts.headers, &parts.method), &origin, row.needs).await?;
    let call = Arc::new(RowCall::new(caller, origin, Some(Arc::clone(people.loader())), row.needs));
    // A body is not asked for before it is clear that its sender may send one.
    row.let_in(&call)?;
    let target = parts.uri.to_string();
    let parameters = parameters(&row.shapes().parameters, &path, &target, (&parts.headers, body)).await?;
    let ended = people.loader().ended().last();
    let outcome = row.run(desk, &call, parameters).await?;
    // An answer is a promise: what it has ended is ended on every shard.
    let rights = people.loader().ended();
    if rights.last() != ended && !rights.settled(limits::ANSWER_TIMEOUT).await {
        tracing::warn!("not every shard goes by the new rights yet; they are told until they do");
    }
    let extras = call.take_extras();
    let is_head = parts.method == Method::HEAD;
    match outcome {
        Outcome::Answer(answer) => Ok(with_extras(once(answer, is_head), &extras)),
        Outcome::Stream(stream) => Ok(with_extras(streamed(stream, &extras), &extras)),
    }
}

fn once(answer: Box<RawValue>, is_head: bool) -> Response<Body> {
    if answer.get() == "null" {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    let mut response = once_text(Box::<str>::from(answer).into());
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

fn once_text(text: String) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    *response.body_mut() = Body::from(text);
    response
}

fn with_extras(mut response: Response<Body>, extras: &Extras) -> Response<Body> {
    if let Some(status) = extras.status.and_then(|status| StatusCode::from_u16(status).ok()) {
        *response.status_mut() = status;
    }
    let headers = response.headers_mut();
    if let Some(etag) = extras.etag.as_ref().and_then(|etag| HeaderValue::try_from(etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(csrf) = extras.csrf.as_ref().and_then(|csrf| HeaderValue::try_from(csrf).ok()) {
        headers.insert("x-linchpin-csrf", csrf);
    }
    if let Some(place) = extras.location.as_ref().and_then(|place| HeaderValue::try_from(place).ok()) {
        headers.insert(header::LOCATION, place);
    }
    for cookie in extras.cookies.iter().filter_map(|cookie| HeaderValue::try_from(cookie).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Items, a JSON line each, or a file's text; they end when the client goes away.
fn streamed(mut stream: Streamed, extras: &Extras) -> Response<Body> {
    let (send, pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(limits::EXPORT_PIECES);
    let is_text = extras.media.is_some();
    tokio::spawn(async move {
        while let Some(item) = stream.items.next_json().await {
            let piece = item.map_err(std::io::Error::other).map(|item| match item {
                Value::String(text) if is_text => Bytes::from(text),
                item => Bytes::from(format!("{item}\n")),
            });
            let is_over = piece.is_err();
            if send.send(piece).await.is_err() || is_over {
                return;
            }
        }
    });
    let mut response = Response::new(Body::from_stream(Pieces(pieces)));
    let headers = response.headers_mut();
    let media = extras.media.unwrap_or("application/x-ndjson");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let name = extras.file_name.as_ref().map(|name| format!("attachment; filename=\"{name}\""));
    if let Some(Ok(name)) = name.map(HeaderValue::try_from) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

struct Pieces(mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

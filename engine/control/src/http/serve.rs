//! From an ask to its answer: the router is a service that is called, each ask in a task of its own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use linchpin_protocol::http as wire;
use linchpin_shard::limits::ASK_CHUNK_BYTES;
use linchpin_shard::{AnswerPart, AnswerStart, AskPart, AskRef, AskStart, LiveGrant};
use tokio::task::JoinHandle;
use tower_service::Service;

use super::admission::{AskSeats, Owner};
use super::inbox::{AskBody, Inbox};
use super::lane::{AnswerLane, AskDesk};

/// Who a request came from; an extension of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskClient {
    /// The address, as far as listed proxies say it.
    pub peer: std::net::SocketAddr,
    /// It speaks TLS.
    pub over_tls: bool,
    /// It asks for a live socket: a response with a [`LiveGrant`] among its extensions grants it.
    pub wants_live: bool,
}

/// Finds out whose an ask is, before anything else is done for it. Quick: no disk, no lock that is held for long.
pub type OwnerOf = Arc<dyn Fn(&AskStart) -> Owner + Send + Sync>;

/// What all lanes have in common.
#[derive(Clone)]
pub struct Front {
    router: Router,
    owner_of: OwnerOf,
    admission: Arc<Mutex<AskSeats>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

/// Asks of one shard that are under way.
type Inboxes = Arc<Mutex<HashMap<AskRef, Arc<Inbox>>>>;

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    /// Answers with `router`; `owner_of` says whose asks are whose.
    #[must_use]
    pub fn new(router: Router, owner_of: OwnerOf) -> Self {
        Self { router, owner_of, admission: Arc::default() }
    }

    /// Asks under way, and those that were refused for want of room since the start.
    #[must_use]
    pub fn figures(&self) -> (usize, u64) {
        locked(&self.admission).figures()
    }

    /// Serve the asks of one shard until its thread ends.
    pub async fn serve(self, mut desk: AskDesk) {
        let inboxes = Inboxes::default();
        while let Some((name, part)) = desk.next().await {
            if let AskPart::Start(ask) = part {
                self.begin(name, *ask, &inboxes, desk.answers());
                continue;
            }
            // A late part of an ask that is over is nobody's.
            let Some(inbox) = locked(&inboxes).get(&name).cloned() else { continue };
            match part {
                AskPart::Start(_) => {}
                AskPart::Body(bytes) => inbox.push_body(&bytes),
                AskPart::BodyEnd => inbox.end_body(),
                AskPart::Credit(bytes) => inbox.add_credit(bytes as usize),
                AskPart::Cancel => inbox.cancel(),
            }
        }
    }

    fn begin(&self, name: AskRef, ask: AskStart, inboxes: &Inboxes, lane: AnswerLane) {
        let inbox = Inbox::new(ask.body);
        let key = locked(&self.admission).enter(&ask, (self.owner_of)(&ask), &inbox);
        locked(inboxes).insert(name, Arc::clone(&inbox));
        let seat = Seat { key, name, admission: Arc::clone(&self.admission), inboxes: Arc::clone(inboxes) };
        let answering = Answering { name, inbox, lane, only_reads: ask.only_reads() };
        let router = self.router.clone();
        tokio::spawn(async move {
            let is_let_in = seat.key.is_some();
            if is_let_in {
                answering.run(router, ask).await
            } else {
                answering.crowded().await
            }
            drop(seat);
        });
    }
}

/// An ask's place; given back however its task ends.
struct Seat {
    key: Option<u64>,
    name: AskRef,
    admission: Arc<Mutex<AskSeats>>,
    inboxes: Inboxes,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            locked(&self.admission).leave(key);
        }
        locked(&self.inboxes).remove(&self.name);
    }
}

/// One ask being answered.
struct Answering {
    name: AskRef,
    inbox: Arc<Inbox>,
    lane: AnswerLane,
    only_reads: bool,
}

type Call = JoinHandle<Result<Response<Body>, Infallible>>;

impl Answering {
    async fn run(self, mut router: Router, ask: AskStart) {
        let response = match request_of(&ask, &self.inbox) {
            // A task of its own: a panic of a handler is its result.
            Ok(request) => self.called(tokio::spawn(router.call(request))).await,
            Err(status) => Some(plain(status)),
        };
        if let Some(response) = response {
            self.write(response).await;
        }
    }

    /// Wait for the handler; `None`: nobody waits for its answer any more, or it failed.
    async fn called(&self, mut call: Call) -> Option<Response<Body>> {
        loop {
            tokio::select! {
                result = &mut call => match result {
                    Ok(Ok(response)) => return Some(response),
                    Err(_) => {
                        tracing::error!("a handler of the control plane panicked; its request was answered with 500");
                        self.send(AnswerPart::Failed).await;
                        return None;
                    }
                },
                () = self.inbox.changed() => self.grant().await,
            }
            if self.inbox.is_evicted() {
                call.abort();
                self.crowded().await;
                return None;
            }
            if self.inbox.is_cancelled() {
                if self.only_reads {
                    call.abort();
                } else {
                    // What changes something completes, although nobody hears of it.
                    let _ = call.await;
                }
                return None;
            }
        }
    }

    /// Write the answer.
    async fn write(&self, response: Response<Body>) {
        let (mut parts, mut body) = response.into_parts();
        if let Some(grant) = parts.extensions.remove::<LiveGrant>() {
            return self.send(AnswerPart::Grant(Box::new(grant))).await;
        }
        let said = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let len_bytes = said.or_else(|| body.size_hint().exact());
        let own = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];
        let fields = parts.headers.iter().filter(|(name, _)| !own.contains(*name));
        let fields = fields.map(|(name, value)| (name.as_str().into(), value.as_bytes().into())).collect();
        if !self.inbox.begin_answer() {
            return self.crowded().await;
        }
        let start = AnswerStart { status: parts.status.as_u16(), fields, len_bytes };
        self.send(AnswerPart::Start(Box::new(start))).await;
        loop {
            tokio::select! {
                frame = next_data(&mut body) => match frame {
                    Some(Ok(data)) => if !self.body(data).await { return },
                    Some(Err(())) => return self.send(AnswerPart::Failed).await,
                    None => return self.send(AnswerPart::End).await,
                },
                () = self.inbox.changed() => self.grant().await,
            }
            if self.inbox.is_cancelled() {
                return;
            }
        }
    }

    /// Bytes of the answer, in chunks and as the shard gives credit. False: nobody waits for them any more.
    async fn body(&self, mut data: Bytes) -> bool {
        while !data.is_empty() {
            let most = self.inbox.spend(data.len().min(ASK_CHUNK_BYTES));
            if most == 0 {
                self.inbox.changed().await;
                self.grant().await;
                if self.inbox.is_cancelled() {
                    return false;
                }
                continue;
            }
            self.send(AnswerPart::Body(Vec::from(data.split_to(most)).into())).await;
        }
        true
    }

    /// Give the shard the credit that the body's reader made.
    async fn grant(&self) {
        let owed = self.inbox.take_owed();
        if owed > 0 {
            self.send(AnswerPart::Credit(owed as u32)).await;
        }
    }

    /// There is no room for it.
    async fn crowded(&self) {
        let body = "{\"status\":503,\"code\":\"E0502\",\"detail\":\"too many requests are under way and most of them \
                    are yours; try again in a moment\"}";
        let fields =
            [("content-type", "application/problem+json"), ("retry-after", "1"), ("cache-control", "no-store")];
        let fields = fields.map(|(name, value)| (name.into(), value.as_bytes().into())).into();
        let start = AnswerStart { status: 503, fields, len_bytes: Some(body.len() as u64) };
        self.send(AnswerPart::Start(Box::new(start))).await;
        self.send(AnswerPart::Body(body.as_bytes().into())).await;
        self.send(AnswerPart::End).await;
    }

    async fn send(&self, part: AnswerPart) {
        self.lane.send(self.name, part).await;
    }
}

/// The next bytes of an answer's body; an error, or a panic of what makes it, is `Err`.
async fn next_data(body: &mut Body) -> Option<Result<Bytes, ()>> {
    std::future::poll_fn(|cx: &mut Context<'_>| {
        let poll = AssertUnwindSafe(|| Pin::new(&mut *body).poll_frame(cx));
        match std::panic::catch_unwind(poll) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(None)) => Poll::Ready(None),
            // Trailers are not passed on.
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(frame.into_data().unwrap_or_default()))),
            Ok(Poll::Ready(Some(Err(_)))) | Err(_) => Poll::Ready(Some(Err(()))),
        }
    })
    .await
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The ask as the router takes it.
fn request_of(ask: &AskStart, inbox: &Arc<Inbox>) -> Result<Request<Body>, StatusCode> {
    let method = match ask.method {
        wire::Method::Get => Method::GET,
        wire::Method::Head => Method::HEAD,
        wire::Method::Post => Method::POST,
        wire::Method::Put => Method::PUT,
        wire::Method::Patch => Method::PATCH,
        wire::Method::Delete => Method::DELETE,
        wire::Method::Options => Method::OPTIONS,
        wire::Method::Other => return Err(StatusCode::NOT_IMPLEMENTED),
    };
    let body = Body::from_stream(AskBody(Arc::clone(inbox)));
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = ask.target.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    for field in ask.fields.iter() {
        let value = HeaderValue::from_bytes(&field.value).map_err(|_| StatusCode::BAD_REQUEST)?;
        request.headers_mut().insert(HeaderName::from_static(field.name), value);
    }
    if let wire::BodyLength::Known(len @ 1..) = ask.body {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    }
    let AskStart { peer, over_tls, wants_live, .. } = *ask;
    request.extensions_mut().insert(AskClient { peer, over_tls, wants_live });
    Ok(request)
}

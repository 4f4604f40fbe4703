//! The first routes: whether the control plane answers, and the two ways of a stream for tests.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use futures_core::Stream;

use linchpin_protocol::http::Target;

use super::AskClient;
use crate::limits::TEST_STREAM_BYTES;

/// Which routes there are.
#[derive(Clone, Copy, Debug)]
pub struct RouteOptions {
    /// Also those that only tests need: `GET /api/v1/test/stream`, `PUT /api/v1/test/sink`, `POST /api/v1/test/echo`,
    /// `GET /api/v1/test/client` and `/api/v1/test/panic`.
    pub tests: bool,
    /// Says which build of the console is served.
    pub console_build: fn() -> &'static str,
}

impl Default for RouteOptions {
    fn default() -> Self {
        Self { tests: false, console_build: || "none" }
    }
}

/// All routes of the control plane.
pub fn routes(options: RouteOptions) -> Router {
    let router = Router::new().route("/api/v1/ping", get(ping));
    if !options.tests {
        return router;
    }
    router
        .route("/api/v1/test/stream", get(stream))
        .route("/api/v1/test/sink", put(sink).post(sink))
        .route("/api/v1/test/echo", post(|body: Body| async { body }))
        .route("/api/v1/test/client", get(client))
        .route("/api/v1/test/panic", get(fail).post(fail))
}

/// The control plane answers.
async fn ping() -> Response {
    ([("content-type", "application/json"), ("cache-control", "no-store")], "{\"ping\":\"pong\"}").into_response()
}

/// `bytes` bytes, in pieces of `piece`, `sized` if their length is said before; it fails at `fail_at`. The byte at position
/// n is n modulo 251.
async fn stream(uri: Uri) -> Response {
    let target = uri.to_string();
    let target = Target::parse(&target);
    let number = |key: &str| target.text(key).and_then(|text| text.parse::<usize>().ok());
    let Some(len) = number("bytes").filter(|len| *len <= TEST_STREAM_BYTES) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let piece = number("piece").unwrap_or(7_000).clamp(1, 1 << 20);
    let mut response = Response::new(Body::from_stream(Counting { at: 0, len, piece, fail_at: number("fail_at") }));
    if target.get("sized").is_some() {
        response.headers_mut().insert("content-length", len.into());
    }
    response
}

/// How many bytes came, and the sum of all of them, modulo 2^32.
async fn sink(mut body: Body) -> Response {
    let (mut len, mut sum) = (0_u64, 0_u32);
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(Ok(frame)) => {
                let data = frame.into_data().unwrap_or_default();
                len += data.len() as u64;
                sum = data.iter().fold(sum, |sum, byte| sum.wrapping_add(u32::from(*byte)));
            }
            Some(Err(_)) => return StatusCode::BAD_REQUEST.into_response(),
            None => return format!("{len} {sum}").into_response(),
        }
    }
}

/// Who asks, as far as it is known.
async fn client(request: Request) -> Response {
    match request.extensions().get::<AskClient>() {
        Some(client) => format!("{} {}", client.peer.ip(), client.over_tls).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn fail() -> Response {
    panic!("a test asked for it")
}

/// A body without its bytes in memory.
struct Counting {
    at: usize,
    len: usize,
    piece: usize,
    fail_at: Option<usize>,
}

impl Stream for Counting {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.fail_at.is_some_and(|at| at <= self.at) {
            return Poll::Ready(Some(Err(std::io::Error::other("a test asked for it"))));
        }
        if self.at == self.len {
            return Poll::Ready(None);
        }
        let end = self.len.min(self.at + self.piece);
        let bytes: Vec<u8> = (self.at..end).map(|n| (n % 251) as u8).collect();
        self.at = end;
        Poll::Ready(Some(Ok(bytes.into())))
    }
}

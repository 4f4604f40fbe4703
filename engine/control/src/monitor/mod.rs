//! The listener for monitoring, on this machine only: `/metrics`, `/healthz`, `/readyz`.

pub(crate) mod figure;
pub mod metrics;
pub(crate) mod status;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::command::{Desk, figures};
use crate::limits;

/// Bind its address.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

#[derive(Clone)]
struct Monitor {
    desk: Arc<Desk>,
    seats: Arc<Semaphore>,
}

/// Serve until the process ends.
pub(crate) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let monitor = Monitor { desk, seats: Arc::new(Semaphore::new(limits::METRICS_CONNECTIONS)) };
    let router = Router::new()
        .route("/metrics", get(page))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(monitor);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the metrics are not served any more");
    }
}

async fn page(State(monitor): State<Monitor>) -> Response {
    let Ok(_seat) = monitor.seats.try_acquire() else { return busy() };
    match figures(&monitor.desk).await {
        Ok(shards) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            let upkeep = monitor.desk.upkeep.as_ref();
            let store = upkeep.map(|upkeep| (upkeep.keep().store().figures(), upkeep.figures()));
            let waiting = monitor.desk.desired.unacknowledged();
            let mut text = metrics::page(&shards, &monitor.desk.facts, waiting, store.as_ref());
            text.extend(monitor.desk.acme.as_ref().map(crate::acme::AcmeDesk::metrics));
            (kind, text).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Ready = every shard answers, and none is being drained.
async fn ready(State(monitor): State<Monitor>) -> Response {
    let Ok(_seat) = monitor.seats.try_acquire() else { return busy() };
    match figures(&monitor.desk).await {
        Ok(shards) if shards.iter().any(|one| one.shard.draining) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the server is being drained\n").into_response()
        }
        Ok(shards) => format!("ok, {} shards\n", shards.len()).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: ask again in a moment\n").into_response()
}

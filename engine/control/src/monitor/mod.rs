//! The listener for monitoring, on this machine only: `/metrics`, `/healthz`, `/readyz`.

pub(crate) mod figure;
mod guard;
pub mod metrics;
pub(crate) mod status;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::command::{Desk, figures};
use crate::limits;
use crate::monitor::status::ShardFigures;
use guard::GuardedListener;

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
        .layer(from_fn(local_host_only))
        .with_state(monitor);
    if let Err(error) = axum::serve(GuardedListener::new(listener), router).await {
        tracing::error!(%error, "the metrics are not served any more");
    }
}

/// A page of a browser on this machine reaches this address, too, under a name of its own that leads here: only names of
/// this machine are answered.
async fn local_host_only(request: Request, next: Next) -> Response {
    let is_local = |host: &str| {
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    match request.headers().get(header::HOST) {
        Some(host) if !linchpin_protocol::http::host_name(host.as_bytes()).is_some_and(is_local) => {
            (StatusCode::MISDIRECTED_REQUEST, "ask for localhost: metrics are for this machine\n").into_response()
        }
        _ => next.run(request).await,
    }
}

async fn page(State(monitor): State<Monitor>) -> Response {
    let Ok(_seat) = monitor.seats.try_acquire() else { return busy() };
    match figures(&monitor.desk).await {
        Ok(shards) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            let upkeep = monitor.desk.upkeep.as_ref();
            let store = upkeep.map(|upkeep| {
                let store = upkeep.keep().store();
                (store.figures(), store.memory(), upkeep.figures())
            });
            let waiting = monitor.desk.desired.unacknowledged();
            let paced = monitor.desk.people.as_ref().map_or(0, |people| people.loader().pace().refused());
            let mut text = metrics::page(&shards, &monitor.desk.facts, (waiting, paced), store.as_ref());
            text.extend(monitor.desk.acme.as_ref().map(crate::acme::AcmeDesk::metrics));
            text.extend(monitor.desk.people.as_ref().map(|people| people.mail_metrics()));
            (kind, text).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Ready = every shard answers, none is being drained, and what devices bring can be stored and taken in. What is full is
/// said, each in a line.
async fn ready(State(monitor): State<Monitor>) -> Response {
    let Ok(_seat) = monitor.seats.try_acquire() else { return busy() };
    match figures(&monitor.desk).await {
        Ok(shards) if shards.iter().any(|one| one.shard.draining) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the server is being drained\n").into_response()
        }
        Ok(shards) => match full(&monitor.desk, &shards) {
            lines if lines.is_empty() => format!("ok, {} shards\n", shards.len()).into_response(),
            lines => (StatusCode::SERVICE_UNAVAILABLE, lines).into_response(),
        },
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// What keeps the server from taking what devices bring; empty: nothing.
fn full(desk: &Desk, shards: &[ShardFigures]) -> String {
    let store = desk.upkeep.as_ref().map(|upkeep| upkeep.keep().store().figures());
    let connections: u64 = shards.iter().map(|one| one.shard.connections).sum();
    let lines = [
        (
            store.as_ref().is_some_and(|store| store.is_poisoned),
            "the disk has failed: nothing is stored until a restart\n",
        ),
        (
            store.as_ref().is_some_and(|store| store.is_full),
            "the disk is full: changes are refused until there is space\n",
        ),
        (connections >= desk.facts.capacity, "the connection table is full: devices wait until others leave\n"),
    ];
    lines.iter().filter(|(is, _)| *is).map(|(_, line)| *line).collect()
}

fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once: ask again in a moment\n").into_response()
}

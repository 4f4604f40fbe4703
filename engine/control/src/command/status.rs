//! Commands about the server as a whole.

use std::net::SocketAddr;
use std::sync::Arc;

use linchpin_shard::Command;

use super::desk::Desk;
use super::request::{Drain, Draining, Status, StatusAnswer};
use crate::CommandError;
use crate::monitor::status::{ShardFigures, sum};

pub(super) async fn status(desk: &Desk, _: Status) -> Result<StatusAnswer, CommandError> {
    let facts = &desk.facts;
    let shards: Vec<_> = figures(desk).await?.iter().map(|shard| shard.all(&facts.counters)).collect();
    let listed = |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect();
    Ok(StatusAnswer {
        all: sum(&shards, &facts.counters),
        shards,
        version: facts.version.to_owned(),
        commit: facts.commit.to_owned(),
        driver: facts.driver.clone(),
        capacity: facts.capacity,
        plain: listed(&facts.plain),
        tls: listed(&facts.tls),
        mutual: listed(&facts.mutual),
        proxied: listed(&facts.proxied),
        state: if desk.upkeep.is_some() { "disk" } else { "memory" }.to_owned(),
        uptime_s: facts.started.elapsed().as_secs(),
    })
}

/// What each shard holds and counts, in their order. All are asked at once.
///
/// # Errors
/// A shard does not answer.
pub(crate) async fn figures(desk: &Desk) -> Result<Vec<ShardFigures>, CommandError> {
    let mut waiting = tokio::task::JoinSet::new();
    for shard in desk.shards.all() {
        let shards = Arc::clone(&desk.shards);
        waiting.spawn(async move { (shard, shards.figures(shard).await) });
    }
    let mut found = Vec::new();
    while let Some(Ok(answer)) = waiting.join_next().await {
        found.push(answer);
    }
    found.sort_by_key(|(shard, _)| *shard);
    found.into_iter().map(|(_, figures)| figures).collect()
}

pub(super) async fn drain(desk: &Desk, asked: Drain) -> Result<Draining, CommandError> {
    let redirect = asked.redirect.as_deref().map(host_and_port).transpose()?;
    let per_second = asked.per_second.div_ceil(u32::from(desk.shards.count()));
    for shard in desk.shards.all() {
        desk.shards.tell(shard, Command::Drain { redirect: redirect.clone(), per_second })?;
    }
    Ok(Draining { draining: true })
}

fn host_and_port(text: &str) -> Result<(Box<str>, u16), CommandError> {
    let most = linchpin_protocol::limits::MAX_REDIRECT_HOST_BYTES;
    let expected = format!("HOST:PORT with a host of 1 to {most} bytes");
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let fits = split.filter(|(host, _): &(&str, u16)| !host.is_empty() && host.len() <= most);
    fits.map(|(host, port)| (host.into(), port)).ok_or_else(|| CommandError::parameter("redirect", &expected))
}

//! Commands about the server as a whole.

use std::net::SocketAddr;
use std::sync::Arc;

use linchpin_shard::Command;

use super::desk::Desk;
use super::request::{ConfigShow, ConfigShown, Drain, Draining, Status, StatusAnswer, StoreGlance};
use crate::CommandError;
use crate::backup::Upkeep;
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
        memory_bytes: memory_bytes(),
        store: desk.upkeep.as_ref().map(glance),
        certificate_end_s: facts.certificate_end.as_ref().and_then(|end| end.unix_s()),
    })
}

/// Resident memory of this process, bytes.
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

fn glance(upkeep: &Upkeep) -> StoreGlance {
    let (store, backups) = (upkeep.keep().store(), upkeep.figures());
    let disk = rustix::fs::statvfs(store.folder()).ok();
    let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| disk.as_ref().map_or(0, |disk| blocks(disk) * disk.f_frsize);
    let figures = store.figures();
    StoreGlance {
        disk_bytes: bytes(|disk| disk.f_blocks),
        disk_free_bytes: bytes(|disk| disk.f_bavail),
        full: figures.is_full,
        poisoned: figures.is_poisoned,
        at_risk_ms: figures.unsynced_ms,
        last_backup_s: (backups.last_s > 0).then_some(backups.last_s),
        backup_failures: backups.failed,
        backs_up: upkeep.plan().is_some_and(|plan| plan.every.is_some()),
    }
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

pub(super) async fn config(desk: &Desk, _: ConfigShow) -> Result<ConfigShown, CommandError> {
    let config = desk.facts.config.as_ref();
    let path = config.map(|config| config.path().to_owned());
    Ok(ConfigShown { path, keys: config.map(|config| config.keys()).unwrap_or_default() })
}

pub(super) async fn drain(desk: &Desk, asked: Drain) -> Result<Draining, CommandError> {
    let redirect = asked.redirect.as_deref().map(host_and_port).transpose()?;
    if asked.undo {
        for shard in desk.shards.all() {
            desk.shards.tell(shard, Command::Undrain)?;
        }
        return Ok(Draining { draining: false });
    }
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

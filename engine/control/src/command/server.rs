//! The server as its operators see it: everything of one look, and long work that is begun and not waited for.

use std::sync::Arc;

use linchpin_storage::schema::OrgId;

use super::call::RowCall;
use super::desk::Desk;
use super::request::{
    BackupBegin, RotateBegin, ServerBackups, ServerFinding, ServerGrade, ServerKeys, ServerLimit, ServerPage,
    ServerShard, ServerShow, ServerWork, VerifyBegin,
};
use super::status;
use super::store::{backup_verify, keys_rotate};
use crate::access::right;
use crate::audit::{AuditAction, Note, ObjectKind};
use crate::backup::Upkeep;
use crate::command::request::{BackupVerify, KeysRotate};
use crate::monitor::figure::{Figure, Figures, Times};
use crate::{Code, CommandError, clock, limits};

pub(super) async fn back_up(desk: &Desk, call: Arc<RowCall>, _: BackupBegin) -> Result<ServerWork, CommandError> {
    begin(desk, call, "backup", |upkeep| {
        let none = || CommandError::new(Code::Refused, "no place for backups is configured: set [backup] to");
        let plan = upkeep.plan().cloned().ok_or_else(none)?;
        Ok(move |upkeep: &Upkeep| upkeep.back_up(&plan.place, Some(plan.keep)).map(drop))
    })
    .await
}

pub(super) async fn verify(desk: &Desk, call: Arc<RowCall>, _: VerifyBegin) -> Result<ServerWork, CommandError> {
    let newest = BackupVerify { to: None, backup: None };
    begin(desk, call, "verify", |_| Ok(move |upkeep: &Upkeep| backup_verify(upkeep, &newest).map(drop))).await
}

pub(super) async fn rotate(desk: &Desk, call: Arc<RowCall>, _: RotateBegin) -> Result<ServerWork, CommandError> {
    begin(desk, call, "rotate", |_| Ok(|upkeep: &Upkeep| keys_rotate(upkeep, &KeysRotate {}).map(drop))).await
}

/// Begin long work, if the caller may and `plan` finds what it needs: it is written down that somebody did, and nobody waits
/// for its end.
async fn begin<J>(
    desk: &Desk,
    call: Arc<RowCall>,
    what: &'static str,
    plan: impl FnOnce(&Upkeep) -> Result<J, CommandError>,
) -> Result<ServerWork, CommandError>
where
    J: FnOnce(&Upkeep) -> Result<(), CommandError> + Send + 'static,
{
    call.scope::<right::ServerManage>(OrgId::FIRST)?;
    let none = || CommandError::new(Code::Refused, "this server has no store: its state is in memory only");
    let upkeep = desk.upkeep.clone().ok_or_else(none)?;
    let job = plan(&upkeep)?;
    let (work, now_ms) = (Arc::clone(&desk.work), call.now_ms());
    let begun = work.begin(what, now_ms)?;
    let written = desk.with_people(&call, move |call| {
        let ledger = call.loader()?;
        let note = Note::new(AuditAction::ServerWork, ObjectKind::Server, 0_u64, what);
        Ok(ledger.ledger().change(call.by(), &[OrgId::FIRST], now_ms).commit(OrgId::FIRST, note)?)
    });
    if let Err(error) = written.await {
        work.end(Err(CommandError::new(Code::Failed, "it was not begun")));
        return Err(error);
    }
    tokio::spawn(async move {
        let done = tokio::task::spawn_blocking(move || job(&upkeep)).await;
        let outcome = done.unwrap_or_else(|_| Err(CommandError::new(Code::Failed, "it failed inside the server")));
        if let Err(error) = &outcome {
            tracing::error!(%error, what, "long work failed");
        }
        work.end(outcome);
    });
    call.extras(|extras| extras.status = Some(202));
    Ok(begun)
}

pub(super) async fn show(desk: &Desk, call: Arc<RowCall>, _: ServerShow) -> Result<ServerPage, CommandError> {
    call.scope::<right::ServerManage>(OrgId::FIRST)?;
    let facts = &desk.facts;
    let figures = status::figures(desk).await?;
    let each: Vec<Figures> = figures.iter().map(|shard| shard.all(&facts.counters)).collect();
    let machine = facts.machine.clone();
    let looked = tokio::task::spawn_blocking(move || machine.map(|machine| machine.look()).unwrap_or_default());
    let machine = looked.await.map_err(|_| CommandError::new(Code::Failed, "the machine cannot be looked at"))?;
    let (stored, backups) = match desk.upkeep.clone() {
        Some(upkeep) => {
            let both = move |upkeep: Upkeep| (keys(&upkeep), backups(&upkeep));
            let read = tokio::task::spawn_blocking(move || both(upkeep)).await;
            let (keys, backups) = read.map_err(|_| CommandError::new(Code::Failed, "the store cannot be read"))?;
            (Some(keys), backups)
        }
        None => (None, no_backups()),
    };
    let sum = |key: &str| each.iter().map(|shard| shard.number(key)).sum::<u64>();
    let devices = desk.registry().devices().len() as u64;
    let limits = limits_of(sum("connections"), facts.capacity, devices, stored.as_ref());
    let mut findings = machine.findings;
    findings.extend(of_backups(&backups, desk.upkeep.is_some(), call.now_ms()));
    let at_risk_ms = desk.upkeep.as_ref().map(|upkeep| upkeep.keep().store().figures().unsynced_ms);
    Ok(ServerPage {
        version: facts.version.to_owned(),
        build: facts.commit.to_owned(),
        up_ms: facts.started.elapsed().as_millis() as u64,
        draining: sum("draining") > 0,
        back_end: facts.driver.clone(),
        devices,
        online: sum("online"),
        messages: each.iter().map(messages).sum(),
        cpu_us: machine.cpu_us,
        rss_bytes: machine.rss_bytes,
        disk_used_bytes: machine.disk_used_bytes,
        disk_bytes: machine.disk_bytes,
        journal_age_ms: at_risk_ms.unwrap_or(0),
        shards: each.iter().zip(0..).map(|(shard, number)| shard_line(shard, number)).collect(),
        certificates: machine.certificates,
        backups,
        keys: stored,
        limits,
        findings,
        work: desk.work.last(),
    })
}

/// Messages of all protocols.
fn messages(shard: &Figures) -> u64 {
    ["frames", "requests", "packets"].into_iter().map(|key| shard.number(key)).sum()
}

fn shard_line(shard: &Figures, number: u32) -> ServerShard {
    let ticks = match shard.get("ticks") {
        Some(Figure::Times(times)) => times.clone(),
        _ => Times::default(),
    };
    ServerShard {
        shard: number,
        connections: shard.number("connections"),
        devices: shard.number("devices"),
        messages: messages(shard),
        tick_p99_us: p99_us(&ticks, shard.number("tick_max_us")),
        busy_us: ticks.sum_us,
    }
}

/// The upper bound of the bucket that the 99th of 100 falls into; the longest of all beyond the last.
fn p99_us(times: &Times, longest_us: u64) -> u64 {
    let wanted = times.counts.iter().sum::<u64>() * 99 / 100;
    let mut seen = 0;
    let at = times.counts.iter().position(|count| {
        seen += count;
        seen > wanted
    });
    at.and_then(|at| times.bounds_us.get(at).copied()).map_or(longest_us, |bound_us| bound_us.min(longest_us))
}

fn keys(upkeep: &Upkeep) -> ServerKeys {
    let status = upkeep.keep().store().key_status();
    ServerKeys {
        epoch: status.newest_epoch,
        rotated_ms: status.newest_created_s * 1_000,
        unsealed_by: source_of(&format!("{:?}", upkeep.unseal())),
        held: status.epochs as u64,
        limit: status.epoch_limit as u64,
    }
}

/// What opens the keyring, without the name of its type.
fn source_of(unseal: &str) -> String {
    let inner = unseal.strip_prefix("Unseal(").and_then(|rest| rest.strip_suffix(')'));
    inner.unwrap_or(unseal).to_owned()
}

fn limits_of(connections: u64, capacity: u64, devices: u64, keys: Option<&ServerKeys>) -> Vec<ServerLimit> {
    let line = |name: &str, used, limit| ServerLimit { name: name.to_owned(), used, limit };
    let mut all =
        vec![line("connections", connections, capacity), line("devices", devices, u64::from(limits::DEVICES))];
    all.extend(keys.map(|keys| line("keys", keys.held, keys.limit)));
    all
}

fn no_backups() -> ServerBackups {
    ServerBackups { place: None, last_ms: None, verified_ms: None, next_ms: None, items: Vec::new() }
}

fn backups(upkeep: &Upkeep) -> ServerBackups {
    let Some(plan) = upkeep.plan() else { return no_backups() };
    match upkeep.newest_backups(&plan.place) {
        Ok(items) => {
            let last_ms = items.first().map(|newest| newest.at_ms);
            let every_ms = plan.every.map(|every| every.as_millis() as u64);
            ServerBackups {
                place: Some(plan.place.to_string()),
                last_ms,
                verified_ms: upkeep.verified_ms(),
                next_ms: every_ms.map(|every_ms| last_ms.map_or_else(clock::now_ms, |last_ms| last_ms + every_ms)),
                items,
            }
        }
        Err(error) => {
            tracing::warn!(%error, "the place of backups cannot be read");
            ServerBackups { place: Some(plan.place.to_string()), ..no_backups() }
        }
    }
}

/// What is to be said of backups.
fn of_backups(backups: &ServerBackups, has_store: bool, now_ms: u64) -> Option<ServerFinding> {
    let finding = |level, text: &str, fix: Option<&str>| ServerFinding {
        level,
        title: "backups".to_owned(),
        text: text.to_owned(),
        fix: fix.map(str::to_owned),
    };
    if !has_store {
        return Some(finding(ServerGrade::Warning, "Nothing is stored: state is in memory only.", None));
    }
    Some(match (&backups.place, backups.last_ms) {
        (None, _) => finding(ServerGrade::Warning, "No backup is made.", Some("set [backup] to in the configuration")),
        (Some(_), None) => {
            finding(ServerGrade::Warning, "There is no backup in the place yet.", Some("linchpin backup create"))
        }
        (Some(_), Some(last_ms)) if now_ms.saturating_sub(last_ms) > limits::BACKUP_OLD_MS => {
            finding(ServerGrade::Warning, "The newest backup is older than a week.", Some("linchpin backup create"))
        }
        _ => finding(ServerGrade::Good, "There is a backup of this week.", None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_of_100_is_the_bound_of_its_bucket() {
        let times = |counts: &[u64]| Times { bounds_us: vec![10, 100, 1_000], counts: counts.to_vec(), sum_us: 0 };
        assert_eq!(p99_us(&times(&[98, 2, 0, 0]), 77), 77, "no more than the longest");
        assert_eq!(p99_us(&times(&[98, 1, 1, 0]), 5_000), 1_000);
        assert_eq!(p99_us(&times(&[100, 0, 0, 0]), 8), 8);
        assert_eq!(p99_us(&times(&[0, 0, 0, 9]), 5_000), 5_000, "beyond the last bucket");
        assert_eq!(p99_us(&Times::default(), 0), 0);
    }

    #[test]
    fn an_old_or_missing_backup_is_a_finding() {
        let of = |place: Option<&str>, last_ms| {
            let backups = ServerBackups { place: place.map(str::to_owned), last_ms, ..no_backups() };
            of_backups(&backups, true, 10 * limits::BACKUP_OLD_MS).map(|finding| finding.level)
        };
        assert_eq!(of(None, None), Some(ServerGrade::Warning));
        assert_eq!(of(Some("/b"), None), Some(ServerGrade::Warning));
        assert_eq!(of(Some("/b"), Some(limits::BACKUP_OLD_MS)), Some(ServerGrade::Warning));
        assert_eq!(of(Some("/b"), Some(10 * limits::BACKUP_OLD_MS - 5)), Some(ServerGrade::Good));
    }
}

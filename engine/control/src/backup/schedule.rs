//! Backups that the server makes by itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use linchpin_storage::backup::Created;

use super::BackupPlace;
use crate::CommandError;
use crate::command::store::Upkeep;

/// Where backups go, how often, and how many stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupPlan {
    /// Where.
    pub place: BackupPlace,
    /// How often; `None`: only when asked.
    pub every: Option<Duration>,
    /// How many stay; 0 = all.
    pub keep: u32,
}

/// What backups did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BackupFigures {
    /// Backups made.
    pub made: u64,
    /// Tries that failed.
    pub failed: u64,
    /// When the last one was made, s since 1970; 0 = none.
    pub last_s: u64,
    /// How long it took.
    pub last_took: Duration,
    /// What it added, bytes.
    pub last_new_bytes: u64,
}

impl BackupFigures {
    pub(crate) fn note(&mut self, result: &Result<(Created, usize), CommandError>, took: Duration) {
        match result {
            Ok((created, _)) => {
                self.made += 1;
                self.last_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                self.last_took = took;
                self.last_new_bytes = created.new_bytes;
            }
            Err(_) => self.failed += 1,
        }
    }
}

/// Make backups for as long as the server runs.
pub(crate) async fn run(upkeep: Upkeep) {
    let Some(BackupPlan { place, every: Some(every), keep }) = upkeep.plan().cloned() else { return };
    loop {
        tokio::time::sleep(every).await;
        let (one, to) = (upkeep.clone(), place.clone());
        match tokio::task::spawn_blocking(move || one.back_up(&to, Some(keep))).await {
            Ok(Ok(done)) => {
                tracing::info!(
                    id = done["id"].as_str(),
                    new_bytes = done["new_bytes"].as_u64(),
                    "a backup is in {place}"
                );
            }
            Ok(Err(error)) => tracing::error!(%error, "no backup was made; the next try is in {every:?}"),
            Err(_) => tracing::error!("a backup failed inside the server"),
        }
    }
}

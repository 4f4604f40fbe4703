//! What backups the server makes by itself, and what they did so far.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::BackupPlace;
use crate::CommandError;
use crate::command::request::MadeBackup;

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
    pub(super) fn note(&mut self, result: &Result<MadeBackup, CommandError>, took: Duration) {
        match result {
            Ok(created) => {
                self.made += 1;
                self.last_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                self.last_took = took;
                self.last_new_bytes = created.new_bytes;
            }
            Err(_) => self.failed += 1,
        }
    }
}

//! Where a store is and how it is opened.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cipher::NonceWatch;
use crate::limits;
use crate::steps::Steps;
use crate::unseal::Unseal;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder; made if it is missing.
    pub folder: PathBuf,
    /// What opens its keyring.
    pub unseal: Unseal,
    /// Where the epoch is kept a second time: on another disk, so that a rolled-back folder is noticed.
    pub anchor: Option<PathBuf>,
    /// Open a folder that is older than the anchor says, or whose inventory is lost. What is missing stays missing.
    pub accept_rollback: bool,
    /// Make a new store if there is none.
    pub create: bool,
    /// Memory of unwritten records of one column family, bytes.
    pub write_buffer_bytes: usize,
    /// Days that points and roll-ups are kept.
    pub retention: Retention,
    /// Told of labelled steps; for tests.
    pub steps: Steps,
    /// Told of keys and nonces; for tests.
    pub nonces: NonceWatch,
}

/// Days that history is kept; partitions are dropped as a whole once all of them is older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Raw points.
    pub raw_days: u32,
    /// Roll-ups by minute.
    pub minute_days: u32,
    /// Roll-ups by hour.
    pub hour_days: u32,
    /// Roll-ups by day.
    pub day_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { raw_days: 30, minute_days: 90, hour_days: 730, day_days: 7_300 }
    }
}

impl Settings {
    /// The usual settings.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, unseal: Unseal) -> Self {
        Self {
            folder: folder.into(),
            unseal,
            anchor: None,
            accept_rollback: false,
            create: true,
            write_buffer_bytes: limits::WRITE_BUFFER_BYTES,
            retention: Retention::default(),
            steps: Steps::default(),
            nonces: NonceWatch::default(),
        }
    }
}

/// The files of a store besides the keyring.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) folder: PathBuf,
    pub(crate) db: PathBuf,
    pub(crate) wal: PathBuf,
    pub(crate) inventory: PathBuf,
    pub(crate) mark: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) ballast: PathBuf,
    /// Stays empty: for a look at the database that replays no log.
    pub(crate) no_wal: PathBuf,
}

impl Layout {
    pub(crate) fn new(folder: &Path) -> Self {
        let at = |name| folder.join(name);
        Self {
            folder: folder.to_owned(),
            db: at("db"),
            wal: at("wal"),
            inventory: at("inventory"),
            mark: at("wal.mark"),
            lock: at("lock"),
            ballast: at("ballast"),
            no_wal: at("no-wal"),
        }
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

pub(crate) fn now_s() -> u64 {
    now_ms() / 1_000
}

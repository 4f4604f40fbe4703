//! Where a store is and how it is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::DAY_MS;

use crate::disk::steps::Steps;
use crate::limits;
use crate::schema::Family;
use crate::seal::cipher::NonceWatch;
use crate::seal::unseal::Unseal;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its folder; made if it is missing.
    pub folder: PathBuf,
    /// What opens its keyring.
    pub unseal: Unseal,
    /// Where the epoch is stored a second time: on another disk, so that a rolled-back folder is noticed.
    pub anchor: Option<PathBuf>,
    /// Open a folder that is older than the anchor says, or whose inventory is lost. What is missing stays missing.
    pub accept_rollback: bool,
    /// Make a new store if there is none.
    pub create: bool,
    /// Memory of unwritten records of one column family, bytes.
    pub write_buffer_bytes: usize,
    /// Days that history and other records of the past are retained.
    pub retention: Retention,
    /// Data keys that the keyring may hold, [`limits::EPOCHS`]; fewer for tests.
    pub epoch_limit: usize,
    /// What time it is; for tests.
    pub clock: WallClock,
    /// Called at labelled steps; for tests.
    pub steps: Steps,
    /// Called with keys and nonces; for tests.
    pub nonces: NonceWatch,
}

/// Days that records of the past are retained, 1 or more each. Reads show nothing older; when it is deleted: docs/storage.md.
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
    /// Events of devices.
    pub event_days: u32,
    /// The diary of connections.
    pub diary_days: u32,
    /// Audit entries; the newest of an organization stays whatever its age, because the next one carries its digest.
    pub audit_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            raw_days: 30,
            minute_days: 90,
            hour_days: 730,
            day_days: 7_300,
            event_days: 365,
            diary_days: 30,
            audit_days: 730,
        }
    }
}

impl Retention {
    /// `None`: records of this family stay until they are deleted.
    const fn days(&self, family: Family) -> Option<u32> {
        match family {
            Family::Raw => Some(self.raw_days),
            Family::Minute => Some(self.minute_days),
            Family::Hour => Some(self.hour_days),
            Family::Day => Some(self.day_days),
            Family::Event => Some(self.event_days),
            Family::Diary => Some(self.diary_days),
            Family::Audit | Family::AuditFace => Some(self.audit_days),
            _ => None,
        }
    }

    /// What is older is over, ms since 1970; 0 if nothing is.
    pub(crate) fn oldest_ms(&self, family: Family, now_ms: u64) -> u64 {
        self.days(family).map_or(0, |days| before(now_ms, days))
    }
}

pub(crate) fn before(now_ms: u64, days: u32) -> u64 {
    now_ms.saturating_sub(u64::from(days) * DAY_MS)
}

/// Wall time: the system's, or a test's.
#[derive(Clone, Default)]
pub struct WallClock {
    wall: Option<Arc<Ask>>,
    uptime: Option<Arc<Ask>>,
}

type Ask = dyn Fn() -> u64 + Send + Sync;

impl WallClock {
    /// Ask this instead of the system: ms since 1970.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { wall: Some(Arc::new(now_ms)), uptime: None }
    }

    /// And ask this for the time since the machine started, ms.
    #[must_use]
    pub fn with_uptime(self, uptime_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { uptime: Some(Arc::new(uptime_ms)), ..self }
    }

    /// Time since the machine started, with the time that it slept, ms: nobody sets this clock.
    pub(crate) fn uptime_ms(&self) -> u64 {
        let system = || {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
            now.tv_sec as u64 * 1_000 + now.tv_nsec as u64 / 1_000_000
        };
        self.uptime.as_ref().map_or_else(system, |uptime_ms| uptime_ms())
    }

    pub(crate) fn now_ms(&self) -> u64 {
        let system = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.wall.as_ref().map_or_else(system, |now_ms| now_ms())
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.now_ms() / 1_000
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wall.is_some() { "Clock(of a test)" } else { "Clock" })
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
            epoch_limit: limits::EPOCHS,
            clock: WallClock::default(),
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
    /// The newest trusted time.
    pub(crate) clock: PathBuf,
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
            clock: at("clock"),
            ballast: at("ballast"),
            no_wal: at("no-wal"),
        }
    }
}

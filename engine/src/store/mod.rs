//! The store in the process: opened before anything else, closed after everything else.

mod asked;
mod changes;
mod export_file;
mod field;
mod fill;
mod history;
mod lane;
mod load;
mod replies;
mod restore;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;
use std::{fmt, io};

use linchpin_control::{Keep, Loaded, Upkeep};
use linchpin_storage::{Settings, Store, Unseal, write_private};
use zeroize::Zeroizing;

use crate::cause::Cause;
use crate::config::StoreConfig;
use crate::limits;
use crate::tick::command_lane::ToShard;

pub(crate) use asked::HistoryAsk;
pub(crate) use changes::Changes;
pub(crate) use fill::{Fill, FillError};
pub(crate) use lane::StoreLane;
pub(crate) use load::load_all;
use replies::Replies;

/// Why the store is not opened, or who exists cannot be found out.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The store itself.
    Store(linchpin_storage::Error),
    /// The key file cannot be made.
    Key { path: PathBuf, source: Cause },
    /// The operating system gives no thread.
    Thread(io::Error),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Key { path, source } => write!(f, "the key file {}: {source}", path.display()),
            Self::Thread(source) => write!(f, "no thread for the store could be started: {source}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(source) => Some(source),
            Self::Key { source, .. } => Some(&**source),
            Self::Thread(source) => Some(source),
        }
    }
}

impl From<linchpin_storage::Error> for StoreError {
    fn from(error: linchpin_storage::Error) -> Self {
        Self::Store(error)
    }
}

/// An open store and the thread that gives it changes.
pub(crate) struct Stored {
    store: Arc<Store>,
    changes: Changes,
    thread: JoinHandle<()>,
    upkeep: Upkeep,
    replies: Replies<ToShard>,
    under_way: Arc<export_file::ExportsUnderWay>,
}

impl Stored {
    /// The same for a store that another process is about to leave, or this one.
    ///
    /// # Errors
    /// As with [`Stored::open`]; it is not free within [`limits::STORE_FREE`].
    pub(crate) fn open_when_free(data_path: &Path, config: &StoreConfig) -> Result<Self, StoreError> {
        let end = Instant::now() + limits::STORE_FREE;
        loop {
            match Self::open(data_path, config.clone()) {
                Err(StoreError::Store(error)) if error.is_open_elsewhere() && Instant::now() < end => {
                    std::thread::sleep(limits::STORE_LOOK);
                }
                opened => return opened,
            }
        }
    }

    /// Open the store of a data directory; a new one is made if there is none.
    ///
    /// # Errors
    /// A wrong or missing key, damage, a folder that is older than what was written: nothing was changed then.
    pub(crate) fn open(data_path: &Path, config: StoreConfig) -> Result<Self, StoreError> {
        linchpin_storage::harden()?;
        if let Unseal::File(path) = &config.unseal
            && *path == crate::config::default_key_file(data_path)
        {
            make_key(path, data_path)?;
        }
        let store = Arc::new(Store::open(settings(data_path, &config))?);
        if config.finalize {
            store.finalize()?;
        } else if store.present().missing().next().is_some() {
            tracing::warn!("the store was made by an older version: `linchpin upgrade finalize` makes room for people");
        }
        let upkeep = Upkeep::new(Keep::new(Arc::clone(&store)), config.unseal, config.backup);
        let (changes, thread) = changes::start(store.writer(), store.reads()).map_err(StoreError::Thread)?;
        let replies = Replies::start().map_err(StoreError::Thread)?;
        Ok(Self { store, changes, thread, upkeep, replies, under_way: Arc::default() })
    }

    /// The store for the control plane.
    pub(crate) fn keep(&self) -> Keep {
        self.upkeep.keep().clone()
    }

    /// Has it room for people? One of an older version has none.
    pub(crate) fn has_people(&self) -> bool {
        self.store.present().has_people()
    }

    /// What operators do with it.
    pub(crate) fn upkeep(&self) -> Upkeep {
        self.upkeep.clone()
    }

    /// Who exists.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn load(&self) -> Result<Loaded, StoreError> {
        Ok(self.keep().load()?)
    }

    /// The key of token digests.
    pub(crate) fn token_key(&self) -> Zeroizing<[u8; 32]> {
        self.store.token_key()
    }

    /// The key that seals the ticket keys of TLS.
    pub(crate) fn ticket_key(&self) -> Zeroizing<[u8; 32]> {
        self.store.ticket_key()
    }

    /// What one shard holds of the store.
    ///
    /// # Errors
    /// The store is closed.
    pub(crate) fn lane(&self) -> Result<StoreLane, StoreError> {
        let reading = (self.store.reads(), self.store.files(), Arc::clone(&self.under_way));
        Ok(StoreLane::new(self.store.telemetry_lane()?, self.changes.clone(), reading, self.replies.clone()))
    }

    /// Shards run: tell them what the store takes, and what the journal of the last run adds to what they know.
    pub(crate) fn follow(&self, shards: &[ToShard]) {
        self.changes.tell(shards.to_vec());
        restore::start(self.store.reads(), shards.to_vec());
    }

    /// Shards run, and know all that the store has: tell them what it takes from now on.
    pub(crate) fn attend(&self, shards: &[ToShard]) {
        self.changes.tell(shards.to_vec());
    }

    /// Write out what shards have handed over, and give back what waits for that. They must have no lane any more.
    pub(crate) fn end_changes(self) -> ClosingStore {
        drop(self.changes);
        let _ = self.thread.join();
        ClosingStore(self.store)
    }

    /// Write everything out and close. All shards must have ended.
    pub(crate) fn close(self) {
        self.end_changes().close();
    }
}

/// A store that gets no changes any more.
pub(crate) struct ClosingStore(Arc<Store>);

impl ClosingStore {
    /// Write everything out and close.
    pub(crate) fn close(self) {
        if let Err(error) = self.0.close() {
            tracing::error!(%error, "the store was not closed in order; the next start reads its logs");
        }
    }
}

/// How the store of a data directory is opened.
pub(crate) fn settings(data_path: &Path, config: &StoreConfig) -> Settings {
    Settings {
        write_buffer_bytes: write_buffer_bytes(data_path),
        anchor: config.anchor.clone(),
        retention: config.retention,
        accept_rollback: config.accept_rollback,
        ..Settings::new(crate::config::store_folder(data_path), config.unseal.clone())
    }
}

/// What the store may keep unwritten in memory: it reserves four times as much space on the disk for writing it, which
/// must not be a large part of a small disk.
fn write_buffer_bytes(data_path: &Path) -> usize {
    let disk_bytes =
        rustix::fs::statvfs(data_path).map_or(u64::MAX, |disk| disk.f_blocks.saturating_mul(disk.f_frsize));
    let part = usize::try_from(disk_bytes / limits::DISK_PER_BUFFER).unwrap_or(usize::MAX);
    part.clamp(limits::LEAST_BUFFER_BYTES, linchpin_storage::limits::WRITE_BUFFER_BYTES)
}

/// A key file for a store that does not exist yet. A store that has lost its key must not get another one.
fn make_key(path: &Path, data_path: &Path) -> Result<(), StoreError> {
    if path.exists() || crate::config::store_folder(data_path).exists() {
        return Ok(());
    }
    let failed = |source: Cause| StoreError::Key { path: path.to_owned(), source };
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|_| failed("the operating system gave no random bytes".into()))?;
    // On the disk before anything is sealed with it.
    write_private(path, &*key).map_err(|error| failed(error.into()))
}

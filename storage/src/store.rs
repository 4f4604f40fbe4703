//! An open store: its handles and its end.

use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::collect::ask::Ask;
use crate::collect::lane::{self, TelemetryLane};
use crate::disk::inventory::InventoryPhase;
use crate::read::reads::Reads;
use crate::schema::OrgId;
use crate::shared::Inner;
use crate::threads::{Ticking, ticking};
use crate::write::batch::Batch;
use crate::write::committer::Class;
use crate::write::files::FileShelf;
use crate::write::writer::Writer;
use crate::{Error, limits};

/// An open store. It can do all that its [`Reads`] can. Its calls block: shards hold a [`Writer`], a
/// [`TelemetryLane`] and [`Reads::submit`] and never call the rest.
pub struct Store {
    pub(crate) reads: Reads,
    pub(crate) writer: Writer,
    pub(crate) threads: Mutex<Threads>,
}

#[derive(Default)]
pub(crate) struct Threads {
    pub(crate) committer: Option<JoinHandle<()>>,
    pub(crate) collector: Option<JoinHandle<()>>,
    pub(crate) inventory: Option<Ticking>,
    pub(crate) expirer: Option<Ticking>,
    pub(crate) readers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.layout.folder.display())
    }
}

impl Deref for Store {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.reads
    }
}

impl Store {
    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.reads.inner.layout.folder
    }

    /// A handle that reads, for another thread.
    #[must_use]
    pub fn reads(&self) -> Reads {
        self.reads.clone()
    }

    /// A handle that writes, for another thread.
    #[must_use]
    pub fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// The way to files.
    #[must_use]
    pub fn files(&self) -> FileShelf {
        FileShelf::new(self.reads.clone(), self.writer.clone())
    }

    /// A lane for one shard's telemetry.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn telemetry_lane(&self) -> Result<TelemetryLane, Error> {
        let thread = self.inner.waker.get().cloned().ok_or(Error::Closed)?;
        let (lane, end) = lane::lane(thread);
        // Before the collector knows of it: at a start it may be long behind, and what is written meanwhile is at risk.
        self.inner.collected.at_risk.watch(end.clock.clone());
        self.inner.ask(Ask::Lane(end))?;
        Ok(lane)
    }

    /// An empty batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        self.writer.batch()
    }

    /// As [`Writer::commit`].
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn commit(&self, class: Class, batch: Batch) -> Result<(), Error> {
        self.writer.commit(class, batch)
    }

    /// Give a new organization its key; its records can be sealed from then on. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Erased`]: the number was used before. [`Error::Io`].
    pub fn add_org(&self, org: OrgId) -> Result<(), Error> {
        self.inner.keyring.add_org(org.get())
    }

    /// Write everything out and close: calls after it answer [`Error::Closed`]. Without it a restart replays the log.
    /// The folder is free for another program once this and all of its handles are dropped.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Poisoned`], [`Error::Io`]; the store is closed all the same.
    pub fn close(&self) -> Result<(), Error> {
        self.end(true)
    }

    /// Write all memtables to tables.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        for name in self.inner.rocks.column_names() {
            let Some(column) = self.inner.rocks.db.cf_handle(&name) else { continue };
            self.inner.rocks.db.flush_cf(&column)?;
        }
        Ok(())
    }

    fn end(&self, flush: bool) -> Result<(), Error> {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if !threads.readers.is_empty() {
            self.inner.pool.stop();
        }
        for reader in threads.readers {
            let _ = reader.join();
        }
        self.inner.is_ending.store(true, Ordering::Release);
        for (thread, stop) in threads.expirer.into_iter().chain(threads.inventory) {
            drop(stop);
            let _ = thread.join();
        }
        if let Some(collector) = threads.collector {
            let _ = self.inner.ask(Ask::Stop);
            let _ = collector.join();
        }
        let Some(committer) = threads.committer else { return Ok(()) };
        self.inner.queue.stop();
        let _ = committer.join();
        if !flush {
            return Ok(());
        }
        self.inner.poison.check()?;
        self.flush()?;
        self.inner.clock.save(0)?;
        self.inner.update_inventory(InventoryPhase::Closed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.end(false);
    }
}

pub(crate) fn start_inventory(inner: Arc<Inner>) -> Result<Ticking, Error> {
    let poison = inner.poison.clone();
    ticking("store-inventory", &poison, limits::INVENTORY_TICK_MS, move || {
        inner.settings.steps.reach("inventory looked at");
        if let Err(error) = inner.tick() {
            // Nothing is lost: the inventory before still holds, and nothing it lists is deleted.
            tracing::error!(%error, "the inventory could not be written");
        }
    })
}

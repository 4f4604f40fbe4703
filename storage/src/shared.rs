//! What all parts of an open store share.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use crate::collect::ask::{Ask, Collected};
use crate::disk::inventory::InventoryPhase;
use crate::disk::inventory_writer::InventoryWriter;
use crate::disk::rocks::Rocks;
use crate::read::pool::Pool;
use crate::read::reader::Reader;
use crate::retire::trusted_clock::TrustedClock;
use crate::seal::cipher::Sealer;
use crate::seal::keyring::Keyring;
use crate::seal::seals::{BatchSealing, Seals};
use crate::settings::{Layout, Settings};
use crate::write::batch::EncodedWrites;
use crate::write::committer::{Class, Queue, waiting};
use crate::write::poison::Poison;
use crate::write::space::Space;
use crate::{Error, limits};

/// Everything behind a store's handles.
pub(crate) struct Inner {
    pub(crate) rocks: Arc<Rocks>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) seals: Seals,
    pub(crate) queue: Queue,
    pub(crate) inventory: InventoryWriter,
    pub(crate) poison: Arc<Poison>,
    pub(crate) space: Arc<Space>,
    pub(crate) clock: Arc<TrustedClock>,
    pub(crate) settings: Settings,
    pub(crate) layout: Layout,
    pub(crate) collected: Collected,
    pub(crate) pool: Pool,
    /// Nothing in the folder may be written.
    pub(crate) is_read_only: bool,
    /// The store is being closed: long work that may be left half-way is.
    pub(crate) is_ending: AtomicBool,
    /// One look for what is over at a time.
    pub(crate) expiring: Mutex<()>,
    /// One backup, rotation or erasure at a time.
    pub(crate) long_work: Mutex<()>,
    pub(crate) asks: Sender<Ask>,
    /// The collector's thread: it sleeps when nothing comes.
    pub(crate) waker: OnceLock<Thread>,
    /// The folder is ours as long as this is open.
    pub(crate) _lock: File,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.layout.folder.display())
    }
}

impl Inner {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { rocks: &self.rocks, keyring: &self.keyring, index: &self.seals.index }
    }

    pub(crate) fn sealing(&self, sealer: Sealer) -> BatchSealing {
        self.seals.sealing(sealer)
    }

    /// Ask the collector.
    pub(crate) fn ask(&self, ask: Ask) -> Result<(), Error> {
        self.asks.send(ask).map_err(|_| Error::Closed)?;
        self.wake_collector();
        Ok(())
    }

    pub(crate) fn wake_collector(&self) {
        if let Some(thread) = self.waker.get() {
            thread.unpark();
        }
    }

    /// Ask the collector and wait for its answer.
    pub(crate) fn ask_and_wait<T>(
        &self,
        ask: impl FnOnce(std::sync::mpsc::SyncSender<Result<T, Error>>) -> Ask,
    ) -> Result<T, Error> {
        let (done, result) = sync_channel(1);
        self.ask(ask(done))?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    /// Once a second: let go of a data key that is spent, bring the inventory up to date.
    pub(crate) fn tick(&self) -> Result<(), Error> {
        // The inventory knows this opening.
        self.rocks.start_compaction()?;
        self.seals.drop_spent();
        self.clock.save(limits::CLOCK_SAVE_MS)?;
        self.update_inventory(InventoryPhase::Running)?;
        // What a start had no time to compare. A table that has changed is damage: nothing is acknowledged on top of it.
        self.inventory.compare_some().inspect_err(|error| {
            if matches!(error, Error::Damaged { .. }) {
                self.poison.strike(error);
            }
        })
    }

    /// Refuses what writes if the store is open to read only.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        if self.is_read_only { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Acquire)
    }

    /// Does nothing if the store is open to read only.
    pub(crate) fn update_inventory(&self, phase: InventoryPhase) -> Result<(), Error> {
        if self.is_read_only {
            return Ok(());
        }
        self.inventory.update(&self.rocks, self.keyring.generation(), phase)
    }

    /// All that was handed over before is committed when this returns.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        let (done, result) = waiting();
        self.queue.write_patiently(Class::A, EncodedWrites::default(), Some(done))?;
        result.recv().unwrap_or(Err(Error::Closed))
    }
}

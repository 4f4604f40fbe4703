//! Figures for metrics and for `linchpin store stats`.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use crate::Error;
use crate::disk::rocks::StoreMemory;
use crate::read::reads::Reads;
use crate::schema::{Family, KeyBytes};

/// What the store does and has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Batches committed.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Time of all of them, us.
    pub sync_us: u64,
    /// The slowest, us.
    pub slowest_sync_us: u64,
    /// Batches that wait for the committing thread.
    pub queued: usize,
    /// Batches refused because the disk was full.
    pub refused_full: u64,
    /// Is nothing written for want of space?
    pub is_full: bool,
    /// Is nothing acknowledged any more?
    pub is_poisoned: bool,
    /// Points taken from shards.
    pub telemetry_points: u64,
    /// Batches they came in.
    pub telemetry_batches: u64,
    /// Journal batches that the disk did not take.
    pub unjournaled_batches: u64,
    /// Points of organizations without a key, older than what is retained, or of devices whose records cannot be read.
    pub refused_points: u64,
    /// Raw points given up because neither disk nor memory had room.
    pub given_up_points: u64,
    /// Memory of devices whose points are not all in finished chunks: structures of devices and pins, and samples.
    pub open_bytes: u64,
    /// Age of the oldest telemetry that a power cut would lose, ms; 0 if there is none.
    pub unsynced_ms: u64,
    /// The epoch of the inventory.
    pub epoch: u64,
    /// How far the wall clock is beyond what is believed, s: nothing expires by it meanwhile; 0 if it is trusted.
    pub clock_ahead_s: u64,
    /// Data keys in the keyring.
    pub data_keys: usize,
    /// How many there may be.
    pub data_key_limit: usize,
}

/// What one family of records takes; for `linchpin store stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyFigures {
    /// Its name.
    pub name: &'static str,
    /// Its column families: 1, or one a partition of time.
    pub partitions: usize,
    /// Records, about.
    pub records: u64,
    /// Bytes in tables on the disk; what is in the log only is not counted.
    pub bytes: u64,
}

impl Reads {
    /// What each family of records takes.
    #[must_use]
    pub fn families(&self) -> Vec<FamilyFigures> {
        let rocks = &self.inner.rocks;
        let of = |family: Family| {
            let partitions = rocks.partitions(family);
            let mut figures = FamilyFigures { name: family.name(), partitions: partitions.len(), records: 0, bytes: 0 };
            for column in partitions.iter().filter_map(|partition| rocks.column(family, *partition)) {
                let number = |name| rocks.db.property_int_value_cf(&column, name).ok().flatten().unwrap_or(0);
                figures.records += number(rocksdb::properties::ESTIMATE_NUM_KEYS);
                figures.bytes += number(rocksdb::properties::TOTAL_SST_FILES_SIZE);
            }
            figures
        };
        Family::ALL.into_iter().map(of).collect()
    }

    /// What the store's buffers and caches take now, as RocksDB counts it; 0 if it does not say.
    #[must_use]
    pub fn memory(&self) -> StoreMemory {
        self.inner.rocks.memory().unwrap_or_default()
    }

    /// The figures now.
    #[must_use]
    pub fn figures(&self) -> StoreFigures {
        let (done, collected) = (&self.inner.queue.figures, &self.inner.collected);
        let (data_keys, data_key_limit) = self.inner.keyring.epochs();
        StoreFigures {
            commits: done.commits.load(Ordering::Relaxed),
            records: done.records.load(Ordering::Relaxed),
            syncs: done.syncs.load(Ordering::Relaxed),
            sync_us: done.sync_us.load(Ordering::Relaxed),
            slowest_sync_us: done.slowest_sync_us.load(Ordering::Relaxed),
            queued: done.queued.load(Ordering::Relaxed),
            refused_full: done.refused_full.load(Ordering::Relaxed),
            is_full: self.inner.space.is_full(),
            is_poisoned: self.inner.poison.check().is_err(),
            telemetry_points: collected.points.load(Ordering::Relaxed),
            telemetry_batches: collected.batches.load(Ordering::Relaxed),
            unjournaled_batches: collected.at_risk.failed(),
            refused_points: collected.refused.load(Ordering::Relaxed),
            given_up_points: collected.given_up.load(Ordering::Relaxed),
            open_bytes: collected.open_bytes.load(Ordering::Relaxed),
            unsynced_ms: collected.at_risk.oldest_ms(),
            epoch: self.inner.inventory.epoch(),
            clock_ahead_s: self.inner.clock.ahead_s(),
            data_keys,
            data_key_limit,
        }
    }

    /// Has the journal of the last start been collected again? Reads of telemetry wait for it by themselves.
    #[must_use]
    pub fn is_replayed(&self) -> bool {
        self.inner.collected.is_replayed.load(Ordering::Acquire)
    }

    /// Are all points of the journal stored elsewhere?
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn journal_is_empty(&self) -> Result<bool, Error> {
        self.inner.settle()?;
        let mut is_empty = true;
        self.inner.reader().scan_raw(Family::Journal, 0, (KeyBytes::EMPTY, None), |_, _| {
            is_empty = false;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(is_empty)
    }
}

//! Metrics of the store.

use linchpin_storage::{StoreFigures, StoreMemory};

use crate::backup::BackupFigures;
use crate::monitor::figure::Kind;

/// A metric with one value.
pub(super) struct Single<T> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) value: fn(&T) -> f64,
}

const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> f64) -> Single<T> {
    Single { name, kind: Kind::Gauge, help, value }
}

const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> f64) -> Single<T> {
    Single { name, kind: Kind::Counter, help, value }
}

const US_PER_S: f64 = 1e6;
const MS_PER_S: f64 = 1e3;

pub(super) const OF_STORE: &[Single<StoreFigures>] = &[
    counter("linchpin_store_commits_total", "Batches committed.", |f| f.commits as f64),
    counter("linchpin_store_records_total", "Records committed.", |f| f.records as f64),
    counter("linchpin_store_syncs_total", "Syncs of the log to the disk.", |f| f.syncs as f64),
    counter("linchpin_store_sync_seconds_total", "Time of all syncs.", |f| f.sync_us as f64 / US_PER_S),
    gauge("linchpin_store_slowest_sync_seconds", "Slowest sync since the start.", |f| {
        f.slowest_sync_us as f64 / US_PER_S
    }),
    gauge("linchpin_store_queued_batches", "Batches that wait for the committing thread.", |f| f.queued as f64),
    counter("linchpin_store_refused_full_total", "Batches refused because the disk was full.", |f| {
        f.refused_full as f64
    }),
    gauge("linchpin_store_full", "1 while nothing is written for want of space.", |f| f64::from(u8::from(f.is_full))),
    gauge("linchpin_store_poisoned", "1 after a failed sync: nothing is acknowledged until a restart.", |f| {
        f64::from(u8::from(f.is_poisoned))
    }),
    gauge(
        "linchpin_store_data_keys",
        "Data keys in the keyring; at three quarters of the limit keys are rotated.",
        |f| f.data_keys as f64,
    ),
    gauge("linchpin_store_data_key_limit", "Data keys that the keyring may hold.", |f| f.data_key_limit as f64),
    gauge(
        "linchpin_store_clock_ahead_seconds",
        "How far the wall clock is beyond what is believed: nothing expires meanwhile.",
        |f| f.clock_ahead_s as f64,
    ),
    counter("linchpin_store_points_total", "Values taken into the journal.", |f| f.telemetry_points as f64),
    counter("linchpin_store_point_batches_total", "Batches they came in.", |f| f.telemetry_batches as f64),
    counter(
        "linchpin_store_refused_points_total",
        "Values refused: too old, of an erased organization, or of a device whose records cannot be read.",
        |f| f.refused_points as f64,
    ),
    counter("linchpin_store_lost_points_total", "Values left out of history: disk and memory had no room.", |f| {
        f.given_up_points as f64
    }),
    gauge("linchpin_store_open_bytes", "Memory of values that are collected into chunks now.", |f| f.open_bytes as f64),
    counter("linchpin_store_unjournaled_batches_total", "Journal batches that the disk did not take.", |f| {
        f.unjournaled_batches as f64
    }),
    gauge("linchpin_store_at_risk_seconds", "Age of the oldest value that a power cut would lose now.", |f| {
        f.unsynced_ms as f64 / MS_PER_S
    }),
    gauge("linchpin_store_epoch", "Epoch of the inventory; see docs/storage.md.", |f| f.epoch as f64),
];

pub(super) const OF_MEMORY: &[Single<StoreMemory>] = &[
    gauge(
        "linchpin_store_write_buffer_bytes",
        "Memory of records that are not written to tables yet; bounded, and filled by whoever writes.",
        |f| f.write_buffers as f64,
    ),
    gauge("linchpin_store_table_reader_bytes", "Memory of indexes and filters of open tables.", |f| f.tables as f64),
    gauge(
        "linchpin_store_block_cache_bytes",
        "Memory of blocks that were read; bounded, and filled by whoever reads.",
        |f| f.block_cache as f64,
    ),
];

pub(super) const OF_BACKUPS: &[Single<BackupFigures>] = &[
    counter("linchpin_backups_total", "Backups made.", |f| f.made as f64),
    counter("linchpin_backup_failures_total", "Backups that failed.", |f| f.failed as f64),
    gauge("linchpin_backup_last_timestamp_seconds", "When the last backup was made, Unix time; 0 = none.", |f| {
        f.last_s as f64
    }),
    gauge("linchpin_backup_last_seconds", "How long it took.", |f| f.last_took.as_secs_f64()),
    gauge("linchpin_backup_last_new_bytes", "What it added to its place.", |f| f.last_new_bytes as f64),
];

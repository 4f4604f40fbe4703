//! RocksDB: its options, and its column families by our names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rocksdb::perf::MemoryUsageBuilder;
use rocksdb::{
    BlockBasedOptions, BoundColumnFamily, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode,
    DBWithThreadMode, DEFAULT_COLUMN_FAMILY_NAME, ErrorKind, InfoLogger, LogLevel, MultiThreaded, Options,
};

use crate::disk::filter::CompactionFilters;
use crate::retire::trusted_clock::TrustedClock;
use crate::schema::{Families, Family};
use crate::settings::{Layout, Settings};
use crate::{Error, limits};

pub(crate) type Db = DBWithThreadMode<MultiThreaded>;

/// RocksDB's own log goes through ours: a file of it would reveal more than the sealed records do.
fn logger(from: LogLevel) -> InfoLogger {
    InfoLogger::new_callback_logger(from, |level, line| {
        let line = line.trim_end();
        match level {
            LogLevel::Error | LogLevel::Fatal => tracing::error!(target: "rocksdb", "{line}"),
            LogLevel::Warn => tracing::warn!(target: "rocksdb", "{line}"),
            // Its settings come at every start, whatever level was asked for.
            LogLevel::Info | LogLevel::Debug | LogLevel::Header => tracing::trace!(target: "rocksdb", "{line}"),
        }
    })
}

/// Memory of the store's own buffers and caches. They are bounded, and stay filled: by whom is nobody's debt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreMemory {
    /// Records that are not written to tables yet, bytes; beyond [`crate::limits::WRITE_BUFFERS_BYTES`] they are written.
    pub write_buffers: u64,
    /// Indexes and filters of open tables that are not in the cache, bytes.
    pub tables: u64,
    /// Blocks of tables that were read, bytes; [`crate::limits::BLOCK_CACHE_BYTES`] at most.
    pub block_cache: u64,
}

/// An open database and what new column families need.
pub(crate) struct Rocks {
    pub(crate) db: Db,
    path: PathBuf,
    column_options: Options,
    /// One for all column families.
    cache: Cache,
    /// Names of the column families; also lets one be made or dropped at a time.
    names: Mutex<BTreeSet<String>>,
    /// Those that were there at the opening and whose tables are not compacted yet.
    waiting: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Rocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rocks({})", self.path.display())
    }
}

fn database_options(layout: &Layout, create: bool) -> Options {
    let mut options = Options::default();
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    // RocksDB's default takes any damage for the log's end; this one forgets a record that is cut short only.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A closed log that was deleted or is shorter than it was is refused.
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_wal_dir(&layout.wal);
    // Group commit decides when the log is written and synced.
    options.set_manual_wal_flush(true);
    options.set_max_total_wal_size(limits::WAL_BYTES);
    options.set_max_open_files(limits::OPEN_FILES);
    options.set_db_write_buffer_size(limits::WRITE_BUFFERS_BYTES);
    options.set_max_background_jobs(2);
    options.set_max_manifest_file_size(limits::MANIFEST_BYTES);
    options.set_paranoid_checks(true);
    options.set_info_logger(logger(LogLevel::Warn));
    options
}

/// `cache` is one for all.
fn column_options(cache: &Cache, write_buffer_bytes: usize, auto_compaction: bool) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_format_version(5);
    let mut options = Options::default();
    // Values are compressed before they are sealed; sealed bytes do not compress.
    options.set_compression_type(DBCompressionType::None);
    options.set_bottommost_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(write_buffer_bytes);
    options.set_block_based_table_factory(&table);
    options.set_disable_auto_compactions(!auto_compaction);
    options
}

/// What a look at the database without its logs shows.
pub(crate) struct Glance {
    /// Live tables: number and size.
    pub(crate) tables: Vec<(u64, u64)>,
    /// Logs below this number are not needed any more.
    pub(crate) first_log: u64,
}

fn open_error(path: &Path, error: rocksdb::Error) -> Error {
    Error::Open { path: path.to_owned(), reason: error.into_string() }
}

/// Names of all column families: looked at before anything is opened.
///
/// # Errors
/// There is one that this version does not know: a newer one has upgraded the store for good.
fn columns(layout: &Layout) -> Result<Vec<String>, Error> {
    let names = Db::list_cf(&Options::default(), &layout.db).map_err(|error| open_error(&layout.db, error))?;
    let is_unknown = |name: &&String| *name != DEFAULT_COLUMN_FAMILY_NAME && Family::parse(name).is_none();
    match names.iter().find(is_unknown) {
        Some(family) => Err(Error::Newer { path: layout.folder.clone(), family: family.clone() }),
        None => Ok(names),
    }
}

/// Live tables of an open database: number and size.
pub(crate) fn live(db: &Db) -> Result<Vec<(u64, u64)>, Error> {
    let files = db.live_files().map_err(|error| Error::Read { reason: error.into_string() })?;
    let number = |name: &str| name.trim_start_matches('/').split('.').next().and_then(|digits| digits.parse().ok());
    let mut tables = Vec::with_capacity(files.len());
    for file in files {
        let number =
            number(&file.name).ok_or_else(|| Error::Read { reason: format!("RocksDB names a table {}", file.name) })?;
        tables.push((number, file.size as u64));
    }
    tables.sort_unstable();
    tables.dedup();
    Ok(tables)
}

/// Open without replaying logs and without changing anything: what does the MANIFEST say?
///
/// As a secondary instance, not read-only: opening read-only with the tracking of logs switched off ends RocksDB 11.8
/// with a segmentation fault when the MANIFEST names a log, because it wants to record that they are tracked no more.
pub(crate) fn glance(layout: &Layout) -> Result<Glance, Error> {
    std::fs::create_dir_all(&layout.no_wal).map_err(crate::disk::durable::failed(&layout.no_wal, "create"))?;
    let names = columns(layout)?;
    let mut options = database_options(layout, false);
    options.set_wal_dir(&layout.no_wal);
    // It warns of what a secondary beside a running primary must mind.
    options.set_info_logger(logger(LogLevel::Error));
    let db = Db::open_cf_as_secondary(&options, &layout.db, &layout.no_wal, names)
        .map_err(|error| open_error(&layout.db, error))?;
    Glance::of(&db, layout)
}

impl Glance {
    /// Of a database that replayed no log, or wrote nothing of it.
    pub(crate) fn of(db: &Db, layout: &Layout) -> Result<Self, Error> {
        let first_log = db.property_int_value(rocksdb::properties::MIN_LOG_NUMBER_TO_KEEP).ok().flatten();
        let no_first = || Error::Open { path: layout.db.clone(), reason: "it does not name its first log".into() };
        Ok(Self { tables: live(db)?, first_log: first_log.ok_or_else(no_first)? })
    }
}

/// Do the logs reach this write, up to the first damage in them? Nothing is changed by the look.
fn reaches(layout: &Layout, settings: &Settings, sequence: u64) -> bool {
    let found = Rocks::open_to_read(layout, settings).map(|rocks| rocks.db.latest_sequence_number());
    sequence > 0 && found.is_ok_and(|found| found >= sequence)
}

/// Make a database with these columns, and close it. RocksDB holds a descriptor of the folder for each column that it makes,
/// and one for all that it finds.
fn make(layout: &Layout, names: &[String], cache: &Cache, settings: &Settings) -> Result<(), Error> {
    let options = |name: &String| {
        ColumnFamilyDescriptor::new(name.clone(), column_options(cache, settings.write_buffer_bytes, false))
    };
    let made = Db::open_cf_descriptors(&database_options(layout, true), &layout.db, names.iter().map(options));
    made.map(drop).map_err(|error| open_error(&layout.db, error))
}

impl Rocks {
    /// Open for writing. Compaction waits for [`Rocks::start_compaction`]: until the inventory knows this opening, no
    /// table may go away. The logs must reach the write `sequence`, what follows it may be anything.
    pub(crate) fn open(
        layout: &Layout,
        settings: &Settings,
        clock: &Arc<TrustedClock>,
        (create, sequence): (bool, u64),
    ) -> Result<Self, Error> {
        let is_new = !layout.db.join("CURRENT").exists();
        let mut names = if is_new { Vec::new() } else { columns(layout)? };
        if create {
            let wanted = Family::ALL.iter().filter(|family| family.partition_days() == 0).map(|f| f.name().to_owned());
            names.extend(std::iter::once("default".to_owned()).chain(wanted));
            names.sort_unstable();
            names.dedup();
        }
        let cache = Cache::new_lru_cache(limits::BLOCK_CACHE_BYTES);
        if create && is_new {
            make(layout, &names, &cache, settings)?;
        }
        let descriptor = |name: &String| {
            let mut options = column_options(&cache, settings.write_buffer_bytes, false);
            let family = Family::parse(name).map(|(family, _)| family);
            if let Some(filters) = family.and_then(|family| CompactionFilters::new(family, settings, clock)) {
                options.set_compaction_filter_factory(filters);
                options.set_periodic_compaction_seconds(limits::EXPIRE_COMPACTION_S);
            }
            ColumnFamilyDescriptor::new(name.clone(), options)
        };
        let open = |options: &Options| Db::open_cf_descriptors(options, &layout.db, names.iter().map(descriptor));
        let mut options = database_options(layout, create);
        let db = match open(&options) {
            Err(error) if error.kind() == ErrorKind::Corruption && reaches(layout, settings, sequence) => {
                tracing::warn!(%error, "the log's end is torn: what was written after its last sync is forgotten");
                options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
                open(&options)
            }
            opened => opened,
        };
        let db = db.map_err(|error| open_error(&layout.db, error))?;
        Ok(Self::with(db, layout, settings, &cache, names))
    }

    /// Open without writing: what is in the logs only is read into memory.
    pub(crate) fn open_to_read(layout: &Layout, settings: &Settings) -> Result<Self, Error> {
        let names = columns(layout)?;
        let cache = Cache::new_lru_cache(limits::BLOCK_CACHE_BYTES);
        let options = || column_options(&cache, settings.write_buffer_bytes, false);
        let descriptors: Vec<_> =
            names.iter().map(|name| ColumnFamilyDescriptor::new(name.clone(), options())).collect();
        let mut options = database_options(layout, false);
        // What it finds is compared with the mark.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        let db = Db::open_cf_descriptors_read_only(&options, &layout.db, descriptors, false)
            .map_err(|error| open_error(&layout.db, error))?;
        Ok(Self::with(db, layout, settings, &cache, names))
    }

    fn with(db: Db, layout: &Layout, settings: &Settings, cache: &Cache, names: Vec<String>) -> Self {
        let column_options = column_options(cache, settings.write_buffer_bytes, true);
        let waiting = Mutex::new(names.clone());
        let names = Mutex::new(names.into_iter().collect());
        Self { db, path: layout.db.clone(), column_options, cache: cache.clone(), names, waiting }
    }

    /// What buffers and caches take.
    pub(crate) fn memory(&self) -> Result<StoreMemory, rocksdb::Error> {
        let mut asked = MemoryUsageBuilder::new()?;
        asked.add_db(&self.db);
        asked.add_cache(&self.cache);
        let told = asked.build()?;
        Ok(StoreMemory {
            write_buffers: told.approximate_mem_table_total(),
            tables: told.approximate_mem_table_readers_total(),
            block_cache: told.approximate_cache_total(),
        })
    }

    /// Let RocksDB compact one more column family that has something to compact. To be called once in a while: each costs
    /// 10 ms of processor time, since RocksDB writes down all its options and reads them back, and all at once they would
    /// take the core from the devices that come back after a restart.
    pub(crate) fn start_compaction(&self) -> Result<(), Error> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped meanwhile.
        waiting.retain(|name| self.db.cf_handle(name).is_some());
        let Some(at) = waiting.iter().position(|name| self.wants_compaction(name)) else { return Ok(()) };
        if let Some(column) = self.db.cf_handle(&waiting[at]) {
            self.db
                .set_options_cf(&column, &[("disable_auto_compactions", "false")])
                .map_err(|error| open_error(&self.path, error))?;
        }
        waiting.remove(at);
        Ok(())
    }

    /// Has it work for a compaction, or tables that one must look through for what has expired?
    fn wants_compaction(&self, name: &str) -> bool {
        use rocksdb::properties::{COMPACTION_PENDING, LIVE_SST_FILES_SIZE};
        let Some(column) = self.db.cf_handle(name) else { return false };
        let is_above_zero =
            |property| matches!(self.db.property_int_value_cf(&column, property), Ok(Some(value)) if value > 0);
        let expires = Family::parse(name).is_some_and(|(family, _)| CompactionFilters::is_for(family));
        is_above_zero(COMPACTION_PENDING) || (expires && is_above_zero(LIVE_SST_FILES_SIZE))
    }

    pub(crate) fn column_names(&self) -> Vec<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// An existing column family.
    pub(crate) fn column(&self, family: Family, partition: u32) -> Option<Arc<BoundColumnFamily<'_>>> {
        if partition == 0 { self.db.cf_handle(family.name()) } else { self.db.cf_handle(&family.column(partition)) }
    }

    /// Which families that are not partitioned exist.
    pub(crate) fn families(&self) -> Families {
        let parsed = self.column_names().into_iter().filter_map(|name| Family::parse(&name));
        parsed.fold(Families::default(), |families, (family, _)| families.with(family))
    }

    /// A column family, made if it does not exist yet: only partitions are, a family that a store does not have is made
    /// by an upgrade.
    pub(crate) fn ensure(&self, family: Family, partition: u32) -> Result<Arc<BoundColumnFamily<'_>>, rocksdb::Error> {
        debug_assert!(partition > 0 || self.column(family, 0).is_some(), "{family:?} is not in this store");
        self.make_column(family, partition)
    }

    /// Make a family that an older store lacks.
    pub(crate) fn make(&self, family: Family) -> Result<Arc<BoundColumnFamily<'_>>, rocksdb::Error> {
        self.make_column(family, 0)
    }

    fn make_column(&self, family: Family, partition: u32) -> Result<Arc<BoundColumnFamily<'_>>, rocksdb::Error> {
        if let Some(column) = self.column(family, partition) {
            return Ok(column);
        }
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = family.column(partition);
        if self.db.cf_handle(&name).is_none() {
            self.db.create_cf(&name, &self.column_options)?;
            names.insert(name.clone());
        }
        Ok(self.db.cf_handle(&name).expect("it was just made and only retention drops any"))
    }

    /// Drop a partition with all its records.
    pub(crate) fn drop_partition(&self, family: Family, partition: u32) -> Result<(), rocksdb::Error> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = family.column(partition);
        if names.contains(&name) {
            self.db.drop_cf(&name)?;
            names.remove(&name);
        }
        Ok(())
    }

    /// Partitions that exist of a family.
    pub(crate) fn partitions(&self, family: Family) -> Vec<u32> {
        let parsed = self.column_names().into_iter().filter_map(|name| Family::parse(&name));
        let mut partitions: Vec<u32> = parsed.filter(|(found, _)| *found == family).map(|found| found.1).collect();
        partitions.sort_unstable();
        partitions
    }
}

//! Opening: lock, keyring, the look at the folder, RocksDB, and then the threads.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use ring::hmac;

use crate::Error;
use crate::collect::ask::{Ask, Collected};
use crate::collect::collector::Collector;
use crate::disk::inventory::InventoryPhase;
use crate::disk::inventory_writer::InventoryWriter;
use crate::disk::rocks::{Rocks, live};
use crate::disk::{durable, recovery};
use crate::error::OPEN_ELSEWHERE;
use crate::read::pool::Pool;
use crate::read::reads::Reads;
use crate::retire::expire;
use crate::retire::trusted_clock::TrustedClock;
use crate::seal::keyring::body::Fixed;
use crate::seal::keyring::{Keyring, file};
use crate::seal::seals::Seals;
use crate::settings::{Layout, Settings};
use crate::shared::Inner;
use crate::store::{Store, Threads, start_inventory};
use crate::threads::spawn;
use crate::write::committer::{self, Queue};
use crate::write::mark::MarkFile;
use crate::write::poison::Poison;
use crate::write::space::Space;
use crate::write::writer::Writer;

fn make_folder(path: &Path) -> Result<(), Error> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(durable::failed(path, "create"))
}

fn is_store(layout: &Layout) -> bool {
    file::exists(&layout.folder) || layout.db.exists() || layout.inventory.exists()
}

fn no_store(layout: &Layout) -> Error {
    let reason = "there is no store: check the path, or let it be made".into();
    Error::Open { path: layout.folder.clone(), reason }
}

fn locked(layout: &Layout, taken: Result<(), TryLockError>) -> Result<(), Error> {
    taken.map_err(|_| Error::Open { path: layout.folder.clone(), reason: OPEN_ELSEWHERE.into() })
}

fn lock(layout: &Layout) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&layout.lock);
    let file = file.map_err(durable::failed(&layout.lock, "open"))?;
    locked(layout, file.try_lock())?;
    Ok(file)
}

/// Several may read at a time, as long as nobody writes.
fn lock_to_read(layout: &Layout) -> Result<File, Error> {
    let file = File::open(&layout.lock).map_err(durable::failed(&layout.lock, "open"))?;
    locked(layout, file.try_lock_shared())?;
    Ok(file)
}

fn open_keyring(settings: &Settings, layout: &Layout) -> Result<Keyring, Error> {
    let (steps, nonces) = (settings.steps.clone(), settings.nonces.clone());
    let keyring = if is_store(layout) {
        Keyring::open(&layout.folder, &settings.unseal, steps, nonces)?
    } else if settings.anchor.as_ref().is_some_and(|anchor| anchor.exists()) && !settings.accept_rollback {
        return Err(Error::RolledBack { what: "the folder is empty, but its anchor exists".into() });
    } else {
        Keyring::create(&layout.folder, &settings.unseal, steps, nonces)?
    };
    Ok(keyring.with_epoch_limit(settings.epoch_limit))
}

fn inventory_key(keyring: &Keyring) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &*keyring.fixed(Fixed::Inventory))
}

/// Without its file (an older store, a restored one) what the newest data key says is trusted, without that the clock.
fn trusted_clock(
    settings: &Settings,
    layout: &Layout,
    keyring: &Keyring,
    key: &hmac::Key,
) -> Result<Arc<TrustedClock>, Error> {
    let status = keyring.status();
    let otherwise_ms = (status.newest_epoch > 0).then_some(status.newest_created_s * 1_000);
    let clock = settings.clock.clone();
    TrustedClock::open(clock, layout.clock.clone(), key, *keyring.db_id(), otherwise_ms).map(Arc::new)
}

/// What stands on the keyring, the database and the lock of an open store.
struct Parts {
    lock: File,
    keyring: Arc<Keyring>,
    rocks: Arc<Rocks>,
    inventory: InventoryWriter,
    clock: Arc<TrustedClock>,
    space: Arc<Space>,
    poison: Arc<Poison>,
    queue: Queue,
}

impl Parts {
    fn inner(self, settings: Settings, layout: Layout, is_read_only: bool) -> (Arc<Inner>, Receiver<Ask>) {
        let (asks, answers) = channel();
        let inner = Inner {
            seals: Seals::new(self.keyring.clone(), settings.clock.clone(), self.rocks.families()),
            rocks: self.rocks,
            keyring: self.keyring,
            queue: self.queue,
            inventory: self.inventory,
            poison: self.poison,
            space: self.space,
            clock: self.clock,
            settings,
            layout,
            collected: Collected::default(),
            pool: Pool::new(),
            is_read_only,
            is_ending: AtomicBool::new(false),
            expiring: Mutex::default(),
            long_work: Mutex::new(()),
            asks,
            waker: OnceLock::new(),
            _lock: self.lock,
        };
        (Arc::new(inner), answers)
    }
}

impl Store {
    /// Open a store, or make one. A wrong key, damage and an old copy are refused before anything is changed.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::Damaged`], [`Error::RolledBack`], [`Error::Open`], [`Error::Io`].
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let layout = Layout::new(&settings.folder);
        if !settings.create && !is_store(&layout) {
            return Err(no_store(&layout));
        }
        make_folder(&layout.folder)?;
        durable::check_folder(&layout.folder)?;
        let lock = lock(&layout)?;
        durable::remove_parts(&layout.folder)?;
        let keyring = Arc::new(open_keyring(&settings, &layout)?);
        let key = inventory_key(&keyring);
        let found = recovery::check(&settings, &layout, &keyring, &key)?;
        make_folder(&layout.db)?;
        make_folder(&layout.wal)?;
        durable::sync_folder(&layout.folder)?;
        let clock = trusted_clock(&settings, &layout, &keyring, &key)?;
        settings.steps.reach("before opening RocksDB");
        let rocks = Arc::new(Rocks::open(&layout, &settings, &clock, (found.create, found.sequence))?);
        let failed = |error: rocksdb::Error| Error::Open { path: layout.db.clone(), reason: error.into_string() };
        rocks.db.disable_file_deletions().map_err(failed)?;
        let sequence = rocks.db.latest_sequence_number();
        recovery::confirm(&found, &live(&rocks.db)?, sequence)?;
        let start_epoch = found.epoch + 1;
        rocks.db.flush_wal(true).map_err(failed)?;
        let mark = MarkFile::create(&layout.mark, &layout.wal, &key, start_epoch, sequence)?;
        settings.steps.reach("mark created");
        let anchor = settings.anchor.clone();
        let inventory = InventoryWriter::new(&layout, anchor, &key, *keyring.db_id(), start_epoch, &found.tables);
        inventory.update(&rocks, keyring.generation(), InventoryPhase::Running)?;
        settings.steps.reach("inventory written");
        let space = Arc::new(Space::new(&layout.folder, &layout.ballast, settings.write_buffer_bytes));
        // If the disk is full already, the first write reports it.
        let _ = space.check();
        let poison = Arc::new(Poison::default());
        let (queue, committer) =
            committer::start(rocks.clone(), poison.clone(), space.clone(), mark, settings.steps.clone())?;
        let parts = Parts { lock, keyring, rocks, inventory, clock, space, poison, queue };
        let (inner, answers) = parts.inner(settings, layout, false);
        inner.make_partitions(inner.settings.clock.now_ms())?;
        Self::with_threads(inner, answers, committer)
    }

    /// Open an existing store to look at it. Nothing below its folder is written and no data key is registered. What is in
    /// the log only is read into memory.
    /// Calls that write or ask about telemetry which is not stored yet answer [`Error::Closed`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_to_read(settings: Settings) -> Result<Self, Error> {
        let layout = Layout::new(&settings.folder);
        if !is_store(&layout) {
            return Err(no_store(&layout));
        }
        let lock = lock_to_read(&layout)?;
        let keyring = Arc::new(open_keyring(&settings, &layout)?.into_read_only());
        let key = inventory_key(&keyring);
        let clock = trusted_clock(&settings, &layout, &keyring, &key)?;
        let open = || Rocks::open_to_read(&layout, &settings);
        let (found, rocks) = recovery::check_to_read(&settings, &layout, &keyring, &key, open)?;
        let inventory = InventoryWriter::new(&layout, None, &key, *keyring.db_id(), found.epoch + 1, &found.tables);
        let space = Arc::new(Space::to_read(&layout.folder, &layout.ballast, settings.write_buffer_bytes));
        let (poison, queue) = (Arc::new(Poison::default()), Queue::closed());
        let parts = Parts { lock, keyring, rocks: Arc::new(rocks), inventory, clock, space, poison, queue };
        let (inner, _) = parts.inner(settings, layout, true);
        inner.pool.stop();
        let writer = Writer { seals: inner.seals.clone(), queue: inner.queue.clone() };
        Ok(Self { reads: Reads { inner }, writer, threads: Mutex::default() })
    }

    fn with_threads(inner: Arc<Inner>, answers: Receiver<Ask>, committer: JoinHandle<()>) -> Result<Self, Error> {
        let inventory = start_inventory(inner.clone())?;
        let expirer = expire::start(inner.clone())?;
        let collector = Collector::new(inner.clone(), answers);
        let collector = spawn("store-collect", &inner.poison, move || collector.run())?;
        let _ = inner.waker.set(collector.thread().clone());
        let writer = Writer { seals: inner.seals.clone(), queue: inner.queue.clone() };
        let reads = Reads { inner };
        let readers = reads.inner.pool.start(&reads.inner.poison)?;
        let threads = Threads {
            committer: Some(committer),
            collector: Some(collector),
            inventory: Some(inventory),
            expirer: Some(expirer),
            readers,
        };
        Ok(Self { reads, writer, threads: Mutex::new(threads) })
    }
}

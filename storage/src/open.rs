//! Opening: lock, keyring, the look at the folder, RocksDB, and then the threads.

use std::fs::{File, OpenOptions};
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
use crate::disk::durable;
use crate::disk::inventory::Phase;
use crate::disk::inventory_writer::InventoryWriter;
use crate::disk::recovery;
use crate::disk::rocks::{Rocks, live};
use crate::read::pool::Pool;
use crate::read::reads::Reads;
use crate::retire::expire;
use crate::schema::index::IndexKeys;
use crate::seal::keyring::body::Fixed;
use crate::seal::keyring::{Keyring, file};
use crate::seal::seals::Seals;
use crate::settings::{Layout, Settings};
use crate::shared::Inner;
use crate::store::{Store, Threads, start_inventory};
use crate::threads::spawn;
use crate::write::committer;
use crate::write::mark::MarkFile;
use crate::write::poison::Poison;
use crate::write::space::Space;
use crate::write::writer::Writer;

fn make_folder(path: &Path) -> Result<(), Error> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(durable::failed(path, "create"))
}

fn lock(layout: &Layout) -> Result<File, Error> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&layout.lock);
    let file = file.map_err(durable::failed(&layout.lock, "open"))?;
    file.try_lock().map_err(|_| Error::Open {
        path: layout.folder.clone(),
        reason: "another program has it open: stop that first".into(),
    })?;
    Ok(file)
}

fn open_keyring(settings: &Settings, layout: &Layout) -> Result<Keyring, Error> {
    let (steps, nonces) = (settings.steps.clone(), settings.nonces.clone());
    let is_new = !file::exists(&layout.folder) && !layout.db.exists() && !layout.inventory.exists();
    if !is_new {
        return Keyring::open(&layout.folder, &settings.unseal, steps, nonces);
    }
    if !settings.create {
        let reason = "there is no store: check the path, or let it be made".into();
        return Err(Error::Open { path: layout.folder.clone(), reason });
    }
    if settings.anchor.as_ref().is_some_and(|anchor| anchor.exists()) && !settings.accept_rollback {
        return Err(Error::RolledBack { what: "the folder is empty, but its anchor exists".into() });
    }
    Keyring::create(&layout.folder, &settings.unseal, steps, nonces)
}

impl Store {
    /// Open a store, or make one. A wrong key, damage and an old copy are refused before anything is changed.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::Damaged`], [`Error::RolledBack`], [`Error::Open`], [`Error::Io`].
    pub fn open(settings: Settings) -> Result<Self, Error> {
        let layout = Layout::new(&settings.folder);
        make_folder(&layout.folder)?;
        let lock = lock(&layout)?;
        let keyring = open_keyring(&settings, &layout)?;
        let inventory_key = hmac::Key::new(hmac::HMAC_SHA256, &*keyring.fixed(Fixed::Inventory));
        let found = recovery::check(&settings, &layout, &keyring, &inventory_key)?;
        make_folder(&layout.db)?;
        make_folder(&layout.wal)?;
        durable::sync_folder(&layout.folder)?;
        settings.steps.reach("before opening RocksDB");
        let rocks = Arc::new(Rocks::open(&layout, &settings, found.create)?);
        let failed = |error: rocksdb::Error| Error::Open { path: layout.db.clone(), reason: error.into_string() };
        rocks.db.disable_file_deletions().map_err(failed)?;
        let sequence = rocks.db.latest_sequence_number();
        recovery::confirm(&found, &live(&rocks.db)?, sequence)?;
        let fresh = keyring.fresh_epoch(settings.clock.now_s())?;
        settings.steps.reach("epoch registered");
        let start_epoch = found.epoch + 1;
        rocks.db.flush_wal(true).map_err(failed)?;
        let mark = MarkFile::create(&layout.mark, &layout.wal, &inventory_key, start_epoch, sequence)?;
        settings.steps.reach("mark created");
        let inventory = InventoryWriter::new(
            &layout,
            settings.anchor.clone(),
            &inventory_key,
            *keyring.db_id(),
            start_epoch,
            &found.tables,
        );
        inventory.update(&rocks, keyring.generation(), Phase::Running)?;
        settings.steps.reach("inventory written");
        let space = Arc::new(Space::new(&layout.folder, &layout.ballast, settings.write_buffer_bytes));
        // If the disk is full already, the first write reports it.
        let _ = space.check();
        let poison = Arc::new(Poison::default());
        let (queue, committer) = committer::start(rocks.clone(), poison.clone(), space.clone(), mark)?;
        let keyring = Arc::new(keyring);
        let seals = Seals::new(keyring.clone(), Arc::new(IndexKeys::new(&keyring)), fresh);
        let (asks, answers) = channel();
        let inner = Arc::new(Inner {
            rocks,
            keyring,
            seals,
            queue,
            inventory,
            poison,
            space,
            settings,
            layout,
            collected: Collected::default(),
            pool: Pool::new(),
            is_ending: AtomicBool::new(false),
            expiring: Mutex::default(),
            long_work: Mutex::new(()),
            asks,
            waker: OnceLock::new(),
            _lock: lock,
        });
        inner.make_partitions(inner.settings.clock.now_ms())?;
        Self::with_threads(inner, answers, committer)
    }

    fn with_threads(inner: Arc<Inner>, answers: Receiver<Ask>, committer: JoinHandle<()>) -> Result<Self, Error> {
        let inventory = start_inventory(inner.clone())?;
        let expirer = expire::start(inner.clone())?;
        let collector = Collector::new(inner.clone(), answers);
        let collector = spawn("store-collect", move || collector.run())?;
        let _ = inner.waker.set(collector.thread().clone());
        let writer = Writer { seals: inner.seals.clone(), queue: inner.queue.clone() };
        let reads = Reads { inner };
        let readers = reads.inner.pool.start()?;
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

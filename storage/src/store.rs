//! An open store: who holds what, how it starts and how it ends.

use std::fs::{File, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use linchpin_protocol::model::Token;
use ring::hmac;
use zeroize::Zeroizing;

use crate::batch::{Batch, Sealing};
use crate::cipher::{Fresh, Writer};
use crate::collector::{Ask, Collected, Collector};
use crate::inventory::Phase;
use crate::keeper::Keeper;
use crate::keyring::body::Fixed;
use crate::keyring::{Keyring, file};
use crate::mark::MarkFile;
use crate::poison::Poison;
use crate::reader::Reader;
use crate::rocks::{Rocks, live};
use crate::schema::index::IndexKeys;
use crate::schema::{Digest, IndexEntry, IndexKind, KeyBytes, OrgId, Record};
use crate::settings::{Layout, Settings, now_s};
use crate::space::Space;
use crate::telemetry::{self, TelemetryLane};
use crate::writer::{Class, Done, Queue, waiting};
use crate::{Error, KeyStatus, durable, limits, recovery, writer};

/// What all parts of a store share.
pub(crate) struct Inner {
    pub(crate) rocks: Arc<Rocks>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) index: Arc<IndexKeys>,
    pub(crate) fresh: RwLock<Arc<Fresh>>,
    pub(crate) queue: Queue,
    pub(crate) keeper: Keeper,
    pub(crate) poison: Arc<Poison>,
    pub(crate) space: Arc<Space>,
    pub(crate) settings: Settings,
    pub(crate) layout: Layout,
    pub(crate) inventory_key: hmac::Key,
    pub(crate) collected: Collected,
    /// When old partitions were looked for, s since 1970.
    pub(crate) looked_s: AtomicU64,
    /// The folder is ours as long as this is open.
    _lock: File,
}

impl Inner {
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { rocks: &self.rocks, keyring: &self.keyring, index: &self.index }
    }

    pub(crate) fn sealing(&self, writer: Writer) -> Sealing {
        let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner).clone();
        Sealing { keyring: self.keyring.clone(), index: self.index.clone(), fresh, writer }
    }

    /// Seal with a new epoch from now on.
    pub(crate) fn use_epoch(&self, fresh: Arc<Fresh>) {
        *self.fresh.write().unwrap_or_else(PoisonError::into_inner) = fresh;
    }

    fn tick(&self) -> Result<(), Error> {
        let now_s = now_s();
        let is_spent = self.fresh.read().unwrap_or_else(PoisonError::into_inner).is_spent(now_s);
        if is_spent {
            self.use_epoch(self.keyring.fresh_epoch(now_s)?);
        }
        if now_s.saturating_sub(self.looked_s.load(Ordering::Relaxed)) >= 3_600 {
            self.looked_s.store(now_s, Ordering::Relaxed);
            self.drop_old_partitions(now_s * 1_000)?;
        }
        self.update_inventory(Phase::Running)
    }

    pub(crate) fn update_inventory(&self, phase: Phase) -> Result<(), Error> {
        self.keeper.update(&self.rocks, self.keyring.generation(), phase)
    }
}

/// An open store. Its calls block: shards never make them.
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    asks: Sender<Ask>,
    /// The collector sleeps when nothing comes.
    waker: Thread,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    committer: Option<JoinHandle<()>>,
    collector: Option<JoinHandle<()>>,
    keeper: Option<(JoinHandle<()>, Sender<()>)>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.inner.layout.folder.display())
    }
}

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
        let rocks = Arc::new(Rocks::open(&layout, settings.write_buffer_bytes, found.create)?);
        let failed = |error: rocksdb::Error| Error::Open { path: layout.db.clone(), reason: error.into_string() };
        rocks.db.disable_file_deletions().map_err(failed)?;
        let sequence = rocks.db.latest_sequence_number();
        recovery::confirm(&found, &live(&rocks.db)?, sequence)?;
        let fresh = keyring.fresh_epoch(now_s())?;
        settings.steps.reach("epoch registered");
        let start_epoch = found.epoch + 1;
        rocks.db.flush_wal(true).map_err(failed)?;
        let mark = MarkFile::create(&layout.mark, &layout.wal, &inventory_key, start_epoch, sequence)?;
        settings.steps.reach("mark created");
        let keeper =
            Keeper::new(&layout, settings.anchor.clone(), &inventory_key, *keyring.db_id(), start_epoch, &found.tables);
        keeper.update(&rocks, keyring.generation(), Phase::Running)?;
        settings.steps.reach("inventory written");
        rocks.start_compaction()?;
        let space = Arc::new(Space::new(&layout.folder, &layout.ballast, settings.write_buffer_bytes));
        let poison = Arc::new(Poison::default());
        let (queue, committer) = writer::start(rocks.clone(), poison.clone(), space.clone(), mark)?;
        let (keyring, fresh) = (Arc::new(keyring), RwLock::new(fresh));
        let index = Arc::new(IndexKeys::new(&keyring));
        let inner = Arc::new(Inner {
            rocks,
            keyring,
            index,
            fresh,
            queue,
            keeper,
            poison,
            space,
            settings,
            layout,
            inventory_key,
            collected: Collected::default(),
            looked_s: AtomicU64::new(0),
            _lock: lock,
        });
        let keeper = start_keeper(inner.clone())?;
        let (asks, answers) = channel();
        let collector = Collector::new(inner.clone(), answers);
        let collector = spawn("store-collect", move || collector.run())?;
        let waker = collector.thread().clone();
        let threads = Threads { committer: Some(committer), collector: Some(collector), keeper: Some(keeper) };
        Ok(Self { inner, asks, waker, threads: Mutex::new(threads) })
    }

    pub(crate) fn ask(&self, ask: Ask) -> Result<(), Error> {
        self.asks.send(ask).map_err(|_| Error::Closed)?;
        self.waker.unpark();
        Ok(())
    }

    /// A lane for one shard's telemetry.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn telemetry_lane(&self) -> Result<TelemetryLane, Error> {
        let (lane, end) = telemetry::lane(self.waker.clone());
        self.ask(Ask::Lane(end))?;
        Ok(lane)
    }

    /// An empty batch.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch::new(self.inner.sealing(Writer::Batch))
    }

    /// Hand a batch over and wait for what its class promises.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Busy`]: nothing was written. [`Error::Write`]: the store is poisoned.
    pub fn commit(&self, class: Class, batch: Batch) -> Result<(), Error> {
        let (done, result) = waiting();
        self.inner.queue.write(class, batch.writes, Some(done))?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    /// Hand a batch over without waiting; `done` is called on the committing thread and must be quick.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Closed`]: `done` is not called then.
    pub fn submit(
        &self,
        class: Class,
        batch: Batch,
        done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) -> Result<(), Error> {
        self.inner.queue.write(class, batch.writes, Some(Box::new(done) as Done))
    }

    /// A record.
    ///
    /// # Errors
    /// [`Error::Record`]: it is damaged. [`Error::Erased`]. [`Error::Read`].
    pub fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, Error> {
        self.inner.reader().get(key)
    }

    /// All records of a kind, in the order of their keys.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn scan<R: Record>(&self, take: impl FnMut(R::Key, R) -> ControlFlow<()>) -> Result<(), Error> {
        self.inner.reader().scan(KeyBytes::EMPTY, take)
    }

    /// All records of a kind that belong to an organization, in the order of their keys.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn scan_org<R: Record>(&self, org: OrgId, take: impl FnMut(R::Key, R) -> ControlFlow<()>) -> Result<(), Error> {
        self.inner.reader().scan(KeyBytes::org(org), take)
    }

    /// What a digest stands for.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn lookup(&self, digest: &Digest) -> Result<Option<IndexEntry>, Error> {
        self.inner.reader().lookup(digest)
    }

    /// All entries of the index of one kind: shards load the tokens with it.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub fn load_index(&self, kind: IndexKind, take: impl FnMut(Digest, IndexEntry)) -> Result<(), Error> {
        self.inner.reader().scan_index(KeyBytes::EMPTY.with(&[kind as u8]), take)
    }

    /// The digest of a device's token.
    #[must_use]
    pub fn token_digest(&self, token: &Token) -> Digest {
        self.inner.index.token(token)
    }

    /// The digest of an e-mail address; upper and lower case are one.
    #[must_use]
    pub fn email_digest(&self, address: &str) -> Digest {
        self.inner.index.email(address)
    }

    /// The digest of a session's token.
    #[must_use]
    pub fn session_digest(&self, token: &[u8]) -> Digest {
        self.inner.index.session(token)
    }

    /// The key of token digests, for shards.
    #[must_use]
    pub fn token_key(&self) -> Zeroizing<[u8; 32]> {
        self.inner.keyring.fixed(Fixed::Token)
    }

    /// The key that TLS tickets derive from, for shards.
    #[must_use]
    pub fn ticket_key(&self) -> Zeroizing<[u8; 32]> {
        self.inner.keyring.fixed(Fixed::Ticket)
    }

    /// Give a new organization its key; its records can be sealed from then on. Durable when it returns.
    ///
    /// # Errors
    /// [`Error::Erased`]: the number was used before. [`Error::Io`].
    pub fn add_org(&self, org: OrgId) -> Result<(), Error> {
        self.inner.keyring.add_org(org.get())
    }

    /// What the keyring holds.
    #[must_use]
    pub fn key_status(&self) -> KeyStatus {
        self.inner.keyring.status()
    }

    /// Write everything out and close. Without it a restart replays the log.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Poisoned`], [`Error::Io`]; the store is closed all the same.
    pub fn close(self) -> Result<(), Error> {
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
        if let Some((thread, stop)) = threads.keeper {
            drop(stop);
            let _ = thread.join();
        }
        if let Some(collector) = threads.collector {
            let _ = self.ask(Ask::Stop);
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
        self.inner.update_inventory(Phase::Closed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.end(false);
    }
}

fn start_keeper(inner: Arc<Inner>) -> Result<(JoinHandle<()>, Sender<()>), Error> {
    let (stop, stopped) = channel();
    let run = move || {
        let tick = Duration::from_millis(limits::INVENTORY_TICK_MS);
        while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = inner.tick() {
                // Nothing is lost: the inventory before still holds, and nothing it lists is deleted.
                tracing::error!(%error, "the inventory could not be written");
            }
        }
    };
    Ok((spawn("store-keeper", run)?, stop))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| Error::Open { path: name.into(), reason: error.to_string() })
}

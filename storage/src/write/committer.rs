//! The committing thread. It takes what waits, writes it, syncs once and acknowledges all of it: group commit. It
//! seals nothing and compresses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rocksdb::WriteOptions;

use crate::disk::rocks::Rocks;
use crate::disk::steps::Steps;
use crate::schema::Family;
use crate::threads::spawn;
use crate::write::batch::EncodedWrites;
use crate::write::mark::MarkFile;
use crate::write::poison::Poison;
use crate::write::space::Space;
use crate::{Error, limits};

/// What an acknowledgement means. docs/durability.md states it for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Accounts, devices, tokens, audit, erase: acknowledged only after it is on the disk.
    A,
    /// Events, properties, metadata, diary: acknowledged when it is taken, at most 1 s is lost.
    B,
    /// Telemetry: acknowledged when its group is synced; the way there takes at most 50 ms on a healthy disk.
    C,
}

/// What the committing thread has done.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) sync_us: AtomicU64,
    pub(crate) slowest_sync_us: AtomicU64,
    pub(crate) refused_full: AtomicU64,
    pub(crate) queued: AtomicUsize,
}

/// Called once with the outcome of a write.
pub(crate) type Done = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// A record to put in place of another, if that is still there.
pub(crate) struct Replace {
    pub(crate) family: Family,
    pub(crate) partition: u32,
    pub(crate) key: Box<[u8]>,
    pub(crate) expected: Box<[u8]>,
    pub(crate) value: Vec<u8>,
}

enum Job {
    Write { class: Class, writes: Arc<EncodedWrites>, done: Option<Done> },
    Replace { records: Vec<Replace>, done: Done },
    DropPartition { family: Family, partition: u32, done: Done },
    Stop,
}

/// The way to the committing thread.
#[derive(Clone)]
pub(crate) struct Queue {
    jobs: SyncSender<Job>,
    pub(crate) figures: Arc<Committed>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queue({})", self.figures.queued.load(Ordering::Relaxed))
    }
}

impl Queue {
    /// Of a store that is open to read only: everything is answered with [`Error::Closed`].
    pub(crate) fn closed() -> Self {
        Self { jobs: sync_channel(0).0, figures: Arc::default() }
    }

    fn send(&self, job: Job) -> Result<(), Error> {
        // Counted first: the other side must never count below zero.
        self.figures.queued.fetch_add(1, Ordering::Relaxed);
        self.jobs.try_send(job).map_err(|error| {
            self.figures.queued.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => Error::Busy { limit: limits::QUEUED_WRITES },
                TrySendError::Disconnected(_) => Error::Closed,
            }
        })
    }

    /// Never blocks. `done` is called unless this returns an error.
    pub(crate) fn write(
        &self,
        class: Class,
        writes: impl Into<Arc<EncodedWrites>>,
        done: Option<Done>,
    ) -> Result<(), Error> {
        self.send(Job::Write { class, writes: writes.into(), done })
    }

    /// Waits for room in the queue: for a thread whose own work may wait.
    pub(crate) fn write_patiently(
        &self,
        class: Class,
        writes: impl Into<Arc<EncodedWrites>>,
        done: Option<Done>,
    ) -> Result<(), Error> {
        self.figures.queued.fetch_add(1, Ordering::Relaxed);
        self.jobs.send(Job::Write { class, writes: writes.into(), done }).map_err(|_| {
            self.figures.queued.fetch_sub(1, Ordering::Relaxed);
            Error::Closed
        })
    }

    /// Replace records that nobody has changed meanwhile; waits for it.
    pub(crate) fn replace(&self, records: Vec<Replace>) -> Result<(), Error> {
        let (done, result) = waiting();
        self.send(Job::Replace { records, done })?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    /// Drop a partition; waits for it. Done here, because a write to one that is being dropped would fail.
    pub(crate) fn drop_partition(&self, family: Family, partition: u32) -> Result<(), Error> {
        let (done, result) = waiting();
        self.send(Job::DropPartition { family, partition, done })?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    pub(crate) fn stop(&self) {
        // Blocks while the queue is full: everything before it is still written.
        let _ = self.jobs.send(Job::Stop);
    }
}

/// A `Done` and where its result arrives.
pub(crate) fn waiting() -> (Done, Receiver<Result<(), Error>>) {
    let (sender, receiver) = sync_channel(1);
    let done = move |result| {
        let _ = sender.try_send(result);
    };
    (Box::new(done), receiver)
}

struct Committer {
    rocks: Arc<Rocks>,
    poison: Arc<Poison>,
    space: Arc<Space>,
    mark: MarkFile,
    steps: Steps,
    figures: Arc<Committed>,
    /// Written but not synced since.
    unsynced_since: Option<Instant>,
    unsynced: Vec<Done>,
}

/// Start the thread.
pub(crate) fn start(
    rocks: Arc<Rocks>,
    poison: Arc<Poison>,
    space: Arc<Space>,
    mark: MarkFile,
    steps: Steps,
) -> Result<(Queue, JoinHandle<()>), Error> {
    let (jobs, waiting) = sync_channel(limits::QUEUED_WRITES);
    let figures = Arc::new(Committed::default());
    let queue = Queue { jobs, figures: figures.clone() };
    let (unsynced_since, unsynced) = (None, Vec::new());
    let alarm = poison.clone();
    let committer = Committer { rocks, poison, space, mark, steps, figures, unsynced_since, unsynced };
    let thread = spawn("store-commit", &alarm, move || committer.run(&waiting))?;
    Ok((queue, thread))
}

/// Does a sync have to follow now, and must the mark be on the disk too?
#[derive(Clone, Copy, Default)]
struct Need {
    sync: bool,
    mark: bool,
}

impl Committer {
    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let idle = Duration::from_millis(limits::CLASS_B_SYNC_MS);
            let wait = self.unsynced_since.map_or(idle, |since| idle.saturating_sub(since.elapsed()));
            let first = match jobs.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Job::Stop),
            };
            let mut need = Need::default();
            let mut is_last = false;
            let mut taken_bytes = 0;
            for job in first.into_iter().chain(jobs.try_iter()) {
                if matches!(job, Job::Stop) {
                    is_last = true;
                    break;
                }
                self.figures.queued.fetch_sub(1, Ordering::Relaxed);
                taken_bytes += self.take(job, &mut need);
                if taken_bytes >= limits::GROUP_BYTES {
                    break;
                }
            }
            self.steps.reach("commit: group written");
            let is_due = self.unsynced_since.is_some_and(|since| since.elapsed() >= idle);
            if need.sync || is_due || (is_last && self.unsynced_since.is_some()) {
                self.sync(Need { sync: true, mark: need.mark || is_last });
            }
            if is_last {
                return;
            }
        }
    }

    /// Write one job; its `Done` waits for the sync if its class does.
    fn take(&mut self, job: Job, need: &mut Need) -> usize {
        match job {
            Job::Write { class, writes, done } => {
                let len_bytes = writes.len_bytes();
                let result = self.write(&writes);
                match (result, done) {
                    (Ok(()), done) => {
                        if class == Class::B {
                            done.into_iter().for_each(|done| done(Ok(())));
                        } else {
                            need.sync = true;
                            need.mark |= class == Class::A;
                            self.unsynced.extend(done);
                        }
                    }
                    (Err(error), Some(done)) => done(Err(error)),
                    (Err(error), None) => tracing::warn!(%error, "a write was lost"),
                }
                len_bytes
            }
            Job::Replace { records, done } => {
                let result = self.replace(&records);
                let len_bytes = records.iter().map(|record| record.value.len()).sum();
                match result {
                    Ok(()) => {
                        need.sync = true;
                        self.unsynced.push(done);
                    }
                    Err(error) => done(Err(error)),
                }
                len_bytes
            }
            Job::DropPartition { family, partition, done } => {
                let dropped = self.poison.check().and_then(|()| Ok(self.rocks.drop_partition(family, partition)?));
                done(dropped);
                0
            }
            Job::Stop => 0,
        }
    }

    fn may_write(&self) -> Result<(), Error> {
        self.poison.check()?;
        self.space.check().inspect_err(|_| {
            self.figures.refused_full.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn write(&mut self, writes: &EncodedWrites) -> Result<(), Error> {
        self.may_write()?;
        let batch = self.poison.guard(writes.to_rocks(&self.rocks))?;
        self.commit(batch, writes.count)
    }

    fn commit(&mut self, batch: rocksdb::WriteBatch, records: usize) -> Result<(), Error> {
        // Before the write: a failed one may have reached the log in part.
        self.unsynced_since.get_or_insert_with(Instant::now);
        self.poison.guard(self.rocks.db.write_opt(batch, &WriteOptions::default()))?;
        self.figures.commits.fetch_add(1, Ordering::Relaxed);
        self.figures.records.fetch_add(records as u64, Ordering::Relaxed);
        Ok(())
    }

    fn replace(&mut self, records: &[Replace]) -> Result<(), Error> {
        self.may_write()?;
        let mut batch = rocksdb::WriteBatch::default();
        for record in records {
            // A partition that was dropped meanwhile has taken its records along.
            let Some(column) = self.rocks.column(record.family, record.partition) else { continue };
            let found = self.rocks.db.get_pinned_cf(&column, &record.key);
            let found = found.map_err(|error| Error::Read { reason: error.into_string() })?;
            // Only this thread writes: what is equal now is equal when the batch is in.
            if found.is_some_and(|found| *found == *record.expected) {
                batch.put_cf(&column, &record.key, &record.value);
            }
        }
        self.commit(batch, records.len())
    }

    /// Log, then mark, then acknowledge.
    fn sync(&mut self, need: Need) {
        let begun = Instant::now();
        let result = self.synced(need);
        self.unsynced_since = None;
        let took_us = begun.elapsed().as_micros() as u64;
        self.figures.syncs.fetch_add(1, Ordering::Relaxed);
        self.figures.sync_us.fetch_add(took_us, Ordering::Relaxed);
        self.figures.slowest_sync_us.fetch_max(took_us, Ordering::Relaxed);
        for done in self.unsynced.drain(..) {
            done(result.clone());
        }
    }

    fn synced(&mut self, need: Need) -> Result<(), Error> {
        self.poison.check()?;
        let sequence = self.rocks.db.latest_sequence_number();
        self.poison.guard(self.rocks.db.flush_wal(true))?;
        self.poison.guard(self.mark.write(sequence))?;
        if need.mark {
            self.poison.guard(self.mark.sync())?;
        }
        Ok(())
    }
}

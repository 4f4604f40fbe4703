//! The second storage thread: journals what shards write, sealed apart per organization, and collects points into
//! chunks, roll-ups and latest values. A journal batch is deleted once all of its points are stored there.
//!
//! A device's stored records carry the number of the journal batch up to which they contain its points. So a replay
//! takes each point exactly once, whatever was stored before the crash.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::batch::{Batch, Writes};
use crate::bytes::{Fields, Shape};
use crate::cipher::Writer;
use crate::open::{OpenDevice, slot_of};
use crate::reader::broken;
use crate::schema::journal::{self, Point, put_point, take_point};
use crate::schema::{DeviceKey, Family, KeyBytes, OrgId};
use crate::settings::now_ms;
use crate::store::Inner;
use crate::telemetry::{LaneEnd, Points};
use crate::writer::{Class, waiting};
use crate::{Error, Problem, limits};

/// Journal numbers begin with the epoch of the process: they grow over restarts without being stored.
const EPOCH_SHIFT: u32 = 40;
const TICK: Duration = Duration::from_millis(5);

/// What others ask of the thread.
pub(crate) enum Ask {
    /// A shard's lane.
    Lane(LaneEnd),
    /// Store what is collected of a device, so that a read finds it.
    Store(DeviceKey, SyncSender<Result<(), Error>>),
    /// Store everything.
    StoreAll(SyncSender<Result<(), Error>>),
    /// Forget what is collected of an organization, or of one device of it.
    Forget(OrgId, Option<DeviceKey>, SyncSender<Result<(), Error>>),
    Stop,
}

/// What the thread has done; read by metrics.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) points: AtomicU64,
    pub(crate) batches: AtomicU64,
    /// Journal batches that the disk did not take; their points are kept in memory.
    pub(crate) unjournaled: Arc<AtomicU64>,
    /// Raw points given up because neither disk nor memory had room for them.
    pub(crate) given_up: AtomicU64,
    /// Points of organizations without a key, or older than what is kept.
    pub(crate) refused: AtomicU64,
    /// Wall time of the oldest point that is not synced; 0 if there is none.
    pub(crate) oldest_unsynced_ms: Arc<Mutex<BTreeMap<u64, u64>>>,
    pub(crate) is_replayed: AtomicBool,
}

pub(crate) struct Collector {
    inner: Arc<Inner>,
    asks: Receiver<Ask>,
    lanes: Vec<LaneEnd>,
    devices: HashMap<u64, OpenDevice>,
    /// Devices in the order in which they got points that are not stored: first batch, when, which.
    dirty: VecDeque<(u64, u64, u64)>,
    number: u64,
    next_chunk: u64,
    by_org: HashMap<u32, Vec<u8>>,
    /// Journal batches below this are deleted.
    trimmed: u64,
    samples: usize,
    looked_ms: u64,
    oldest_kept_ms: u64,
}

impl Collector {
    pub(crate) fn new(inner: Arc<Inner>, asks: Receiver<Ask>) -> Self {
        let slot = u64::from(inner.sealing(Writer::Collector).fresh.slot());
        Self {
            inner,
            asks,
            lanes: Vec::new(),
            devices: HashMap::new(),
            dirty: VecDeque::new(),
            number: slot << EPOCH_SHIFT,
            next_chunk: slot << EPOCH_SHIFT,
            by_org: HashMap::new(),
            trimmed: 0,
            samples: 0,
            looked_ms: 0,
            oldest_kept_ms: 0,
        }
    }

    pub(crate) fn run(mut self) {
        if let Err(error) = self.replay() {
            tracing::error!(%error, "the journal cannot be replayed: its points are kept for the next start");
            self.inner.poison.strike(&error);
        }
        self.inner.collected.is_replayed.store(true, Ordering::Release);
        loop {
            let mut is_stopping = false;
            let asks: Vec<Ask> = self.asks.try_iter().collect();
            for ask in asks {
                is_stopping |= self.answer(ask);
            }
            while self.drain_lanes() {}
            self.store_old();
            if is_stopping {
                while self.drain_lanes() {}
                if let Err(error) = self.store_all() {
                    tracing::warn!(%error, "collected points stay in the journal until the next start");
                }
                return;
            }
            std::thread::park_timeout(TICK);
        }
    }

    /// `true`: stop.
    fn answer(&mut self, ask: Ask) -> bool {
        match ask {
            Ask::Lane(lane) => self.lanes.push(lane),
            Ask::Store(key, done) => {
                while self.drain_lanes() {}
                let _ = done.try_send(self.store(&[slot_of(key)]));
            }
            Ask::StoreAll(done) => {
                while self.drain_lanes() {}
                let _ = done.try_send(self.store_all());
            }
            Ask::Forget(org, device, done) => {
                while self.drain_lanes() {}
                let is_meant = |key: DeviceKey| device.map_or(key.org == org, |device| device == key);
                self.devices.retain(|_, open| !is_meant(open.key));
                let _ = done.try_send(Ok(()));
            }
            Ask::Stop => return true,
        }
        false
    }

    /// One batch of each lane; `false` when all are empty.
    fn drain_lanes(&mut self) -> bool {
        let mut found = Vec::new();
        for (at, end) in self.lanes.iter_mut().enumerate() {
            if let Ok(points) = end.lane.pop() {
                found.push((at, points));
            }
        }
        let any = !found.is_empty();
        for (at, points) in found {
            self.take(&points);
            let mut bytes = points.bytes;
            bytes.clear();
            let _ = self.lanes[at].emptied.push(bytes);
        }
        any
    }

    /// Journal a batch and collect its points.
    fn take(&mut self, points: &Points) {
        self.number += 1;
        let mut fields = Fields(&points.bytes);
        let mut count = 0;
        while !fields.0.is_empty() {
            let Ok((org, point)) = take_one(points.base_ms, &mut fields) else { break };
            count += 1;
            self.collect(self.number, org, &point);
            let journal = self.by_org.entry(org.get()).or_default();
            put_point(points.base_ms, &point, journal);
        }
        let collected = &self.inner.collected;
        collected.points.fetch_add(count, Ordering::Relaxed);
        collected.batches.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.journal(points.base_ms) {
            tracing::warn!(%error, "a journal batch was not written");
        }
    }

    fn collect(&mut self, number: u64, org: OrgId, point: &Point<'_>) {
        let key = DeviceKey { org, device: point.device };
        let slot = slot_of(key);
        if point.at_ms < self.oldest_kept_ms {
            self.inner.collected.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let open = match self.devices.entry(slot) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => match OpenDevice::load(self.inner.reader(), key) {
                Ok(open) => entry.insert(open),
                Err(error) => {
                    self.inner.collected.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(%error, "a point was refused");
                    return;
                }
            },
        };
        let was_clean = open.dirty_from == 0;
        if open.apply(number, point, &mut self.next_chunk) {
            self.samples += 1;
            if was_clean {
                self.dirty.push_back((number, now_ms(), slot));
            }
        }
    }

    /// Seal and hand over the journal records of the current number.
    fn journal(&mut self, base_ms: u64) -> Result<(), Error> {
        let sealing = self.inner.sealing(Writer::Collector);
        let mut batch = Batch::new(sealing);
        let mut record = Vec::new();
        let mut part = 0u64;
        for (org, points) in self.by_org.iter_mut().filter(|(_, points)| !points.is_empty()) {
            record.clear();
            journal::pack(base_ms, points, &mut record);
            points.clear();
            let org = OrgId::new(*org).expect("it came from one");
            match batch.put_sealed(Family::Journal, 0, &journal::key(self.number, org), &record) {
                Ok(()) => part += 1,
                Err(error) => tracing::debug!(%error, "points of an organization without a key were refused"),
            }
        }
        if part == 0 {
            return Ok(());
        }
        let collected = &self.inner.collected;
        let (number, ages) = (self.number, collected.oldest_unsynced_ms.clone());
        let unjournaled = collected.unjournaled.clone();
        ages.lock().unwrap_or_else(PoisonError::into_inner).insert(number, base_ms);
        let done = move |result: Result<(), Error>| {
            ages.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
            if result.is_err() {
                unjournaled.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.inner.queue.write_patiently(Class::C, batch.writes, Some(Box::new(done)))
    }

    /// Store what has waited long, and everything when there is too much of it.
    fn store_old(&mut self) {
        let now = now_ms();
        let is_crowded = self.samples > limits::OPEN_SAMPLES;
        if now.saturating_sub(self.looked_ms) < 1_000 && !is_crowded {
            return;
        }
        self.looked_ms = now;
        self.oldest_kept_ms = self.inner.settings.retention.oldest_raw_ms(now);
        // Half of the time, so that storing itself has the other half.
        let before = now.saturating_sub(limits::JOURNAL_KEEP_MS / 2);
        let chosen = self.dirty.iter().take_while(|(_, since, _)| is_crowded || *since < before);
        let chosen: Vec<u64> = chosen.map(|(.., slot)| *slot).collect();
        if let Err(error) = self.store(&chosen) {
            tracing::warn!(%error, "collected points could not be stored: they stay in memory and in the journal");
            if self.samples > 2 * limits::OPEN_SAMPLES {
                let given_up: usize = self.devices.values_mut().map(OpenDevice::coalesce).sum();
                self.inner.collected.given_up.fetch_add(given_up as u64, Ordering::Relaxed);
            }
        }
        self.devices.retain(|_, open| !open.is_idle(now) && !(is_crowded && open.dirty_from == 0));
        self.samples = self.devices.values().map(OpenDevice::samples).sum();
    }

    fn store_all(&mut self) -> Result<(), Error> {
        let all: Vec<u64> = self.dirty.iter().map(|(.., slot)| *slot).collect();
        self.store(&all)
    }

    /// Store devices, wait until that is synced, and trim the journal.
    fn store(&mut self, slots: &[u64]) -> Result<(), Error> {
        let up_to = self.number;
        let is_dirty = |slot: &&u64| self.devices.get(slot).is_some_and(|open| open.dirty_from != 0);
        let dirty: Vec<u64> = slots.iter().filter(is_dirty).copied().collect();
        if dirty.is_empty() {
            return Ok(());
        }
        let mut rest = dirty.as_slice();
        let mut results = Vec::new();
        while !rest.is_empty() {
            let (result, count) = self.store_some(rest, up_to)?;
            let (group, others) = rest.split_at(count);
            results.push((result, group));
            rest = others;
        }
        for (result, group) in results {
            result.recv().unwrap_or(Err(Error::Closed))?;
            for slot in group {
                if let Some(open) = self.devices.get_mut(slot) {
                    open.stored(up_to);
                }
            }
        }
        self.trim()
    }

    /// A batch of as many devices as fit; how many.
    fn store_some(&self, slots: &[u64], up_to: u64) -> Result<(Receiver<Result<(), Error>>, usize), Error> {
        let mut batch = Batch::without_limit(self.inner.sealing(Writer::Collector));
        let mut count = 0;
        // A device's records are pieces of one truth: a batch is cut between devices only.
        for slot in slots {
            if batch.len_bytes() >= limits::STORE_BYTES {
                break;
            }
            count += 1;
            let Some(open) = self.devices.get(slot) else { continue };
            match open.store(self.inner.reader(), up_to, &mut batch) {
                // The organization is gone, its points go with it.
                Ok(()) | Err(Error::Erased { .. } | Error::Key { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let (done, result) = waiting();
        self.inner.queue.write_patiently(Class::C, batch.writes, Some(done))?;
        Ok((result, count))
    }

    /// Entries of the list are not searched when a device is stored out of turn: they are stale from then on.
    fn drop_stale(&mut self) {
        let is_stale = |devices: &HashMap<u64, OpenDevice>, (number, _, slot): &(u64, u64, u64)| {
            devices.get(slot).is_none_or(|open| open.dirty_from != *number)
        };
        while self.dirty.front().is_some_and(|entry| is_stale(&self.devices, entry)) {
            self.dirty.pop_front();
        }
    }

    /// Delete journal batches whose points are all stored.
    fn trim(&mut self) -> Result<(), Error> {
        self.drop_stale();
        let bound = self.dirty.front().map_or(self.number + 1, |(number, ..)| *number);
        if bound <= self.trimmed {
            return Ok(());
        }
        let mut writes = Writes::default();
        let key = |number: u64| KeyBytes::EMPTY.u64(number);
        writes.delete_range(Family::Journal, 0, key(self.trimmed).as_ref(), key(bound).as_ref());
        self.inner.queue.write_patiently(Class::B, writes, None)?;
        self.trimmed = bound;
        Ok(())
    }

    /// Collect again what the journal holds.
    fn replay(&mut self) -> Result<(), Error> {
        let inner = self.inner.clone();
        let reader = inner.reader();
        let mut points = 0u64;
        reader.scan_raw(Family::Journal, 0, (KeyBytes::EMPTY, None), |key, mut value| {
            let shape = |_: Shape| broken(Family::Journal, key, Problem::Shape);
            let (number, org) = journal::parse_key(key).map_err(shape)?;
            let record = match reader.open(Family::Journal, 0, key, &mut value) {
                Ok(record) => record,
                Err(Error::Erased { .. }) => return Ok(ControlFlow::Continue(())),
                Err(error) => return Err(error),
            };
            let (base_ms, bytes) = journal::unpack(record).map_err(shape)?;
            let mut fields = Fields(&bytes);
            while !fields.0.is_empty() {
                let point = take_point(base_ms, &mut fields).map_err(shape)?;
                self.collect(number, org, &point);
                points += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if points > 0 {
            tracing::info!(points, "the journal was replayed");
        }
        Ok(())
    }
}

fn take_one<'a>(base_ms: u64, fields: &mut Fields<'a>) -> Result<(OrgId, Point<'a>), Shape> {
    let org = u32::try_from(fields.varint()?).ok().and_then(OrgId::new).ok_or(Shape)?;
    Ok((org, take_point(base_ms, fields)?))
}

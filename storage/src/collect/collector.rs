//! The second storage thread: journals what shards write, sealed apart per organization, and collects points into
//! chunks, roll-ups and latest values ([`crate::storing`]). A journal batch is deleted once all of its points are
//! stored there.
//!
//! A device's stored records carry the number of the journal batch up to which they contain its points. So a replay
//! takes each point exactly once, whatever was stored before the crash.

use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::collect::ask::{Ask, OutcomeSender};
use crate::collect::flush::{Storing, Waiter};
use crate::collect::lane::{LaneEnd, PointBatch};
use crate::collect::open_device::OpenDevice;
use crate::collect::replay::Replay;
use crate::collect::replayed::Listener;
use crate::collect::slots::{Slots, slot_of};
use crate::schema::bytes::{Fields, Shape};
use crate::schema::journal::{self, Point, take_point};
use crate::schema::{DeviceKey, Family, Latest, OrgId};
use crate::seal::cipher::Sealer;
use crate::shared::Inner;
use crate::write::batch::Batch;
use crate::write::committer::Class;
use crate::{Error, limits};

/// Journal numbers begin with the epoch that comes next at the start: whoever journals registers it or a later one, so
/// they grow over restarts without being stored.
const EPOCH_SHIFT: u32 = 40;
const TICK: Duration = Duration::from_millis(100);

pub(crate) struct Collector {
    pub(crate) inner: Arc<Inner>,
    pub(crate) asks: Receiver<Ask>,
    lanes: Vec<LaneEnd>,
    pub(crate) devices: Slots<u64, OpenDevice>,
    /// All journal batches up to this one are collected.
    pub(crate) number: u64,
    /// The first journal batch of this run: higher than what any run before has given out, as its epoch is.
    pub(crate) first_of_run: u64,
    /// The newest journal batch; the same as `number` unless a replay is on.
    pub(crate) newest: u64,
    /// The replay of the journal of the last run, as long as it takes.
    pub(crate) replay: Option<Replay>,
    pub(crate) listeners: Vec<Listener>,
    /// Devices that were stored and forgotten during the replay.
    pub(crate) forgotten: Vec<u64>,
    next_chunk: u64,
    by_org: Slots<u32, Vec<u8>>,
    record: Vec<u8>,
    /// A point of the batch that is being taken was refused, because its device cannot be read.
    is_unreadable: bool,
    pub(crate) storing: Storing,
    /// Samples in memory.
    pub(crate) samples: usize,
    /// Memory of open devices and pins beside their samples.
    pub(crate) open_bytes: usize,
    /// The wall clock as of this round.
    pub(crate) now_ms: u64,
    /// Points before and behind are refused, ms since 1970.
    retained_ms: (u64, u64),
}

impl Collector {
    pub(crate) fn new(inner: Arc<Inner>, asks: Receiver<Ask>) -> Self {
        let base = u64::from(inner.keyring.next_epoch()) << EPOCH_SHIFT;
        Self {
            inner,
            asks,
            lanes: Vec::new(),
            devices: Slots::default(),
            number: 0,
            first_of_run: base,
            newest: base,
            replay: Some(Replay::default()),
            listeners: Vec::new(),
            forgotten: Vec::new(),
            next_chunk: base,
            by_org: Slots::default(),
            record: Vec::new(),
            is_unreadable: false,
            storing: Storing::default(),
            samples: 0,
            open_bytes: 0,
            now_ms: 0,
            retained_ms: (0, u64::MAX),
        }
    }

    pub(crate) fn run(mut self) {
        self.look_at_clock();
        let is_replayed = self.replay();
        if let Err(error) = &is_replayed {
            tracing::error!(%error, "the journal cannot be replayed: its points stay for the next start");
            self.inner.poison.strike(error);
        }
        let mut is_stopping = matches!(is_replayed, Ok(ControlFlow::Break(())));
        self.storing.may_trim = is_replayed.is_ok() && !is_stopping;
        self.inner.collected.is_replayed.store(!is_stopping, Ordering::Release);
        loop {
            while let Ok(ask) = self.asks.try_recv() {
                is_stopping |= self.answer(ask);
            }
            self.inner.settings.steps.reach("lanes looked at");
            self.look_at_clock();
            self.drain_lanes();
            self.advance(self.now_ms);
            self.report_replayed();
            if is_stopping {
                if let Err(error) = self.store_rest() {
                    tracing::warn!(%error, "collected points stay in the journal until the next start");
                }
                return;
            }
            std::thread::park_timeout(TICK);
        }
    }

    pub(crate) fn look_at_clock(&mut self) {
        self.now_ms = self.inner.clock.wall_ms();
        let oldest = self.inner.oldest_ms(Family::Raw);
        self.retained_ms = (oldest, self.now_ms + limits::AHEAD_MS);
    }

    /// `true`: stop.
    pub(crate) fn answer(&mut self, ask: Ask) -> bool {
        // What was handed over before the question belongs to the answer.
        self.drain_lanes();
        if let Some(replay) = &mut self.replay {
            let due = replay.due(&ask);
            if due > self.number {
                replay.park(due, ask);
                return false;
            }
        }
        match ask {
            Ask::Lane(lane) => self.lanes.push(lane),
            Ask::Store(key, done) => self.wait_for(Some(slot_of(key)), done),
            Ask::StoreAll(done) => self.wait_for(None, done),
            Ask::Forget(org, device, done) => {
                let result = self.settle_pending();
                let is_meant = |key: DeviceKey| device.map_or(key.org == org, |device| device == key);
                self.devices.retain(|_, open| !is_meant(open.key));
                self.samples = self.devices.values().map(OpenDevice::samples).sum();
                self.open_bytes = self.devices.values().map(OpenDevice::held_bytes).sum();
                let _ = done.try_send(result);
            }
            Ask::Latest(key, done) => {
                let open = self.devices.get(&slot_of(key)).map(|open| open.latest(0));
                let _ = done.try_send(Ok(open));
            }
            Ask::Still(job, done) => {
                let result = self.settle_pending().and_then(|()| job());
                let _ = done.try_send(result);
            }
            Ask::Inherit(old, new, done) => {
                let result = self.settle_pending().and_then(|()| self.inherit(old, new));
                let _ = done.try_send(result);
            }
            Ask::Replayed(pieces) => self.listen(pieces),
            Ask::Stop => return true,
        }
        false
    }

    /// What a device wrote under its old key after its record had moved: the newest value of each pin counts.
    fn inherit(&mut self, old: DeviceKey, new: DeviceKey) -> Result<(), Error> {
        let reader = self.inner.reader();
        let before: Latest = match self.devices.get(&slot_of(old)) {
            Some(open) => open.latest(0),
            None => reader.get(&old)?.unwrap_or_default(),
        };
        let mut stored: Latest = reader.get(&new)?.unwrap_or_default();
        for (pin, value) in &before.values {
            if stored.values.get(pin).is_none_or(|known| known.at_ms < value.at_ms) {
                stored.values.insert(*pin, value.clone());
            }
        }
        let mut batch = Batch::new(self.inner.sealing(Sealer::Collector));
        batch.put(&new, &stored)?;
        self.inner.queue.write_patiently(Class::A, batch.writes, None)?;
        if let Some(open) = self.devices.get_mut(&slot_of(new)) {
            let held_bytes = open.held_bytes();
            open.inherit(&before);
            self.open_bytes += open.held_bytes() - held_bytes;
        }
        Ok(())
    }

    fn wait_for(&mut self, slot: Option<u64>, done: OutcomeSender<()>) {
        self.storing.waiters.push(Waiter { slot, number: self.number, done });
    }

    /// Take what lanes hold now; what arrives meanwhile waits for the next round.
    pub(crate) fn drain_lanes(&mut self) {
        let mut lanes = std::mem::take(&mut self.lanes);
        for end in &mut lanes {
            for _ in 0..end.lane.slots() {
                if self.replay.as_ref().is_some_and(Replay::is_stuffed) {
                    break;
                }
                let Ok(points) = end.lane.pop() else { break };
                let mut emptied = self.take(points);
                end.clock.take();
                emptied.clear();
                let _ = end.emptied.push(emptied);
            }
        }
        lanes.retain(|end| !end.lane.is_abandoned() || !end.lane.is_empty());
        lanes.append(&mut self.lanes);
        self.lanes = lanes;
    }

    /// Journal a batch and collect its points, or hold it until the replay is over; memory for the next one.
    fn take(&mut self, points: PointBatch) -> Vec<u8> {
        self.newest += 1;
        self.is_unreadable = false;
        let mut fields = Fields(&points.bytes);
        let mut count = 0;
        while !fields.0.is_empty() {
            let Ok((org, raw, point)) = take_one(points.base_ms, &mut fields) else { break };
            count += 1;
            let is_taken = match &mut self.replay {
                Some(replay) => {
                    replay.note(slot_of(DeviceKey { org, device: point.device }), self.newest);
                    self.is_in_time(&point)
                }
                None => self.collect(self.newest, org, &point),
            };
            if is_taken {
                self.by_org.entry(org.get()).or_default().extend_from_slice(raw);
            }
        }
        let collected = &self.inner.collected;
        collected.points.fetch_add(count, Ordering::Relaxed);
        collected.batches.fetch_add(1, Ordering::Relaxed);
        if self.is_unreadable {
            collected.at_risk.refuse(self.newest, points.begun);
        }
        if let Err(error) = self.journal(&points) {
            tracing::warn!(%error, "a journal batch was not written");
        }
        if let Some(replay) = &mut self.replay {
            replay.hold(self.newest, points);
            return Vec::new();
        }
        self.number = self.newest;
        points.bytes
    }

    const fn is_in_time(&self, point: &Point<'_>) -> bool {
        self.retained_ms.0 <= point.at_ms && point.at_ms <= self.retained_ms.1
    }

    /// `false`: refused.
    pub(crate) fn collect(&mut self, number: u64, org: OrgId, point: &Point<'_>) -> bool {
        let key = DeviceKey { org, device: point.device };
        let slot = slot_of(key);
        if !self.is_in_time(point) {
            self.inner.collected.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let (open, held_bytes) = match self.devices.entry(slot) {
            Entry::Occupied(entry) => {
                let open = entry.into_mut();
                let held_bytes = open.held_bytes();
                (open, held_bytes)
            }
            Entry::Vacant(entry) => match self.inner.open_device(key) {
                Ok(open) => (entry.insert(open), 0),
                Err(error) => {
                    self.inner.collected.refused.fetch_add(1, Ordering::Relaxed);
                    if matches!(error, Error::Erased { .. } | Error::Key { .. }) {
                        tracing::debug!(%error, "a point was refused");
                    } else {
                        self.is_unreadable = true;
                        tracing::error!(%error, "a point was refused");
                    }
                    return false;
                }
            },
        };
        let was_clean = open.dirty_from == 0;
        let before = open.samples();
        open.apply(number, point, &mut self.next_chunk, self.retained_ms.1);
        // A chunk that is stored may have been forgotten: it can have become less.
        self.samples = self.samples + open.samples() - before;
        self.open_bytes += open.held_bytes() - held_bytes;
        if was_clean && open.dirty_from != 0 {
            self.storing.dirty.push_back((number, self.now_ms, slot));
        }
        true
    }

    /// What is open of a device is not needed any more.
    pub(crate) fn close_device(&mut self, slot: u64) {
        if let Some(open) = self.devices.remove(&slot) {
            self.samples -= open.samples();
            self.open_bytes -= open.held_bytes();
        }
    }

    /// Seal and hand over the journal records of the newest number.
    fn journal(&mut self, points: &PointBatch) -> Result<(), Error> {
        let mut batch = Batch::new(self.inner.sealing(Sealer::Collector));
        let (mut is_empty, mut unsealed) = (true, None);
        for (org, raw) in self.by_org.iter_mut().filter(|(_, raw)| !raw.is_empty()) {
            self.record.clear();
            journal::pack(points.base_ms, raw, &mut self.record);
            raw.clear();
            let org = OrgId::new(*org).expect("it came from one");
            match batch.put_sealed(Family::Journal, 0, &journal::key(self.newest, org), &self.record) {
                Ok(()) => is_empty = false,
                Err(error @ (Error::Erased { .. } | Error::Key { .. })) => {
                    tracing::debug!(%error, "points of an organization without a key were refused");
                }
                // No data key could be registered: the points are in memory only.
                Err(error) => unsealed = Some(error),
            }
        }
        if is_empty && unsealed.is_none() {
            return Ok(());
        }
        let (number, at_risk) = (self.newest, self.inner.collected.at_risk.clone());
        at_risk.begin(number, points.begun);
        let done = {
            let (at_risk, is_whole) = (at_risk.clone(), unsealed.is_none());
            move |result: Result<(), Error>| at_risk.done(number, is_whole && result.is_ok())
        };
        if let Some(error) = unsealed.filter(|_| is_empty) {
            done(Ok(()));
            return Err(error);
        }
        let handed = self.inner.queue.write_patiently(Class::C, batch.writes, Some(Box::new(done)));
        handed.inspect_err(|_| at_risk.done(number, false))
    }
}

impl Inner {
    /// A device of an organization that has a key.
    fn open_device(&self, key: DeviceKey) -> Result<OpenDevice, Error> {
        let org = key.org.get();
        if !self.keyring.has_key(org) {
            return Err(Error::Key { reason: format!("organization {org} has no key: add it first") });
        }
        OpenDevice::load(self.reader(), key)
    }
}

/// Organization, the point's bytes as the journal writes them, and the point.
pub(crate) fn take_one<'a>(base_ms: u64, fields: &mut Fields<'a>) -> Result<(OrgId, &'a [u8], Point<'a>), Shape> {
    let org = u32::try_from(fields.varint()?).ok().and_then(OrgId::new).ok_or(Shape)?;
    let raw = fields.0;
    let point = take_point(base_ms, fields)?;
    Ok((org, &raw[..raw.len() - fields.0.len()], point))
}

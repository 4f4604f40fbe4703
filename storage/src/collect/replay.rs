//! The replay of the journal of the last run. Others need not wait for it:
//! - a first pass over the journal notes the last batch of each device; a question about a device waits for that batch
//!   only, and not at all if the journal does not know the device,
//! - what shards write meanwhile is journaled at once and collected behind the replay,
//! - listeners get the values of each device when its last batch is collected.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::collect::ask::Ask;
use crate::collect::collector::{Collector, take_one};
use crate::collect::lane::PointBatch;
use crate::collect::slots::{Slots, slot_of};
use crate::read::reader::broken;
use crate::schema::bytes::{Fields, Shape};
use crate::schema::journal::{self, take_point};
use crate::schema::{DeviceKey, Family, KeyBytes, OrgId};
use crate::{Error, Problem, limits};

/// Waits for all of the journal.
const ALL: u64 = u64::MAX;

/// What is not collected yet.
#[derive(Default)]
pub(crate) struct Replay {
    /// Is the first pass over?
    is_indexed: bool,
    /// Device -> its last batch.
    last: Slots<u64, u64>,
    /// The same by batch; an entry is stale if the device has a later batch.
    order: VecDeque<(u64, u64)>,
    /// Questions, with the batch that they wait for.
    parked: Vec<(u64, Ask)>,
    /// Batches of shards that are journaled and not collected.
    held: VecDeque<(u64, PointBatch)>,
    held_bytes: usize,
}

impl Replay {
    /// Lanes are left alone: what is held has reached its bound.
    pub(crate) fn is_stuffed(&self) -> bool {
        self.held_bytes >= limits::HELD_BYTES
    }

    /// A device has points in this batch.
    pub(crate) fn note(&mut self, slot: u64, number: u64) {
        self.last.insert(slot, number);
    }

    pub(crate) fn hold(&mut self, number: u64, points: PointBatch) {
        self.held_bytes += points.bytes.len();
        self.held.push_back((number, points));
    }

    /// The batch that a question waits for.
    pub(crate) fn due(&self, ask: &Ask) -> u64 {
        match ask {
            Ask::Lane(_) | Ask::Stop | Ask::Replayed(_) => 0,
            Ask::StoreAll(_) | Ask::Still(..) | Ask::Forget(..) | Ask::Inherit(..) => ALL,
            // Lanes may hold more of the device.
            Ask::Store(..) | Ask::Latest(..) if !self.is_indexed || self.is_stuffed() => ALL,
            Ask::Store(key, _) | Ask::Latest(key, _) => self.last.get(&slot_of(*key)).copied().unwrap_or(0),
        }
    }

    pub(crate) fn park(&mut self, due: u64, ask: Ask) {
        self.parked.push((due, ask));
    }

    fn next_held(&mut self) -> Option<(u64, PointBatch)> {
        let (number, points) = self.held.pop_front()?;
        self.held_bytes -= points.bytes.len();
        Some((number, points))
    }

    /// The first pass is over: these are the devices that the journal knows.
    fn index(&mut self, last: Slots<u64, u64>) {
        let mut order: Vec<(u64, u64)> = last.iter().map(|(slot, number)| (*number, *slot)).collect();
        order.sort_unstable();
        self.order = order.into();
        for (slot, number) in last {
            // What shards wrote meanwhile is later.
            self.last.entry(slot).or_insert(number);
        }
        self.is_indexed = true;
        let parked = std::mem::take(&mut self.parked);
        self.parked = parked.into_iter().map(|(_, ask)| (self.due(&ask), ask)).collect();
    }

    /// Is all that the journal and shards have of this device collected?
    pub(crate) fn is_complete(&self, slot: u64) -> bool {
        self.is_indexed && !self.last.contains_key(&slot)
    }

    /// Questions that wait no longer.
    fn ready(&mut self, number: u64) -> Vec<Ask> {
        if !self.parked.iter().any(|(due, _)| *due <= number) {
            return Vec::new();
        }
        let parked = std::mem::take(&mut self.parked);
        let (ready, parked): (Vec<_>, Vec<_>) = parked.into_iter().partition(|(due, _)| *due <= number);
        self.parked = parked;
        ready.into_iter().map(|(_, ask)| ask).collect()
    }

    /// A device whose batches up to this one are all collected.
    fn next_complete(&mut self, number: u64) -> Option<u64> {
        while let Some((due, slot)) = self.order.front().copied().filter(|(due, _)| *due <= number) {
            self.order.pop_front();
            if self.last.get(&slot) == Some(&due) {
                self.last.remove(&slot);
                return Some(slot);
            }
        }
        None
    }
}

impl Collector {
    /// Collect again what the journal holds, and then what was held back meanwhile. `Break`: the store is being closed.
    pub(crate) fn replay(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut result = self.index_journal();
        if matches!(result, Ok(ControlFlow::Continue(()))) {
            result = self.collect_journal();
        }
        if !matches!(result, Ok(ControlFlow::Break(()))) {
            let flow = self.collect_held();
            result = result.and(flow);
        }
        let Some(replay) = self.replay.take() else { return result };
        if matches!(result, Ok(ControlFlow::Break(()))) {
            return result;
        }
        self.number = self.newest;
        for slot in replay.last.into_keys() {
            self.complete(slot);
        }
        for (_, ask) in replay.parked {
            self.answer(ask);
        }
        result
    }

    /// Note each device's last batch: reads and parses all that the replay will collect, which is the lesser part of it.
    fn index_journal(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut last = Slots::<u64, u64>::default();
        let flow = self.each_record(|_, number, org, (base_ms, bytes)| {
            let mut fields = Fields(bytes);
            while !fields.0.is_empty() {
                let device = take_point(base_ms, &mut fields)?.device;
                last.insert(slot_of(DeviceKey { org, device }), number);
            }
            Ok(())
        })?;
        if let Some(replay) = &mut self.replay {
            replay.index(last);
        }
        Ok(flow)
    }

    fn collect_journal(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut points = 0u64;
        let flow = self.each_record(|collector, number, org, (base_ms, bytes)| {
            let mut fields = Fields(bytes);
            while !fields.0.is_empty() {
                let point = take_point(base_ms, &mut fields)?;
                collector.collect(number, org, &point);
                points += 1;
            }
            Ok(())
        })?;
        if points > 0 {
            tracing::info!(points, "the journal was replayed");
        }
        Ok(flow)
    }

    /// What shards have written meanwhile.
    fn collect_held(&mut self) -> Result<ControlFlow<()>, Error> {
        while let Some((number, points)) = self.replay.as_mut().and_then(Replay::next_held) {
            let mut fields = Fields(&points.bytes);
            while let Ok((org, _, point)) = take_one(points.base_ms, &mut fields) {
                self.collect(number, org, &point);
            }
            if self.between(number)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Each record of the journal, opened: its batch, its organization, and its points with the time that they begin at.
    /// Between two batches others get their turn.
    fn each_record(
        &mut self,
        mut take: impl FnMut(&mut Self, u64, OrgId, (u64, &[u8])) -> Result<(), Shape>,
    ) -> Result<ControlFlow<()>, Error> {
        let inner = self.inner.clone();
        let reader = inner.reader();
        let mut current = 0;
        let mut flow = ControlFlow::Continue(());
        // What is journaled from now on is held besides.
        let range = (KeyBytes::EMPTY, Some(KeyBytes::EMPTY.u64(self.first_of_run)));
        reader.scan_once(Family::Journal, range, |key, mut value| {
            let shape = |_: Shape| broken(Family::Journal, key, Problem::Shape);
            let (number, org) = journal::parse_key(key).map_err(shape)?;
            if number != current {
                // All records of the batch before are taken.
                flow = self.between(current)?;
                if flow.is_break() {
                    return Ok(flow);
                }
                current = number;
            }
            let record = match reader.open(Family::Journal, 0, key, &mut value) {
                Ok(record) => record,
                Err(Error::Erased { .. }) => return Ok(ControlFlow::Continue(())),
                Err(error) => return Err(error),
            };
            let (base_ms, bytes) = journal::unpack(record).map_err(shape)?;
            take(self, number, org, (base_ms, &bytes)).map_err(shape)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if flow.is_continue() {
            flow = self.between(current)?;
        }
        Ok(flow)
    }

    /// All batches up to this one are taken: let others have their turn. `Break`: the store is being closed.
    fn between(&mut self, number: u64) -> Result<ControlFlow<()>, Error> {
        self.inner.settings.steps.reach("journal batch taken");
        let is_indexed = self.replay.as_ref().is_some_and(|replay| replay.is_indexed);
        if is_indexed {
            // What is stored now contains these batches, and nothing later.
            self.number = number;
            self.make_room()?;
        }
        while let Ok(ask) = self.asks.try_recv() {
            if self.answer(ask) {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.drain_lanes();
        if !is_indexed {
            return Ok(ControlFlow::Continue(()));
        }
        while let Some(slot) = self.replay.as_mut().and_then(|replay| replay.next_complete(number)) {
            self.complete(slot);
        }
        for ask in self.replay.as_mut().map(|replay| replay.ready(number)).unwrap_or_default() {
            self.answer(ask);
        }
        self.look_at_clock();
        self.advance(self.now_ms);
        self.report_replayed();
        Ok(ControlFlow::Continue(()))
    }

    /// All that the journal holds of a device is collected.
    fn complete(&mut self, slot: u64) {
        if self.devices.get(&slot).is_some_and(|open| !open.is_newer()) {
            // Its stored records have all of it.
            self.close_device(slot);
        } else {
            self.listeners.iter_mut().for_each(|listener| listener.add(slot));
        }
    }
}

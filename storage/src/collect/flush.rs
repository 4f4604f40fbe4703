//! How the collector stores what it has collected: a batch of devices at a time, without waiting for it, so that lanes
//! are emptied meanwhile. The next batch is made when the one before is in, because roll-ups add to what is stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crate::collect::ask::OutcomeSender;
use crate::collect::collector::Collector;
use crate::collect::open_device::OpenDevice;
use crate::collect::slots::Slots;
use crate::schema::chunk::Sample;
use crate::schema::{Family, KeyBytes};
use crate::seal::cipher::{Fresh, Sealer};
use crate::write::batch::{Batch, EncodedWrites};
use crate::write::committer::{Class, Done, waiting};
use crate::{Error, limits};

/// Somebody who waits until a device, or everything, up to a journal batch is stored.
pub(crate) struct Waiter {
    pub(crate) slot: Option<u64>,
    pub(crate) number: u64,
    pub(crate) done: OutcomeSender<()>,
}

/// A batch on its way. It stays here until it is committed: if the disk refuses it, it is handed over again as it is.
struct Pending {
    writes: Arc<EncodedWrites>,
    /// Rotations wait for it.
    _fresh: Option<Arc<Fresh>>,
    result: Option<Receiver<Result<(), Error>>>,
    retry_at: Instant,
}

/// When to try again what the disk refused now.
fn later() -> Instant {
    Instant::now() + Duration::from_millis(limits::STORE_RETRY_MS)
}

/// Organizations that give up their samples, those with most first, until at most `most` are left.
fn who_pays(mut held: Vec<(u32, usize)>, most: usize) -> Vec<u32> {
    held.sort_unstable_by_key(|(org, samples)| (std::cmp::Reverse(*samples), *org));
    let mut left: usize = held.iter().map(|(_, samples)| samples).sum();
    let mut paying = Vec::new();
    for (org, samples) in held {
        if left <= most {
            break;
        }
        left -= samples;
        paying.push(org);
    }
    paying
}

#[derive(Default)]
pub(crate) struct Storing {
    /// Devices in the order in which they got points that are not stored: first batch, when, which. Entries of devices
    /// that were stored out of turn are stale: they name another first batch than the device does.
    pub(crate) dirty: VecDeque<(u64, u64, u64)>,
    /// Devices whose points are all stored, with the hour of their last.
    clean: VecDeque<(u64, u64)>,
    pub(crate) waiters: Vec<Waiter>,
    pending: Option<Pending>,
    /// Why the last attempt failed.
    refused: Option<Error>,
    /// Journal batches below this are deleted.
    trimmed: u64,
    /// False while the journal is being replayed.
    pub(crate) may_trim: bool,
}

impl Storing {
    /// `None`: nothing is on its way. `Err`: it was refused; the answer comes once for each attempt.
    fn poll(&mut self, block: bool) -> Option<Result<(), Error>> {
        let result = self.pending.as_ref()?.result.as_ref()?;
        let result = match (block, result.try_recv()) {
            (_, Ok(result)) => result,
            (_, Err(TryRecvError::Disconnected)) => Err(Error::Closed),
            (true, Err(TryRecvError::Empty)) => result.recv().unwrap_or(Err(Error::Closed)),
            (false, Err(TryRecvError::Empty)) => return None,
        };
        match &result {
            Ok(()) => self.pending = None,
            Err(_) => {
                if let Some(pending) = &mut self.pending {
                    pending.result = None;
                    pending.retry_at = later();
                }
            }
        }
        Some(result)
    }
}

impl Collector {
    fn is_crowded(&self) -> bool {
        self.samples > limits::OPEN_SAMPLES || self.open_bytes > limits::OPEN_BYTES
    }

    /// Do what can be done without waiting.
    pub(crate) fn advance(&mut self, now: u64) {
        let open_bytes = self.open_bytes + self.samples * size_of::<Sample>();
        self.inner.collected.open_bytes.store(open_bytes as u64, Ordering::Relaxed);
        if let Some(result) = self.storing.poll(false) {
            self.stored(&result);
        }
        if let Some(pending) = &self.storing.pending {
            if pending.result.is_none() {
                if Instant::now() >= pending.retry_at {
                    self.hand_over();
                } else if let Some(error) = self.storing.refused.clone() {
                    self.release_waiters(&error);
                }
            }
            return;
        }
        self.answer_waiters();
        let chosen = self.choose(now);
        if chosen.is_empty() {
            self.evict(now);
        } else {
            self.store(&chosen);
        }
    }

    /// A batch is in, or was refused.
    fn stored(&mut self, result: &Result<(), Error>) {
        match result {
            Ok(()) => {
                self.storing.refused = None;
                self.trim();
                self.answer_waiters();
            }
            Err(error) => {
                if self.storing.refused.replace(error.clone()).is_none() {
                    tracing::warn!(%error, "collected points are not stored yet: they stay in memory and in the journal");
                }
                self.release_waiters(error);
                if self.samples > 2 * limits::OPEN_SAMPLES {
                    self.give_up();
                }
            }
        }
    }

    /// Memory is full of points that nothing can be stored of: the organizations that hold most give up their raw points.
    fn give_up(&mut self) {
        let mut held: Slots<u32, usize> = Slots::default();
        for open in self.devices.values() {
            *held.entry(open.key.org.get()).or_default() += open.samples();
        }
        let paying = who_pays(held.into_iter().collect(), limits::OPEN_SAMPLES);
        let open = self.devices.values_mut().filter(|open| paying.contains(&open.key.org.get()));
        let given_up: usize = open.map(OpenDevice::coalesce).sum();
        self.samples -= given_up;
        self.inner.collected.given_up.fetch_add(given_up as u64, Ordering::Relaxed);
    }

    /// Nothing can be stored now. Reads go on with what is stored; who wants it all stored must know.
    fn release_waiters(&mut self, error: &Error) {
        for waiter in self.storing.waiters.drain(..) {
            let may_read = waiter.slot.is_some() && matches!(error, Error::Full { .. });
            let _ = waiter.done.try_send(if may_read { Ok(()) } else { Err(error.clone()) });
        }
    }

    /// The first journal batch with points that are not stored.
    fn first_dirty(&mut self) -> Option<u64> {
        while let Some((number, _, slot)) = self.storing.dirty.front() {
            if self.devices.get(slot).is_some_and(|open| open.dirty_from == *number) {
                return Some(*number);
            }
            self.storing.dirty.pop_front();
        }
        None
    }

    fn answer_waiters(&mut self) {
        let first = self.first_dirty().unwrap_or(u64::MAX);
        let devices = &self.devices;
        self.storing.waiters.retain(|waiter| {
            let dirty_from = match waiter.slot {
                Some(slot) => devices.get(&slot).map_or(0, |open| open.dirty_from),
                None => first,
            };
            let is_dirty = dirty_from != 0 && dirty_from <= waiter.number;
            if !is_dirty {
                let _ = waiter.done.try_send(Ok(()));
            }
            is_dirty
        });
    }

    /// Devices for the next batch: those that somebody waits for, then those that have waited longest.
    fn choose(&mut self, now: u64) -> Vec<u64> {
        let waited: Vec<u64> =
            self.storing.waiters.iter().filter_map(|waiter| waiter.slot).take(limits::STORE_DEVICES).collect();
        if !waited.is_empty() {
            return waited;
        }
        self.first_dirty();
        let all = self.is_crowded() || !self.storing.waiters.is_empty() || self.inner.collected.at_risk.has_failed();
        // Half of the time that the journal retains a point, so that storing itself has the other half.
        let before = now.saturating_sub(limits::JOURNAL_RETAIN_MS / 2);
        let due = self.storing.dirty.iter().take_while(|(_, since, _)| all || *since < before);
        let is_dirty = |(number, _, slot): &&(u64, u64, u64)| {
            self.devices.get(slot).is_some_and(|open| open.dirty_from == *number)
        };
        due.filter(is_dirty).take(limits::STORE_DEVICES).map(|(.., slot)| *slot).collect()
    }

    /// Make a batch of these devices, or of as many as fit, and hand it over. A device's records are pieces of one
    /// truth: a batch is cut between devices only.
    fn store(&mut self, slots: &[u64]) {
        let up_to = self.number;
        let mut batch = Batch::without_limit(self.inner.sealing(Sealer::Collector));
        for slot in slots {
            if batch.len_bytes() >= limits::STORE_BYTES {
                break;
            }
            let Some(open) = self.devices.get_mut(slot).filter(|open| open.dirty_from != 0) else { continue };
            let (before, mark) = (open.samples(), batch.mark());
            if let Err(error) = open.store(self.inner.reader(), up_to, &mut batch) {
                // The organization is gone and its points with it; or a record that they belong to is damaged.
                if !matches!(error, Error::Erased { .. } | Error::Key { .. }) {
                    tracing::error!(%error, points = before, "points of a device could not be stored");
                }
                let refused = &self.inner.collected.refused;
                refused.fetch_add(before as u64, Ordering::Relaxed);
                batch.rewind(mark);
                self.close_device(*slot);
                continue;
            }
            open.stored(up_to);
            self.samples -= before - open.samples();
            if let Some(hour) = open.newly_clean() {
                self.storing.clean.push_back((hour, *slot));
            }
        }
        if batch.is_empty() {
            self.answer_waiters();
            return;
        }
        let Batch { writes, sealing, .. } = batch;
        // If the disk is full, the commit reports it.
        if self.inner.space.check().is_ok()
            && let Err(error) = writes.make_partitions(&self.inner.rocks)
        {
            tracing::warn!(%error, "a partition of history could not be made yet");
        }
        self.storing.pending =
            Some(Pending { writes: Arc::new(writes), _fresh: sealing.into_epoch(), result: None, retry_at: later() });
        self.hand_over();
    }

    fn hand_over(&mut self) {
        let Some(pending) = &mut self.storing.pending else { return };
        let (done, result) = waiting();
        let waker = std::thread::current();
        let done = move |outcome| {
            done(outcome);
            waker.unpark();
        };
        // Not synced: the journal still holds the points, and it is trimmed behind this in the same log.
        match self.inner.queue.write_patiently(Class::B, pending.writes.clone(), Some(Box::new(done))) {
            Ok(()) => pending.result = Some(result),
            Err(error) => {
                // The committing thread is gone: whoever waits must know.
                pending.retry_at = later();
                self.stored(&Err(error));
            }
        }
    }

    /// Forget devices that have nothing to store and whose hour is over; when memory is short, whatever the hour.
    fn evict(&mut self, now: u64) {
        let is_crowded = self.is_crowded();
        for _ in 0..limits::STORE_DEVICES {
            let Some((hour, slot)) = self.storing.clean.front().copied() else { return };
            if hour >= now / limits::CHUNK_SPAN_MS && !is_crowded {
                return;
            }
            self.storing.clean.pop_front();
            let Some(open) = self.devices.get_mut(&slot) else { continue };
            if open.may_go(hour) {
                if self.replay.is_some() {
                    self.forgotten.push(slot);
                }
                self.close_device(slot);
            }
        }
    }

    /// Delete journal batches whose points are all stored.
    fn trim(&mut self) {
        let bound = self.first_dirty().unwrap_or(self.number + 1);
        let at_risk = Arc::clone(&self.inner.collected.at_risk);
        let waits = at_risk.waits();
        if !self.storing.may_trim || (bound <= self.storing.trimmed && !waits) {
            return;
        }
        let mut writes = EncodedWrites::default();
        let key = |number: u64| KeyBytes::EMPTY.u64(number);
        let from = self.storing.trimmed.min(bound);
        writes.delete_range(Family::Journal, 0, key(from).as_ref(), key(bound).as_ref());
        // What the journal did not take is at risk until this is on the disk, behind what stores it in the same log.
        let is_stored = move |result: Result<(), Error>| {
            if result.is_ok() {
                at_risk.stored_below(bound);
            }
        };
        let (class, done): (Class, Option<Done>) =
            if waits { (Class::C, Some(Box::new(is_stored))) } else { (Class::B, None) };
        if self.inner.queue.write_patiently(class, writes, done).is_ok() {
            self.storing.trimmed = self.storing.trimmed.max(bound);
        }
    }

    /// Wait for what is on its way.
    pub(crate) fn settle_pending(&mut self) -> Result<(), Error> {
        while self.storing.pending.is_some() {
            if self.storing.pending.as_ref().is_some_and(|pending| pending.result.is_none()) {
                self.hand_over();
            }
            if let Some(result) = self.storing.poll(true) {
                self.stored(&result);
                result?;
            } else {
                return Err(Error::Closed);
            }
        }
        Ok(())
    }

    /// While a journal is replayed: store until memory holds the rest.
    pub(crate) fn make_room(&mut self) -> Result<(), Error> {
        while self.is_crowded() {
            self.settle_pending()?;
            let before = (self.samples, self.open_bytes);
            let chosen = self.choose(self.now_ms);
            self.store(&chosen);
            self.settle_pending()?;
            self.evict(self.now_ms);
            if (self.samples, self.open_bytes) == before && chosen.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Store everything and wait for it.
    pub(crate) fn store_rest(&mut self) -> Result<(), Error> {
        self.settle_pending()?;
        while self.first_dirty().is_some() {
            let rest: Vec<u64> =
                self.storing.dirty.iter().take(limits::STORE_DEVICES).map(|(.., slot)| *slot).collect();
            self.store(&rest);
            self.settle_pending()?;
        }
        for waiter in self.storing.waiters.drain(..) {
            let _ = waiter.done.try_send(Ok(()));
        }
        self.trim();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::who_pays;

    #[test]
    fn who_holds_most_gives_up_first() {
        let held = || vec![(1, 5), (2, 900), (3, 40), (4, 900)];
        assert!(who_pays(held(), 2_000).is_empty());
        assert_eq!(who_pays(held(), 1_000), [2]);
        assert_eq!(who_pays(held(), 500), [2, 4]);
        assert_eq!(who_pays(held(), 0), [2, 4, 3, 1]);
    }
}

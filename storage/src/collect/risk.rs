//! Telemetry that a power cut would lose now: its age is a figure that operators watch.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits;

#[derive(Clone, Copy, Debug)]
struct Batch {
    begun: Instant,
    /// The disk did not take it: it stays at risk until its points are stored another way.
    has_failed: bool,
}

/// Slots for every batch that is in a lane, being filled or being taken.
const SLOTS: usize = limits::JOURNAL_LANE + 2;

/// When the batches of one lane were begun, without a lock: the shard counts those it begins, the collector those it
/// takes, anybody reads.
#[derive(Debug)]
pub(crate) struct LaneClock {
    base: Instant,
    /// us since the base.
    begun_us: [AtomicU64; SLOTS],
    begun: AtomicU64,
    taken: AtomicU64,
}

impl Default for LaneClock {
    fn default() -> Self {
        let begun_us = std::array::from_fn(|_| AtomicU64::new(0));
        Self { base: Instant::now(), begun_us, begun: AtomicU64::new(0), taken: AtomicU64::new(0) }
    }
}

impl LaneClock {
    /// The shard writes the first point of a batch.
    pub(crate) fn begin(&self, now: Instant) {
        let number = self.begun.load(Ordering::Relaxed);
        let since_us = now.saturating_duration_since(self.base).as_micros() as u64;
        self.begun_us[number as usize % SLOTS].store(since_us, Ordering::Relaxed);
        self.begun.store(number + 1, Ordering::Release);
    }

    /// The collector has taken a batch.
    pub(crate) fn take(&self) {
        self.taken.fetch_add(1, Ordering::Release);
    }

    fn oldest(&self) -> Option<Instant> {
        let taken = self.taken.load(Ordering::Acquire);
        let is_waiting = taken < self.begun.load(Ordering::Acquire);
        let since_us = self.begun_us[taken as usize % SLOTS].load(Ordering::Relaxed);
        is_waiting.then(|| self.base + Duration::from_micros(since_us))
    }
}

/// Batches that are not on the disk yet: those in lanes, and those that were taken, by number.
#[derive(Debug, Default)]
pub(crate) struct AtRisk {
    lanes: Mutex<Vec<Arc<LaneClock>>>,
    batches: Mutex<BTreeMap<u64, Batch>>,
    failed: AtomicU64,
    /// The newest batch with points that were refused because their device cannot be read, and when the first of these was begun.
    unreadable: Mutex<Option<(u64, Instant)>>,
}

impl AtRisk {
    fn with<T>(&self, edit: impl FnOnce(&mut BTreeMap<u64, Batch>) -> T) -> T {
        edit(&mut self.batches.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A lane whose batches count from now on, until its shard has let go of it.
    pub(crate) fn watch(&self, clock: Arc<LaneClock>) {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|known| Arc::strong_count(known) > 1);
        lanes.push(clock);
    }

    pub(crate) fn begin(&self, number: u64, begun: Instant) {
        self.with(|batches| batches.insert(number, Batch { begun, has_failed: false }));
    }

    /// The journal's batch is synced, or was refused.
    pub(crate) fn done(&self, number: u64, is_synced: bool) {
        if !is_synced {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.with(|batches| {
            if is_synced {
                batches.remove(&number);
            } else if let Some(batch) = batches.get_mut(&number) {
                batch.has_failed = true;
            }
        });
    }

    /// Points of a batch were refused, because what is stored of their device cannot be read: by a damaged record, or by a disk
    /// that is gone. Until the disk has taken something since, nobody knows which.
    pub(crate) fn refuse(&self, number: u64, begun: Instant) {
        let mut unreadable = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = unreadable.map_or(begun, |(_, first)| first.min(begun));
        *unreadable = Some((number, begun));
    }

    /// All points of batches below this number are stored.
    pub(crate) fn stored_below(&self, number: u64) {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(newest, _)| *newest < number);
        self.with(|batches| batches.retain(|at, batch| *at >= number || !batch.has_failed));
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.with(|batches| batches.values().any(|batch| batch.has_failed))
    }

    /// Must somebody say when what is stored now is on the disk?
    pub(crate) fn waits(&self) -> bool {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).is_some() || self.has_failed()
    }

    /// How many batches the disk did not take since the start.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Age of the oldest, ms; 0 if there is none.
    pub(crate) fn oldest_ms(&self) -> u64 {
        // Lanes first: a batch leaves its lane after it is among the others, and must be seen in one of both.
        let open = {
            let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            // A clock that only this list holds is of a lane that is gone.
            let open = lanes.iter().filter(|clock| Arc::strong_count(clock) > 1);
            open.filter_map(|clock| clock.oldest()).min()
        };
        let taken = self.with(|batches| batches.values().map(|batch| batch.begun).min());
        let refused = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner).map(|(_, begun)| begun);
        open.into_iter().chain(taken).chain(refused).min().map_or(0, |begun| begun.elapsed().as_millis() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_in_lanes_count_from_their_first_point() {
        let (risk, clock) = (AtRisk::default(), Arc::new(LaneClock::default()));
        risk.watch(clock.clone());
        assert_eq!(risk.oldest_ms(), 0);
        let begun = clock.base;
        for _ in 0..SLOTS * 3 {
            clock.begin(begun);
            std::thread::sleep(Duration::from_micros(100));
            let before_ms = begun.elapsed().as_millis() as u64;
            assert!(risk.oldest_ms() >= before_ms);
            clock.take();
            assert_eq!(risk.oldest_ms(), 0);
        }
        clock.begin(begun);
        drop(clock);
        assert_eq!(risk.oldest_ms(), 0, "its lane is gone");
    }

    /// A batch that goes from its lane to those that wait for the disk is at risk all the way.
    #[test]
    fn a_batch_on_its_way_is_never_out_of_sight() {
        const OVER: u64 = u64::MAX;
        let (risk, clock) = (AtRisk::default(), Arc::new(LaneClock::default()));
        risk.watch(clock.clone());
        // A clock counts from its base: what began then is as old as the clock.
        let begin = clock.base;
        std::thread::sleep(Duration::from_millis(2));
        let (begun, seen) = (AtomicU64::new(0), AtomicU64::new(0));
        let wait_for = |count: &AtomicU64, number| {
            while count.load(Ordering::SeqCst) < number {
                std::thread::yield_now();
            }
        };
        let youngest_ms = std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1.. {
                    clock.begin(begin);
                    begun.store(number, Ordering::SeqCst);
                    risk.begin(number, begin);
                    clock.take();
                    wait_for(&seen, number);
                    if seen.load(Ordering::SeqCst) == OVER {
                        return;
                    }
                    risk.done(number, true);
                }
            });
            let mut youngest_ms = u64::MAX;
            for number in 1.. {
                wait_for(&begun, number);
                youngest_ms = youngest_ms.min(risk.oldest_ms());
                let is_over = begin.elapsed() > Duration::from_millis(300);
                seen.store(if is_over { OVER } else { number }, Ordering::SeqCst);
                if is_over {
                    break;
                }
            }
            youngest_ms
        });
        assert!(youngest_ms >= 2, "{youngest_ms} ms");
    }

    #[test]
    fn what_failed_stays_until_it_is_stored() {
        let risk = AtRisk::default();
        let long_ago = Instant::now() - Duration::from_secs(9);
        risk.begin(1, long_ago);
        risk.begin(2, Instant::now());
        assert!(risk.oldest_ms() >= 9_000);
        risk.done(2, true);
        risk.done(1, false);
        assert!(risk.has_failed() && risk.failed() == 1 && risk.oldest_ms() >= 9_000);
        risk.stored_below(1);
        assert!(risk.has_failed());
        risk.stored_below(2);
        assert!(!risk.has_failed() && risk.oldest_ms() == 0);
    }

    #[test]
    fn what_cannot_be_read_is_at_risk_until_something_is_stored_since() {
        let risk = AtRisk::default();
        risk.refuse(7, Instant::now() - Duration::from_secs(9));
        risk.refuse(8, Instant::now());
        risk.stored_below(8);
        assert!(risk.oldest_ms() >= 9_000 && risk.waits());
        assert!(!risk.has_failed(), "one damaged record does not make all others be stored");
        risk.stored_below(9);
        assert!(risk.oldest_ms() == 0 && !risk.waits());
    }
}

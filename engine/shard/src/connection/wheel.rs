//! The timer wheel: one entry a connection, 8 bytes each, set lazily by its owner.
//!
//! A message does not move the entry of its connection; the owner looks at the true deadline when the entry is due and
//! sets it again. So a million heartbeats cost one look per heartbeat and connection, not one per message.

use linchpin_protocol::model::Millis;

use crate::Slot;
use crate::limits::{WHEEL_SLOTS, WHEEL_TICK_MS};

/// Links of one entry or of the head of a list; the lists are circular.
#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    prev: u32,
}

const _: () = assert!(size_of::<Link>() == crate::limits::TIMER_BYTES);

/// See the module's page.
pub(crate) struct Wheel {
    /// Heads of the `WHEEL_SLOTS` lists, then the entries by connection slot.
    links: Vec<Link>,
    /// Which lists are not empty.
    occupied: [u64; WHEEL_SLOTS / 64],
    /// The tick up to which everything was expired.
    done: u64,
}

impl std::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wheel").field("done", &self.done).field("entries", &(self.links.len() - WHEEL_SLOTS)).finish()
    }
}

const MASK: u64 = WHEEL_SLOTS as u64 - 1;

impl Wheel {
    /// Empty, at `now`, with room for so many connections without moving; memory is used as slots are used.
    pub(crate) fn new(now: Millis, slots: usize) -> Self {
        let mut links = Vec::with_capacity(WHEEL_SLOTS + slots);
        links.extend((0..WHEEL_SLOTS as u32).map(|head| Link { next: head, prev: head }));
        Self { links, occupied: [0; WHEEL_SLOTS / 64], done: now.0 / WHEEL_TICK_MS }
    }

    /// Insert or move an entry. It is due in the tick after `at`, or earlier if `at` lies beyond the wheel's horizon.
    pub(crate) fn set(&mut self, slot: Slot, at: Millis) {
        let entry = WHEEL_SLOTS + slot.index();
        while self.links.len() <= entry {
            let own = self.links.len() as u32;
            self.links.push(Link { next: own, prev: own });
        }
        self.unlink(entry);
        let tick = (at.0.div_ceil(WHEEL_TICK_MS)).clamp(self.done + 1, self.done + MASK);
        let head = (tick & MASK) as usize;
        let last = self.links[head].prev;
        self.links[entry] = Link { next: head as u32, prev: last };
        self.links[last as usize].next = entry as u32;
        self.links[head].prev = entry as u32;
        self.occupied[head / 64] |= 1 << (head % 64);
    }

    /// Remove an entry, if there is one.
    pub(crate) fn clear(&mut self, slot: Slot) {
        let entry = WHEEL_SLOTS + slot.index();
        if entry < self.links.len() {
            self.unlink(entry);
        }
    }

    /// Does the connection have an entry?
    pub(crate) fn is_set(&self, slot: Slot) -> bool {
        let entry = WHEEL_SLOTS + slot.index();
        self.links.get(entry).is_some_and(|link| link.next as usize != entry)
    }

    /// Unlink what is due at `now` and append it to `out`, at most `budget` entries; the next call goes on from there.
    pub(crate) fn expire(&mut self, now: Millis, budget: usize, out: &mut Vec<Slot>) {
        let end = out.len() + budget;
        let target = now.0 / WHEEL_TICK_MS;
        // After a long pause every list is due once; the ticks between need not be walked.
        if target > self.done + MASK {
            self.done = self.done.max(target - MASK - 1);
        }
        while self.done < target {
            let head = ((self.done + 1) & MASK) as usize;
            while self.links[head].next as usize != head {
                if out.len() >= end {
                    return;
                }
                let entry = self.links[head].next as usize;
                self.unlink(entry);
                out.push(Slot((entry - WHEEL_SLOTS) as u32));
            }
            self.done += 1;
        }
    }

    /// The earliest time at which [`Wheel::expire`] yields something; `None` when nothing is set.
    pub(crate) fn next(&self) -> Option<Millis> {
        let first = self.done + 1;
        let start = (first & MASK) as usize;
        for step in 0..=self.occupied.len() {
            let word = (start / 64 + step) % self.occupied.len();
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= !0 << (start % 64);
            } else if step == self.occupied.len() {
                bits &= (1 << (start % 64)) - 1;
            }
            if bits != 0 {
                let head = word as u64 * 64 + u64::from(bits.trailing_zeros());
                return Some(Millis((first + (head.wrapping_sub(start as u64) & MASK)) * WHEEL_TICK_MS));
            }
        }
        None
    }

    fn unlink(&mut self, entry: usize) {
        let Link { next, prev } = self.links[entry];
        self.links[prev as usize].next = next;
        self.links[next as usize].prev = prev;
        self.links[entry] = Link { next: entry as u32, prev: entry as u32 };
        // The list is empty when its head points to itself; only then `next` and `prev` are both that head.
        if next == prev && (next as usize) < WHEEL_SLOTS {
            self.occupied[next as usize / 64] &= !(1 << (next % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Set(u32, u64),
        Clear(u32),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u32..40, 0u64..90_000).prop_map(|(s, d)| Step::Set(s, d)),
            (0u32..40).prop_map(Step::Clear),
            prop_oneof![0u64..200, 0u64..200_000].prop_map(Step::Pass),
        ]
    }

    proptest! {
        /// Against a plain map: nothing early by more than the horizon explains, nothing late by more than a tick, and
        /// `next` never later than the first due entry.
        #[test]
        fn behaves_like_a_sorted_map(steps in proptest::collection::vec(step(), 1..120)) {
            let horizon_ms = MASK * WHEEL_TICK_MS;
            let mut now = 5_000u64;
            let mut wheel = Wheel::new(Millis(now), 0);
            let mut model: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
            let mut out = Vec::new();
            for step in steps {
                match step {
                    Step::Set(slot, delay) => {
                        wheel.set(Slot(slot), Millis(now + delay));
                        model.insert(slot, (now + delay, now));
                    }
                    Step::Clear(slot) => {
                        wheel.clear(Slot(slot));
                        model.remove(&slot);
                    }
                    Step::Pass(ms) => {
                        now += ms;
                        out.clear();
                        wheel.expire(Millis(now), usize::MAX >> 1, &mut out);
                        for slot in &out {
                            let (at, set_at) = model.remove(&slot.0).expect("only what was set expires");
                            let beyond = at - set_at >= horizon_ms - WHEEL_TICK_MS;
                            prop_assert!(at <= now || beyond, "{slot:?} due at {at} came at {now}");
                        }
                        for (slot, (at, _)) in &model {
                            prop_assert!(*at + 2 * WHEEL_TICK_MS > now, "{slot} due at {at} still waits at {now}");
                        }
                    }
                }
                for slot in 0..40 {
                    prop_assert_eq!(wheel.is_set(Slot(slot)), model.contains_key(&slot));
                }
                prop_assert_eq!(wheel.next().is_none(), model.is_empty());
                if let (Some(next), Some(first)) = (wheel.next(), model.values().map(|v| v.0).min()) {
                    prop_assert!(next.0 <= first.max(now) + 2 * WHEEL_TICK_MS);
                    out.clear();
                }
            }
        }
    }

    #[test]
    fn a_budget_is_kept_and_the_rest_comes_next() {
        let mut wheel = Wheel::new(Millis(0), 0);
        for slot in 0..100 {
            wheel.set(Slot(slot), Millis(64));
        }
        let mut out = Vec::new();
        wheel.expire(Millis(1_000), 30, &mut out);
        assert_eq!(out.len(), 30);
        assert!(wheel.next().expect("70 wait") <= Millis(1_000));
        wheel.expire(Millis(1_000), 1_000, &mut out);
        assert_eq!(out.len(), 100);
        assert_eq!(wheel.next(), None);
    }
}

//! Letters between shards: one bounded lane a pair, and a bounded outbox behind each for the moments when it is full.

use std::collections::VecDeque;

use linchpin_driver::Waker;
use linchpin_shard::{Parcel, ShardId};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::limits::{LANE_LETTERS, LANE_LETTERS_MIN, LANES_BYTES, LETTERS_PER_TICK, OUTBOX_LETTERS};

/// Letters in each of the lanes between so many shards: all lanes together stay within their budget.
fn lane_letters(shards: usize) -> usize {
    let lanes = (shards * shards.saturating_sub(1)).max(1);
    (LANES_BYTES / size_of::<Parcel>() / lanes).clamp(LANE_LETTERS_MIN, LANE_LETTERS)
}

/// One shard's ends of all its lanes.
pub(crate) struct Lanes {
    own: ShardId,
    to: Vec<Option<Producer<Parcel>>>,
    from: Vec<Option<Consumer<Parcel>>>,
    outbox: Vec<VecDeque<Parcel>>,
    /// Shards that got letters in this tick.
    touched: Vec<bool>,
    wakers: Vec<Waker>,
}

impl Lanes {
    /// The lanes of all shards. A lane's memory is reserved here and used when its first letters pass.
    pub(crate) fn all(shards: u16) -> Vec<Self> {
        let count = usize::from(shards);
        let letters = lane_letters(count);
        let mut all: Vec<Self> = (0..shards).map(|own| Self::none(ShardId(own), count)).collect();
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                let (producer, consumer) = RingBuffer::new(letters);
                all[from].to[to] = Some(producer);
                all[to].from[from] = Some(consumer);
            }
        }
        all
    }

    fn none(own: ShardId, count: usize) -> Self {
        Self {
            own,
            to: (0..count).map(|_| None).collect(),
            from: (0..count).map(|_| None).collect(),
            outbox: (0..count).map(|_| VecDeque::new()).collect(),
            touched: vec![false; count],
            wakers: Vec::new(),
        }
    }

    /// How to wake each shard, in their order.
    pub(crate) fn set_wakers(&mut self, wakers: Vec<Waker>) {
        self.wakers = wakers;
    }

    /// Send a letter; given back when lane and outbox are full.
    pub(crate) fn send(&mut self, to: ShardId, letter: Parcel) -> Result<(), Parcel> {
        debug_assert_ne!(to, self.own, "a shard does not write to itself");
        let at = to.index();
        self.touched[at] = true;
        let letter = if self.outbox[at].is_empty() {
            let Some(lane) = &mut self.to[at] else { return Err(letter) };
            match lane.push(letter) {
                Ok(()) => return Ok(()),
                Err(rtrb::PushError::Full(letter)) => letter,
            }
        } else {
            letter
        };
        // Behind those that wait already: letters of one pair stay in order.
        if self.outbox[at].len() >= OUTBOX_LETTERS {
            return Err(letter);
        }
        self.outbox[at].push_back(letter);
        Ok(())
    }

    /// Move waiting letters into their lanes and wake whoever got some.
    pub(crate) fn deliver(&mut self) {
        for at in 0..self.to.len() {
            if let Some(lane) = &mut self.to[at] {
                while !lane.is_full()
                    && let Some(letter) = self.outbox[at].pop_front()
                {
                    self.touched[at] = true;
                    // It is not full, and nobody else pushes.
                    let _ = lane.push(letter);
                }
            }
            if std::mem::take(&mut self.touched[at])
                && let Some(waker) = self.wakers.get(at)
            {
                waker.wake_if_asleep();
            }
        }
    }

    /// Is there anything to do for this shard? Letters that wait for a full lane are not: [`Lanes::receive`] of the shard
    /// that empties it wakes this one, which must not spin on a core that the other may need.
    pub(crate) fn has_work(&self) -> bool {
        self.from.iter().flatten().any(|lane| !lane.is_empty())
            || self
                .to
                .iter()
                .zip(&self.outbox)
                .any(|(lane, outbox)| !outbox.is_empty() && lane.as_ref().is_some_and(|lane| !lane.is_full()))
    }

    /// Letters that have not been taken by their shards.
    pub(crate) fn depth(&self) -> u64 {
        let in_lanes: usize = self.to.iter().flatten().map(|lane| lane.buffer().capacity() - lane.slots()).sum();
        (in_lanes + self.outbox.iter().map(VecDeque::len).sum::<usize>()) as u64
    }

    /// Take what has come, lane by lane. Whoever may wait for room in a lane is woken: it sleeps only while the lane is
    /// full, so this takes at least half of a lane after it.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(ShardId, Parcel)) {
        for (at, lane) in self.from.iter_mut().enumerate() {
            let Some(lane) = lane else { continue };
            let mut taken = 0;
            while taken < LETTERS_PER_TICK {
                let Ok(letter) = lane.pop() else { break };
                take(ShardId(at as u16), letter);
                taken += 1;
            }
            if taken >= lane.buffer().capacity() / 2
                && let Some(waker) = self.wakers.get(at)
            {
                waker.wake_if_asleep();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use linchpin_driver::{Driver, Options, Wait};

    use linchpin_shard::{LocalLetter, MoveId};

    use super::*;

    /// Parcels carry keys, so they are compared by what they show.
    fn words(letter: &Parcel) -> String {
        format!("{letter:?}")
    }

    fn letter(n: u64) -> Parcel {
        LocalLetter::MoveRevoked { id: MoveId(n) }.into()
    }

    #[test]
    fn lanes_of_many_shards_stay_within_the_budget() {
        assert_eq!(lane_letters(1), LANE_LETTERS);
        assert_eq!(lane_letters(8), LANE_LETTERS);
        for shards in 2..=usize::from(crate::limits::SHARDS) {
            let bytes = shards * (shards - 1) * lane_letters(shards) * size_of::<Parcel>();
            assert!(bytes <= LANES_BYTES, "{shards} shards reserve {bytes} bytes");
        }
    }

    #[test]
    fn letters_stay_in_order_through_a_full_lane() {
        let mut lanes = Lanes::all(2);
        let (mut b, mut a) = (lanes.pop().expect("two"), lanes.pop().expect("two"));
        let total = (LANE_LETTERS + OUTBOX_LETTERS) as u64;
        for n in 0..total {
            a.send(ShardId(1), letter(n)).expect("fits");
        }
        let refused = a.send(ShardId(1), letter(total)).expect_err("no room");
        assert_eq!(words(&refused), words(&letter(total)), "both are full: the letter comes back");
        a.deliver();
        assert!(!a.has_work(), "the lane is full: nothing to do until the other shard has taken some");
        let mut next = 0;
        while b.has_work() {
            b.receive(|from, got| {
                assert_eq!((from, words(&got)), (ShardId(0), words(&letter(next))));
                next += 1;
            });
            assert_eq!(a.has_work(), next < total, "there is room for those that wait");
            a.deliver();
        }
        assert_eq!(next, total);
        assert!(!a.has_work());
    }

    /// Sleep as a shard does that has nothing to do but wait for letters, or for room.
    fn sleep(driver: &mut Driver, lanes: &Lanes) {
        let (begun, most) = (Instant::now(), Duration::from_secs(60));
        driver.poll(Wait::Until(most), &mut || lanes.has_work(), &mut |_| {}).expect("polls");
        assert!(begun.elapsed() < most, "nobody woke the shard");
    }

    #[test]
    fn two_shards_that_sleep_pass_every_letter_once() {
        const LETTERS: u64 = 200_000;
        let mut lanes = Lanes::all(2);
        let (mut b, mut a) = (lanes.pop().expect("two"), lanes.pop().expect("two"));
        let open = || Driver::open(&Options { connections: 4, ..Options::default() }).expect("opens");
        let mut of_a = open();
        let (waker_of_a, (tell, told)) = (of_a.waker(), mpsc::channel());
        let reader = std::thread::spawn(move || {
            let mut of_b = open();
            tell.send(of_b.waker()).expect("the other thread waits");
            b.set_wakers(vec![waker_of_a, of_b.waker()]);
            let mut next = 0;
            while next < LETTERS {
                sleep(&mut of_b, &b);
                b.receive(|_, got| {
                    assert_eq!(words(&got), words(&letter(next)));
                    next += 1;
                });
            }
        });
        a.set_wakers(vec![of_a.waker(), told.recv().expect("the other thread tells")]);
        // Sleeps for room, again and again.
        let mut n = 0;
        loop {
            while n < LETTERS && a.send(ShardId(1), letter(n)).is_ok() {
                n += 1;
            }
            a.deliver();
            if a.outbox[1].is_empty() {
                break;
            }
            sleep(&mut of_a, &a);
        }
        assert_eq!(n, LETTERS);
        reader.join().expect("every letter came once and in order");
    }
}

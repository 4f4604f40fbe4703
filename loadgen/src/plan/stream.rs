//! A sequence of acts of one kind in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use super::{Act, Intended, Profile, WorkerPart};
use crate::scenario::Arrival;

#[derive(Debug)]
enum Timing {
    /// A rate times the load of the moment: so many acts each unit of load and second.
    Rated { profile: Profile, rate: f64 },
    /// So many acts over a stretch of time.
    Window { start_ns: u64, len_ns: u64, count: u64 },
}

/// A sequence of acts. The devices take turns in an order of their own, the same in every turn: with a rate of
/// `devices / period` each device acts once a period, at a moment of its own.
#[derive(Debug)]
pub(crate) struct Stream {
    act: Act,
    devices: Vec<u32>,
    timing: Timing,
    arrival: Arrival,
    jitter_ns: u64,
    random: Pcg64Mcg,
    /// Where the first act comes, in distances of two.
    first: f64,
    /// Acts begun, and for Poisson the sum of their distances.
    count: u64,
    position: f64,
    /// The next one before its jitter; `None`: the end was reached.
    base: Option<(u64, u32)>,
    /// Those whose jitter moved them behind others.
    delayed: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Stream {
    /// Acts at a rate.
    pub(crate) fn rated(
        act: Act,
        devices: Range<u32>,
        profile: Profile,
        rate: f64,
        part: WorkerPart,
        random: &mut Pcg64Mcg,
    ) -> Self {
        // Workers take turns within the distance of two acts.
        let position = (f64::from(part.worker) + 0.5) / f64::from(part.workers);
        Self::new(act, devices, Timing::Rated { profile, rate }, position, random)
    }

    /// `count` acts, spread over `len_ns` from `start_ns`.
    pub(crate) fn window(act: Act, devices: Range<u32>, window: (u64, u64, u64), random: &mut Pcg64Mcg) -> Self {
        let (start_ns, len_ns, count) = window;
        Self::new(act, devices, Timing::Window { start_ns, len_ns, count }, 0.5, random)
    }

    fn new(act: Act, devices: Range<u32>, timing: Timing, position: f64, random: &mut Pcg64Mcg) -> Self {
        let mut devices: Vec<u32> = devices.collect();
        devices.shuffle(random);
        let random = Pcg64Mcg::seed_from_u64(random.next_u64());
        let (arrival, delayed) = (Arrival::Uniform, BinaryHeap::new());
        let mut stream = Self {
            act,
            devices,
            timing,
            arrival,
            jitter_ns: 0,
            random,
            first: position,
            count: 0,
            position,
            base: None,
            delayed,
        };
        stream.advance();
        stream
    }

    /// Take the devices in the order of another stream: those that go are those that come back.
    pub(crate) fn in_order_of(mut self, other: &Self) -> Self {
        self.devices.clone_from(&other.devices);
        self.restart();
        self
    }

    /// Let only the first of the devices take turns.
    pub(crate) fn of_first(mut self, count: u64) -> Self {
        self.devices.truncate((count as usize).max(1));
        self.restart();
        self
    }

    /// How the acts follow each other.
    pub(crate) fn spread(&mut self, arrival: Arrival, jitter_ns: u64) {
        (self.arrival, self.jitter_ns) = (arrival, jitter_ns);
        self.restart();
    }

    fn restart(&mut self) {
        (self.count, self.base) = (0, None);
        self.position = if self.arrival == Arrival::Poisson { self.exponential() } else { self.first };
        self.advance();
    }

    /// A distance with mean 1 between independent events.
    fn exponential(&mut self) -> f64 {
        -(1.0 - self.random.random::<f64>()).ln()
    }

    /// Compute the next act before its jitter.
    fn advance(&mut self) {
        let at_ns = match &self.timing {
            Timing::Rated { profile, rate } if *rate > 0.0 => profile.inverse(self.position / rate),
            Timing::Rated { .. } => None,
            Timing::Window { count, .. } if self.count >= *count => None,
            Timing::Window { start_ns, len_ns, count } => {
                let part = (self.position / *count as f64).min(1.0);
                Some(start_ns + (part * *len_ns as f64) as u64)
            }
        };
        self.base = at_ns.map(|at_ns| (at_ns, self.devices[(self.count % self.devices.len() as u64) as usize]));
        self.count += 1;
        // Whole distances from a fixed begin: no error adds up.
        self.position += if self.arrival == Arrival::Poisson { self.exponential() } else { 1.0 };
    }

    /// The next act.
    pub(crate) fn peek(&mut self) -> Option<Intended> {
        if self.jitter_ns > 0 {
            // Nothing that is still to come can be earlier than its own time before the jitter.
            while let Some((at_ns, device)) = self.base
                && self.delayed.peek().is_none_or(|Reverse((first, _))| *first > at_ns)
            {
                let late = self.random.random_range(0..=self.jitter_ns);
                self.delayed.push(Reverse((at_ns + late, device)));
                self.advance();
            }
            return self.delayed.peek().map(|Reverse((at_ns, device))| self.intended(*at_ns, *device));
        }
        self.base.map(|(at_ns, device)| self.intended(at_ns, device))
    }

    /// Drop what [`Stream::peek`] has shown.
    pub(crate) fn take(&mut self) {
        if self.jitter_ns > 0 {
            self.delayed.pop();
        } else {
            self.advance();
        }
    }

    const fn intended(&self, at_ns: u64, device: u32) -> Intended {
        Intended { at_ns, act: self.act, device }
    }
}

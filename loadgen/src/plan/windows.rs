//! Connects and storms: acts that belong to a phase.

use std::ops::Range;

use rand_pcg::Pcg64Mcg;

use super::{Act, Stream};
use crate::scenario::{PhaseKind, Scenario, ScenarioPhase, Storm};

/// A phase with its place on the plan's clock.
struct Window<'a> {
    phase: &'a ScenarioPhase,
    start_ns: u64,
    len_ns: u64,
    /// The group's devices of this worker.
    devices: Range<u32>,
    /// Of how many of the group that is a part.
    part: f64,
}

/// Add what a group's devices do because of phases.
pub(super) fn add(acts: &mut Vec<Stream>, scenario: &Scenario, devices: &Range<u32>, random: &mut Pcg64Mcg) {
    let mut start_ns = 0;
    let all: u64 = scenario.devices();
    for phase in &scenario.phase {
        let len_ns = phase.duration.ns();
        let window =
            Window { phase, start_ns, len_ns, devices: devices.clone(), part: devices.len() as f64 / all as f64 };
        match (phase.kind, phase.storm) {
            (PhaseKind::Ramp, _) => acts.push(window.stream(Act::Connect, devices.len() as u64, random)),
            (_, Some(Storm::PowerOn)) => window.power_on(acts, random),
            (_, Some(Storm::Flap)) => acts.push(window.stream(Act::Cut, window.hit(), random)),
            (_, Some(Storm::HalfHandshakes)) => window.half_open(acts, random),
            (_, Some(Storm::SlowReaders)) => window.slow_readers(acts, random),
            (_, Some(Storm::ServerRestart) | None) => {}
        }
        start_ns += len_ns;
    }
}

impl Window<'_> {
    /// Devices that the storm hits.
    fn hit(&self) -> u64 {
        (self.phase.share() * self.devices.len() as f64).round() as u64
    }

    fn stream(&self, act: Act, count: u64, random: &mut Pcg64Mcg) -> Stream {
        Stream::window(act, self.devices.clone(), (self.start_ns, self.len_ns, count), random)
    }

    /// All lose power at once, then come back over `within`.
    fn power_on(&self, acts: &mut Vec<Stream>, random: &mut Pcg64Mcg) {
        let within_ns = self.phase.within.map_or(0, |within| within.ns()).min(self.len_ns);
        let off = Stream::window(Act::PowerOff, self.devices.clone(), (self.start_ns, 0, self.hit()), random);
        // A moment later: the same act order, but nobody comes back before all are gone.
        let window = (self.start_ns + 1, within_ns, self.hit());
        let mut on = Stream::window(Act::Connect, self.devices.clone(), window, random);
        on.spread(self.phase.arrival, 0);
        let on = on.in_order_of(&off);
        acts.extend([off, on]);
    }

    fn half_open(&self, acts: &mut Vec<Stream>, random: &mut Pcg64Mcg) {
        let rate = self.phase.rate.map_or(0.0, |rate| rate.0) * self.part;
        let count = (rate * self.len_ns as f64 / 1e9).round() as u64;
        acts.push(self.stream(Act::HalfOpen, count, random));
    }

    /// They stop reading at the begin, ask ten times a second, and read again at the end.
    fn slow_readers(&self, acts: &mut Vec<Stream>, random: &mut Pcg64Mcg) {
        let hit = self.hit();
        let deaf = Stream::window(Act::Deaf, self.devices.clone(), (self.start_ns, 0, hit), random);
        let window = (self.start_ns + self.len_ns, 0, hit);
        let hear = Stream::window(Act::Hear, self.devices.clone(), window, random).in_order_of(&deaf);
        let nags = hit * (self.len_ns / 100_000_000);
        let mut nag = Stream::window(Act::Nag, self.devices.clone(), (self.start_ns, self.len_ns, nags), random);
        nag = nag.in_order_of(&deaf).of_first(hit);
        acts.extend([deaf, hear, nag]);
    }
}

//! The plan: every intended send, connect and cut with its time, from the scenario and its seed alone.
//!
//! Two clocks. Heartbeats follow the run's clock, which never stops. Everything else follows the plan's clock, which
//! stands still at the end of the first ramp until the devices are online (the gate). Both are in ns.

mod profile;
mod stream;
mod windows;

pub(crate) use profile::Profile;
pub(crate) use stream::Stream;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use crate::scenario::{PhaseKind, Scenario};

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    /// An entry of the group's mix.
    Send { mix: u8 },
    /// PING of the heartbeat.
    Beat,
    /// Connect, unless it is.
    Connect,
    /// Lose power: the connection is gone, nothing comes back by itself.
    PowerOff,
    /// Lose the connection; come back after the group's pause.
    Cut,
    /// Open a connection and stop in the middle of the login or handshake.
    HalfOpen,
    /// Stop reading, but ask on.
    Deaf,
    /// Read again.
    Hear,
    /// Ask all the time, as a slow reader does.
    Nag,
}

/// One intended act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Intended {
    /// When, on the clock of its kind.
    pub(crate) at_ns: u64,
    /// What.
    pub(crate) act: Act,
    /// Which device of the worker.
    pub(crate) device: u32,
}

/// Which part of a run a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerPart {
    pub(crate) worker: u32,
    pub(crate) workers: u32,
}

impl WorkerPart {
    /// The devices of a group that are this worker's: numbers in the group.
    pub(crate) fn of(self, count: u64) -> std::ops::Range<u64> {
        let cut = |worker: u32| count * u64::from(worker) / u64::from(self.workers);
        cut(self.worker)..cut(self.worker + 1)
    }
}

/// The plan of one worker.
#[derive(Debug)]
pub(crate) struct Plan {
    beats: Vec<Stream>,
    acts: Vec<Stream>,
    /// Where the plan's clock waits for the devices.
    pub(crate) gate_ns: u64,
    /// Where it ends.
    pub(crate) end_ns: u64,
    /// Ends of the phases.
    pub(crate) ends_ns: Vec<u64>,
}

impl Plan {
    /// Plan a worker's part.
    pub(crate) fn new(scenario: &Scenario, part: WorkerPart) -> Self {
        let mut ends_ns = Vec::new();
        let mut end_ns = 0;
        for phase in &scenario.phase {
            end_ns += phase.duration.ns();
            ends_ns.push(end_ns);
        }
        let profile = Profile::of(scenario);
        let (mut beats, mut acts) = (Vec::new(), Vec::new());
        let mut first = 0;
        for (number, group) in scenario.group.iter().enumerate() {
            let mine = part.of(group.count.0);
            let devices = first..first + (mine.end - mine.start) as u32;
            first = devices.end;
            // The same group of the same seed has the same order whatever the other groups are.
            let mut random =
                Pcg64Mcg::seed_from_u64(scenario.seed ^ (number as u64) << 40 ^ u64::from(part.worker) << 20);
            if devices.is_empty() {
                continue;
            }
            let rate = devices.len() as f64 / group.h_beat.0.as_secs_f64();
            beats.push(Stream::rated(Act::Beat, devices.clone(), Profile::steady(), rate, part, &mut random));
            for (at, mix) in group.mix.iter().enumerate() {
                let share = devices.len() as f64 / group.count.0 as f64;
                let rate = mix.per_second(group) * share / f64::from(mix.burst);
                let act = Act::Send { mix: at as u8 };
                let mut stream = Stream::rated(act, devices.clone(), profile.clone(), rate, part, &mut random);
                stream.spread(mix.arrival, mix.jitter.map_or(0, |jitter| jitter.ns()));
                acts.push(stream);
            }
            windows::add(&mut acts, scenario, &devices, &mut random);
        }
        let gate_ns = scenario.phase.first().map_or(0, |phase| phase.duration.ns());
        debug_assert!(scenario.phase.first().is_none_or(|phase| phase.kind == PhaseKind::Ramp), "checked before");
        Self { beats, acts, gate_ns, end_ns, ends_ns }
    }

    /// The plan's clock at a moment of the run's. It goes on from the gate at `open_ns`; that moment may be yet to come.
    pub(crate) fn clock(&self, now_ns: u64, open_ns: Option<u64>) -> u64 {
        match open_ns.and_then(|open_ns| now_ns.checked_sub(open_ns)) {
            Some(since_ns) => self.gate_ns + since_ns,
            // What begins at the gate waits for it.
            None => now_ns.min(self.gate_ns.saturating_sub(1)),
        }
    }

    /// The next heartbeat that is due at `run_ns`, on the run's clock.
    pub(crate) fn next_beat(&mut self, run_ns: u64) -> Option<Intended> {
        next(&mut self.beats, run_ns)
    }

    /// The next act that is due at `plan_ns`, on the plan's clock.
    pub(crate) fn next_act(&mut self, plan_ns: u64) -> Option<Intended> {
        next(&mut self.acts, plan_ns)
    }

    /// When the next of each comes: on the run's clock, on the plan's.
    pub(crate) fn peek(&mut self) -> (Option<u64>, Option<u64>) {
        let earliest = |streams: &mut Vec<Stream>| streams.iter_mut().filter_map(Stream::peek).map(|i| i.at_ns).min();
        (earliest(&mut self.beats), earliest(&mut self.acts))
    }

    /// The phase of a moment of the plan's clock.
    pub(crate) fn phase_at(&self, plan_ns: u64) -> usize {
        self.ends_ns.partition_point(|end| *end <= plan_ns).min(self.ends_ns.len().saturating_sub(1))
    }
}

fn next(streams: &mut [Stream], now_ns: u64) -> Option<Intended> {
    let (at, intended) =
        streams.iter_mut().enumerate().filter_map(|(at, stream)| Some((at, stream.peek()?))).min_by_key(|(_, i)| *i)?;
    if intended.at_ns > now_ns {
        return None;
    }
    streams[at].take();
    Some(intended)
}

#[cfg(test)]
mod tests;

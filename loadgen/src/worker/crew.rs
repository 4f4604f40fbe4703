//! The devices of one worker, sans-IO: time and events in, effects out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use linchpin_driver::{ConnId, Mode};
use linchpin_protocol::model::Millis;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use super::device::{ClientStage, Crowd, Device};
use super::effects::{ConnectionOwner, WorkerEffects};
use super::http::HttpPool;
use super::pending::{Key, Pending, Waiting};
use super::wire::Bench;
use crate::limits;
use crate::plan::{Act, Intended, Plan, WorkerPart};
use crate::recorder::{Counts, Sheet, record};
use crate::scenario::{Scenario, Storm};
use crate::tokens::Keys;

/// What a crew is made of.
pub(crate) struct CrewParts {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) part: WorkerPart,
    /// Of this worker's devices, in the order of its groups.
    pub(crate) keys: Keys,
    pub(crate) in_flight: usize,
    pub(crate) bench: Bench,
}

/// The devices of one worker.
pub(crate) struct Crew {
    pub(crate) plan: Plan,
    pub(crate) crowds: Vec<Crowd>,
    pub(crate) devices: Vec<Device>,
    pub(super) keys: Keys,
    /// By connection.
    pub(super) owners: Vec<ConnectionOwner>,
    pub(super) pending: Pending,
    pub(super) http: HttpPool,
    /// Requests that wait for room in flight.
    pub(super) held: VecDeque<Intended>,
    /// Devices that come back.
    pub(super) comebacks: BinaryHeap<Reverse<(u64, u32, u16)>>,
    /// Devices that are not online yet: begin of the attempt.
    pub(super) attempts: VecDeque<(u64, u32, u16)>,
    /// Half handshakes and when they end.
    pub(super) halves: VecDeque<(u64, ConnId)>,
    pub(super) half_hold_ns: u64,
    pub(super) in_flight: usize,
    pub(super) timeout_ns: u64,
    /// Receives are single, because some devices stop reading.
    pub(super) is_single: bool,
    pub(super) bench: Bench,
    pub(super) random: Pcg64Mcg,
    pub(crate) sheet: Sheet,
    /// What comes late of the phase before.
    pub(crate) earlier: Sheet,
    /// When the phase of `sheet` began, on the run's clock.
    pub(crate) phase_start_ns: u64,
    pub(crate) fx: WorkerEffects,
    pub(crate) online: u64,
    /// When the plan's clock went on after the ramp, on the run's clock.
    pub(crate) gate_open_ns: Option<u64>,
    pub(super) scratch: Vec<u8>,
    pub(super) plain: Vec<u8>,
    /// The server is being restarted, or the like: what devices lose is expected.
    pub(crate) is_over: bool,
    /// Why the first login was refused; taken by the worker.
    pub(crate) refusal: Option<String>,
    was_refused: bool,
}

impl Crew {
    pub(crate) fn new(parts: CrewParts) -> Self {
        let CrewParts { scenario, part, keys, in_flight, bench } = parts;
        let mut crowds = Vec::new();
        let mut devices = Vec::new();
        let mut earlier_groups = 0;
        for (number, group) in scenario.group.iter().enumerate() {
            let mine = part.of(group.count.0);
            let first = devices.len() as u32;
            let first_number = earlier_groups + mine.start;
            earlier_groups += group.count.0;
            devices.extend(mine.map(|_| Device::new(number as u8, group.transport)));
            crowds.push(Crowd::new(group, first..devices.len() as u32, first_number));
        }
        debug_assert!(keys.len().is_none_or(|len| len == devices.len()), "one key a device");
        let storms = || scenario.phase.iter().filter_map(|phase| phase.storm.map(|storm| (storm, phase.hold)));
        let hold = storms().find(|(storm, _)| *storm == Storm::HalfHandshakes).and_then(|(_, hold)| hold);
        Self {
            plan: Plan::new(&scenario, part),
            http: HttpPool::new(&scenario),
            crowds,
            devices,
            keys,
            owners: Vec::new(),
            pending: Pending::default(),
            held: VecDeque::new(),
            comebacks: BinaryHeap::new(),
            attempts: VecDeque::new(),
            halves: VecDeque::new(),
            half_hold_ns: hold.map_or(10_000_000_000, |hold| hold.ns()),
            in_flight,
            timeout_ns: scenario.timeout.ns(),
            is_single: storms().any(|(storm, _)| storm == Storm::SlowReaders),
            bench,
            random: Pcg64Mcg::seed_from_u64(scenario.seed ^ u64::from(part.worker) << 48),
            sheet: Sheet::new(part.worker, 0, 0),
            earlier: Sheet::new(part.worker, 0, 0),
            phase_start_ns: 0,
            fx: WorkerEffects::new(),
            online: 0,
            gate_open_ns: None,
            scratch: Vec::new(),
            plain: Vec::new(),
            is_over: false,
            refusal: None,
            was_refused: false,
        }
    }

    /// The plan's clock.
    pub(crate) fn plan_ns(&self, now_ns: u64) -> u64 {
        self.plan.clock(now_ns, self.gate_open_ns)
    }

    /// A moment of the plan's clock on the run's.
    fn run_ns(&self, plan_ns: u64) -> u64 {
        match self.gate_open_ns {
            Some(open_ns) if plan_ns >= self.plan.gate_ns => plan_ns - self.plan.gate_ns + open_ns,
            _ => plan_ns,
        }
    }

    /// Do what is due, at most one turn's worth. Returns whether more is due now.
    pub(crate) fn turn(&mut self, now_ns: u64) -> bool {
        self.end_waiting(now_ns);
        self.come_back(now_ns);
        let mut left = limits::TURN_SENDS;
        while left > 0 && !self.is_over {
            if let Some(mut act) = self.plan.next_act(self.plan_ns(now_ns)) {
                act.at_ns = self.run_ns(act.at_ns);
                self.act(act, now_ns);
            } else if let Some(beat) = self.plan.next_beat(now_ns) {
                self.beat(beat, now_ns);
            } else {
                break;
            }
            left -= 1;
        }
        self.release_held(now_ns);
        self.http.turn(&mut self.fx);
        left == 0
    }

    /// When the next thing is due, on the run's clock.
    pub(crate) fn next_due(&mut self) -> u64 {
        let (beat, act) = self.plan.peek();
        let act = act.filter(|at| self.gate_open_ns.is_some() || *at < self.plan.gate_ns).map(|at| self.run_ns(at));
        let comeback = self.comebacks.peek().map(|Reverse((at, ..))| *at);
        // A phase that is seen to end late would seem longer, and its rates lower.
        let end = self.plan.ends_ns.get(self.sheet.phase).filter(|_| self.gate_open_ns.is_some() && !self.is_over);
        let end = end.map(|at| self.run_ns(*at));
        [beat, act, comeback, end].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    fn act(&mut self, intended: Intended, now_ns: u64) {
        let device = intended.device;
        let lag_ns = now_ns.saturating_sub(intended.at_ns);
        match intended.act {
            Act::Connect => return self.begin(device, intended.at_ns),
            Act::Send { .. } => {
                record(&mut self.sheet.lag, lag_ns);
                return self.send(intended, now_ns);
            }
            Act::Beat => self.beat(intended, now_ns),
            Act::PowerOff => {
                self.leave(device, now_ns);
                // Whoever waits to come back has no power either.
                self.devices[device as usize].attempt += 1;
            }
            Act::Cut => {
                if self.leave(device, now_ns) {
                    self.comeback(device, now_ns);
                }
            }
            Act::HalfOpen => self.fx.connects.push_back(ConnectionOwner::Half),
            Act::Deaf => self.devices[device as usize].is_deaf = true,
            Act::Hear => self.hear(device),
            Act::Nag => self.nag(device, now_ns),
        }
        record(&mut self.sheet.lag, lag_ns);
    }

    /// Record an answer, or the end of waiting for it, in the phase that it was meant for; returns its counts.
    pub(super) fn settle(&mut self, waiting: Waiting, now_ns: u64) -> &mut Counts {
        let is_earlier = waiting.intended_ns < self.phase_start_ns;
        let sheet = if is_earlier { &mut self.earlier } else { &mut self.sheet };
        sheet.answer(waiting.metric, waiting.intended_ns, waiting.sent_ns, now_ns);
        &mut sheet.counts
    }

    /// The same by its key; what is not waited for any more is nothing.
    pub(super) fn settle_key(&mut self, key: Key, now_ns: u64) {
        if let Some(waiting) = self.pending.take(key) {
            self.settle(waiting, now_ns).answers += 1;
        }
    }

    /// A login was refused; the first reason is kept.
    pub(super) fn refused(&mut self, why: impl std::fmt::Display) {
        if !std::mem::replace(&mut self.was_refused, true) {
            self.refusal = Some(why.to_string());
        }
    }

    /// Read again.
    fn hear(&mut self, at: u32) {
        let device = &mut self.devices[at as usize];
        device.is_deaf = false;
        if let Some(conn) = device.conn
            && device.stage != ClientStage::Connecting
            && !device.is_armed
        {
            device.is_armed = true;
            self.fx.arms.push((conn, Mode::Once));
        }
    }

    /// Requests and connections that are not over.
    pub(crate) fn unfinished(&self) -> usize {
        self.pending.len() + self.http.busy() + self.held.len()
    }
}

/// The session's clock.
pub(super) const fn millis(now_ns: u64) -> Millis {
    Millis(now_ns / 1_000_000)
}

//! A worker: one thread with a ring of its own and its part of the devices.

mod broker;
mod connection;
mod crew;
mod device;
mod effects;
mod heard;
mod http;
mod message;
mod mqtt;
mod pending;
mod reach;
mod session;
mod value;
mod wire;

pub(crate) use crew::CrewParts;
pub(crate) use reach::{Reach, spread, workers};
pub(crate) use wire::{Bench, TlsTarget};

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use linchpin_driver::{Driver, Event, Options, Wait};

use crate::limits;
use crate::recorder::{Counts, Sheet, Stall};
use crew::Crew;
use effects::ConnectionOwner;
use reach::{busy_ns, pin, schedule};

/// What all workers and the one who waits for them see.
#[derive(Debug)]
pub(crate) struct CrewShared {
    pub(crate) begin: Instant,
    /// When the plan's clock goes on after the ramp, ns since `begin`.
    pub(crate) gate_open_ns: OnceLock<u64>,
    /// End as soon as possible.
    pub(crate) stop: AtomicBool,
    /// Workers that have nothing left to do.
    finished: AtomicU32,
    /// Of each worker: devices online.
    pub(crate) online: Vec<AtomicU64>,
}

/// What a worker tells.
#[derive(Debug)]
pub(crate) enum CrewReport {
    Sheet(Box<Sheet>),
    /// It is done; sends that were due and never looked at.
    Done {
        unsent: u64,
    },
    /// Why the first login was refused.
    Refused(String),
    Failed(String),
}

/// A worker's thread.
pub(crate) fn run(parts: CrewParts, reach: &Reach, shared: &CrewShared, tell: &Sender<CrewReport>) {
    let told = Worker::open(parts, reach, shared, tell).and_then(Worker::work);
    let _ = tell.send(match told {
        Ok(unsent) => CrewReport::Done { unsent },
        Err(text) => CrewReport::Failed(text),
    });
}

struct Worker<'a> {
    number: u32,
    driver: Driver,
    crew: Crew,
    reach: &'a Reach,
    shared: &'a CrewShared,
    tell: &'a Sender<CrewReport>,
    schedule: [u64; 2],
    /// Time in sleeps since the last sheet, ns.
    slept_ns: u64,
    last_turn_ns: u64,
    connected: u32,
}

impl<'a> Worker<'a> {
    fn open(
        parts: CrewParts,
        reach: &'a Reach,
        shared: &'a CrewShared,
        tell: &'a Sender<CrewReport>,
    ) -> Result<Self, String> {
        let number = parts.part.worker;
        // A sleep of 50 us more than asked for is the default; here it would be schedule lag. Best effort.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        if let Some(cpu) = reach.cpus.get(number as usize) {
            pin(*cpu).map_err(|error| format!("worker {number} cannot run on CPU {cpu}: {error}; change --cpus"))?;
        }
        let crew = Crew::new(parts);
        let connections = crew.devices.len() as u32 + limits::SPARE_CONNECTIONS;
        let options = Options {
            backend: reach.backend,
            connections,
            process_connections: reach.connections + limits::SPARE_CONNECTIONS,
            ..Options::default()
        };
        let driver = Driver::open(&options).map_err(|error| format!("worker {number}: {error}"))?;
        if (driver.capacity() as u64) < crew.devices.len() as u64 {
            return Err(format!(
                "worker {number} can hold {} connections and has {} devices; use more --workers or raise ulimit -n",
                driver.capacity(),
                crew.devices.len()
            ));
        }
        let schedule = schedule();
        Ok(Self { number, driver, crew, reach, shared, tell, schedule, slept_ns: 0, last_turn_ns: 0, connected: 0 })
    }

    fn now_ns(&self) -> u64 {
        self.shared.begin.elapsed().as_nanos() as u64
    }

    /// Until the plan is done and everything is answered. Returns what was due and never looked at.
    fn work(mut self) -> Result<u64, String> {
        self.last_turn_ns = self.now_ns();
        loop {
            if self.crew.gate_open_ns.is_none() {
                self.crew.gate_open_ns = self.shared.gate_open_ns.get().copied();
            }
            let now_ns = self.now_ns();
            self.keep_time(now_ns);
            let is_behind = self.crew.turn(now_ns);
            let connects_wait = self.connect_some();
            self.crew.fx.apply(&mut self.driver);
            if let Some(unsent) = self.is_done(now_ns) {
                self.tell_earlier();
                self.close_sheet(self.now_ns(), self.crew.sheet.phase);
                self.wait_for_others();
                return Ok(unsent);
            }
            self.poll(is_behind || connects_wait)?;
        }
    }

    /// Closing thousands of sockets takes the CPU from workers that still wait for answers: nobody closes before all are
    /// done.
    fn wait_for_others(&self) {
        self.shared.finished.fetch_add(1, Ordering::Relaxed);
        while (self.shared.finished.load(Ordering::Relaxed) as usize) < self.shared.online.len()
            && !self.shared.stop.load(Ordering::Relaxed)
        {
            std::thread::sleep(Duration::from_millis(limits::TURN_MS));
        }
    }

    /// Sleep until the next send is due, or something comes.
    fn poll(&mut self, at_once: bool) -> Result<(), String> {
        let sleep_ns = self.crew.next_due().saturating_sub(self.now_ns()).min(limits::TURN_MS * 1_000_000);
        let wait = if at_once || sleep_ns == 0 { Wait::No } else { Wait::Until(Duration::from_nanos(sleep_ns)) };
        let (crew, begin) = (&mut self.crew, self.shared.begin);
        let before_ns = begin.elapsed().as_nanos() as u64;
        let mut woken_ns = None;
        let on = &mut |event: Event<'_>| {
            let now_ns = begin.elapsed().as_nanos() as u64;
            woken_ns.get_or_insert(now_ns);
            crew.on_event(event, now_ns);
        };
        let polled = self.driver.poll(wait, &mut || false, on);
        if matches!(wait, Wait::Until(_)) {
            self.slept_ns += woken_ns.unwrap_or_else(|| begin.elapsed().as_nanos() as u64) - before_ns;
        }
        polled.map(|_| ()).map_err(|error| format!("worker {}: its ring failed: {error}; run it again", self.number))
    }

    /// Notice gaps between turns, and close the sheet when its time or its phase is over.
    fn keep_time(&mut self, now_ns: u64) {
        let gap_ns = now_ns - self.last_turn_ns;
        if gap_ns >= limits::STALL_MS * 1_000_000 {
            self.crew.sheet.stalls.push(Stall { at_ns: self.last_turn_ns, len_ns: gap_ns });
        }
        self.last_turn_ns = now_ns;
        if let Some(why) = self.crew.refusal.take() {
            let _ = self.tell.send(CrewReport::Refused(why));
        }
        let phase = self.crew.plan.phase_at(self.crew.plan_ns(now_ns));
        let is_full = now_ns - self.crew.sheet.start_ns >= limits::INTERVAL_MS * 1_000_000;
        if phase != self.crew.sheet.phase || is_full {
            self.close_sheet(now_ns, phase);
        }
        self.shared.online[self.number as usize].store(self.crew.online, Ordering::Relaxed);
    }

    fn close_sheet(&mut self, now_ns: u64, next_phase: usize) {
        let schedule = schedule();
        let next = Sheet::new(self.number, next_phase, now_ns);
        let mut sheet = std::mem::replace(&mut self.crew.sheet, next);
        sheet.end_ns = now_ns;
        sheet.online = self.crew.online;
        let cpu_ns = schedule[0].saturating_sub(self.schedule[0]);
        sheet.busy_ns = busy_ns(cpu_ns, now_ns - sheet.start_ns, std::mem::take(&mut self.slept_ns));
        sheet.waited_ns = schedule[1].saturating_sub(self.schedule[1]);
        self.schedule = schedule;
        if next_phase != sheet.phase {
            self.tell_earlier();
            self.crew.earlier = Sheet::new(self.number, sheet.phase, now_ns);
            self.crew.phase_start_ns = now_ns;
        } else if self.crew.earlier.counts != Counts::default() {
            self.tell_earlier();
        }
        let _ = self.tell.send(CrewReport::Sheet(Box::new(sheet)));
    }

    /// Send on what came late of the phase before. It takes no time of its own.
    fn tell_earlier(&mut self) {
        let (phase, at_ns) = (self.crew.earlier.phase, self.crew.phase_start_ns);
        let mut earlier = std::mem::replace(&mut self.crew.earlier, Sheet::new(self.number, phase, at_ns));
        (earlier.start_ns, earlier.end_ns) = (at_ns, at_ns);
        let _ = self.tell.send(CrewReport::Sheet(Box::new(earlier)));
    }

    /// Begin connections that are due; true if more wait.
    fn connect_some(&mut self) -> bool {
        for _ in 0..limits::TURN_CONNECTS {
            let Some(owner) = self.crew.fx.connects.pop_front() else { return false };
            let from = self.source(owner);
            let result = self.driver.connect(from, self.reach.target);
            let result = result.map_err(|error| error.raw_os_error().unwrap_or(0));
            let now_ns = self.now_ns();
            self.crew.started(owner, result, now_ns);
        }
        !self.crew.fx.connects.is_empty()
    }

    /// The source address of the next connection.
    fn source(&mut self, owner: ConnectionOwner) -> Option<SocketAddr> {
        let number = match owner {
            ConnectionOwner::Device(at) => at,
            _ => self.connected,
        };
        self.connected = self.connected.wrapping_add(1);
        if !self.reach.sources.is_empty() {
            let at = (self.number as usize + number as usize) % self.reach.sources.len();
            return Some(SocketAddr::new(self.reach.sources[at], 0));
        }
        if !(self.reach.target.is_ipv4() && self.reach.target.ip().is_loopback()) {
            return None;
        }
        // Addresses of its own for each worker, one for each 2,000 of its connections.
        let third = (number / limits::SOURCE_CONNECTIONS % limits::SOURCES) as u8 + 1;
        let (first, second) = ((self.number / 250) as u8 + 1, (self.number % 250) as u8 + 1);
        Some(SocketAddr::from((Ipv4Addr::new(127, first, second, third), 0)))
    }

    /// Is everything over? Then: sends that were due and not looked at.
    fn is_done(&mut self, now_ns: u64) -> Option<u64> {
        let is_stopped = self.shared.stop.load(Ordering::Relaxed);
        let end_ns = self.crew.plan.end_ns;
        let plan_ns = self.crew.plan_ns(now_ns);
        if !is_stopped && (plan_ns < end_ns || self.crew.gate_open_ns.is_none()) {
            return None;
        }
        // All acts of the plan are before its end: what is left is late.
        let mut unsent = 0;
        if !self.crew.is_over && !is_stopped {
            while self.crew.plan.peek().1.is_some_and(|at| at < end_ns) {
                // One more chance: what the last turn did not manage is still to be sent.
                if plan_ns < end_ns + limits::STALL_MS * 1_000_000 {
                    return None;
                }
                unsent += 1;
                let _ = self.crew.plan.next_act(end_ns);
            }
        }
        self.crew.is_over = true;
        (is_stopped || self.crew.unfinished() == 0).then_some(unsent)
    }
}

/// Everything that workers share at the begin of a run.
pub(crate) fn shared(workers: u32) -> Arc<CrewShared> {
    Arc::new(CrewShared {
        begin: Instant::now(),
        gate_open_ns: OnceLock::new(),
        stop: AtomicBool::new(false),
        finished: AtomicU32::new(0),
        online: (0..workers).map(|_| AtomicU64::new(0)).collect(),
    })
}

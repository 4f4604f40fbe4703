//! Opens the gate, collects sheets, looks at the server, and shows the run to whoever watches.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::{Recovery, RunEnd, RunGlance, Setup, Watch};
use crate::exit::Exit;
use crate::host::{HostCounters, HostUse};
use crate::limits;
use crate::recorder::Totals;
use crate::scenario::Storm;
use crate::worker::{CrewReport, CrewShared};

/// Who collects what workers tell, and watches the clock of the plan.
pub(super) struct RunCollector<'a> {
    setup: &'a Setup,
    shared: &'a Arc<CrewShared>,
    done: RunEnd,
    devices: u64,
    gate: Duration,
    settle: Duration,
    /// When each phase begins, on the plan's clock, ns.
    starts_ns: Vec<u64>,
    last_phase: usize,
    last_glance: Duration,
    last_second: u64,
    restarts: Vec<Child>,
    host: HostCounters,
}

impl<'a> RunCollector<'a> {
    pub(super) fn new(setup: &'a Setup, shared: &'a Arc<CrewShared>) -> Self {
        let scenario = &setup.scenario;
        let mut starts_ns = vec![0];
        for phase in &scenario.phase {
            starts_ns.push(starts_ns.last().copied().unwrap_or(0) + phase.duration.ns());
        }
        let first = &scenario.phase[0];
        let settle = first.settle.map_or(Duration::from_secs(limits::SETTLE_S), |settle| settle.0);
        let done = RunEnd {
            totals: Totals::new(scenario.phase.len(), setup.workers as usize),
            unsent: 0,
            started: SystemTime::now(),
            settle_s: 0.0,
            online_at_gate: 0,
            samples: vec![setup.eye.look(0.0)],
            recoveries: Vec::new(),
            was_interrupted: false,
            host: HostUse::default(),
            refusal: None,
        };
        Self {
            setup,
            shared,
            done,
            devices: scenario.devices(),
            gate: first.duration.0,
            settle,
            starts_ns,
            last_phase: 0,
            last_glance: Duration::ZERO,
            last_second: 0,
            restarts: Vec::new(),
            host: HostCounters::now(),
        }
    }

    /// Until all workers are done.
    pub(super) fn collect(
        mut self,
        told: &Receiver<CrewReport>,
        threads: Vec<JoinHandle<()>>,
        watch: &mut dyn Watch,
    ) -> Result<RunEnd, Exit> {
        let mut running = threads.len();
        let mut failure = None;
        while running > 0 {
            match told.recv_timeout(Duration::from_millis(50)) {
                Ok(CrewReport::Sheet(sheet)) => self.done.totals.take(&sheet),
                Ok(CrewReport::Done { unsent }) => {
                    self.done.unsent += unsent;
                    running -= 1;
                }
                Ok(CrewReport::Refused(why)) => {
                    self.done.refusal.get_or_insert(why);
                }
                Ok(CrewReport::Failed(text)) => {
                    failure = Some(Exit::usage(text));
                    self.shared.stop.store(true, Ordering::Relaxed);
                    running -= 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Err(error) = self.keep_watch(watch) {
                failure.get_or_insert(error);
                self.shared.stop.store(true, Ordering::Relaxed);
            }
        }
        for thread in threads {
            if thread.join().is_err() {
                failure.get_or_insert_with(|| Exit::usage("a worker panicked; this is a mistake of loadgen"));
            }
        }
        for mut child in self.restarts.drain(..) {
            let _ = child.try_wait();
        }
        let end_s = self.shared.begin.elapsed().as_secs_f64();
        self.done.samples.push(self.setup.eye.look(end_s));
        self.done.host = self.host.until(&HostCounters::now());
        failure.map_or(Ok(self.done), Err)
    }

    fn online(&self) -> u64 {
        self.shared.online.iter().map(|online| online.load(Ordering::Relaxed)).sum()
    }

    /// What is to be done a few times a second.
    fn keep_watch(&mut self, watch: &mut dyn Watch) -> Result<(), Exit> {
        let elapsed = self.shared.begin.elapsed();
        let online = self.online();
        if self.setup.interrupted.load(Ordering::Relaxed) && !self.shared.stop.swap(true, Ordering::Relaxed) {
            self.done.was_interrupted = true;
        }
        let is_open = self.shared.gate_open_ns.get().is_some();
        if !is_open && online == 0 && self.is_refused() {
            return Err(self.nobody());
        }
        if !is_open && elapsed >= self.gate && (online >= self.devices || elapsed >= self.gate + self.settle) {
            self.open_gate(elapsed, online)?;
        }
        let phase = self.phase(elapsed);
        if phase != self.last_phase {
            self.last_phase = phase;
            self.begin_phase(phase, elapsed)?;
        }
        let is_back = online * 100 >= self.devices * 95;
        for recovery in self.done.recoveries.iter_mut().filter(|recovery| recovery.to_95_s.is_none()) {
            recovery.has_dipped |= !is_back;
            if is_back && recovery.has_dipped {
                recovery.to_95_s = Some(elapsed.as_secs_f64() - recovery.begun_s);
            }
        }
        let is_second = elapsed.as_secs() > self.last_second;
        if is_second {
            self.last_second = elapsed.as_secs();
            self.setup.clock.set(std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()));
            if self.setup.eye.is_open() {
                self.done.samples.push(self.setup.eye.look(elapsed.as_secs_f64()));
            }
        }
        if is_second || elapsed - self.last_glance >= Duration::from_millis(200) {
            self.last_glance = elapsed;
            watch.glance(&RunGlance {
                scenario: &self.setup.scenario,
                totals: &self.done.totals,
                elapsed_s: elapsed.as_secs_f64(),
                phase,
                waits_at_gate: !is_open && elapsed >= self.gate,
                online,
                is_second,
            });
        }
        Ok(())
    }

    /// Let the plan go on: the devices are online, or have had their time.
    fn open_gate(&mut self, elapsed: Duration, online: u64) -> Result<(), Exit> {
        if online == 0 {
            return Err(self.nobody());
        }
        self.done.settle_s = (elapsed - self.gate).as_secs_f64();
        self.done.online_at_gate = online;
        // All workers look before this moment comes.
        let open = elapsed + Duration::from_millis(5 * limits::TURN_MS);
        let _ = self.shared.gate_open_ns.set(open.as_nanos() as u64);
        Ok(())
    }

    /// Were the first logins refused, all of them? Then the rest of the run would only repeat it.
    fn is_refused(&self) -> bool {
        let ramp = &self.done.totals.phases[0].counts;
        let enough = self.devices.min(limits::REFUSED_LOGINS);
        self.done.refusal.is_some() && ramp.logins == 0 && ramp.login_failed >= enough
    }

    fn nobody(&self) -> Exit {
        let why = self.done.refusal.as_ref().map(|why| format!(" (the server's answer to the first: {why})"));
        Exit::unreachable(format!(
            "none of {} devices could log in at {}{}; check the tokens, the transport, and the server's log",
            self.devices,
            self.setup.reach.target,
            why.unwrap_or_default()
        ))
    }

    fn phase(&self, elapsed: Duration) -> usize {
        let Some(open_ns) = self.shared.gate_open_ns.get() else { return 0 };
        let now_ns = elapsed.as_nanos() as u64;
        let Some(since_ns) = now_ns.checked_sub(*open_ns) else { return 0 };
        let plan_ns = self.gate.as_nanos() as u64 + since_ns;
        let phase = self.starts_ns.partition_point(|start| *start <= plan_ns) - 1;
        phase.min(self.setup.scenario.phase.len() - 1)
    }

    fn begin_phase(&mut self, phase: usize, elapsed: Duration) -> Result<(), Exit> {
        let storm = self.setup.scenario.phase[phase].storm;
        if matches!(storm, Some(Storm::PowerOn | Storm::ServerRestart | Storm::Flap)) {
            let begun_s = elapsed.as_secs_f64();
            self.done.recoveries.push(Recovery { phase, to_95_s: None, begun_s, has_dipped: false });
        }
        if storm == Some(Storm::ServerRestart)
            && let Some(command) = &self.setup.restart
        {
            let child = Command::new(command).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
            let child = child.map_err(|error| Exit::usage(format!("cannot start {}: {error}", command.display())))?;
            self.restarts.push(child);
        }
        Ok(())
    }
}

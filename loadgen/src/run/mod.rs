//! A run from its begin to its end: starts the workers, opens the gate, collects their sheets.

mod collector;

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use linchpin_tls::Clock;

use collector::RunCollector;

use crate::exit::Exit;
use crate::host::HostUse;
use crate::limits;
use crate::plan::WorkerPart;
use crate::recorder::Totals;
use crate::scenario::{Scenario, Storm};
use crate::server::{Eye, ServerSample};
use crate::tokens::Keys;
use crate::worker::{self, Bench, CrewParts, Reach, TlsTarget};

/// How to run a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) reach: Reach,
    pub(crate) keys: Arc<Keys>,
    pub(crate) workers: u32,
    /// Requests in flight of all workers.
    pub(crate) in_flight: Option<u64>,
    /// By group; none where it has no TLS.
    pub(crate) tls: Vec<Option<Arc<TlsTarget>>>,
    /// What time it is for TLS.
    pub(crate) clock: Clock,
    pub(crate) host: String,
    pub(crate) eye: Eye,
    /// What restarts the server.
    pub(crate) restart: Option<PathBuf>,
    /// Set by a signal.
    pub(crate) interrupted: Arc<AtomicBool>,
}

/// How long the devices of a storm took to come back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recovery {
    pub(crate) phase: usize,
    /// From the begin of the phase until 95 % of all devices were online again; `None`: not within the run.
    pub(crate) to_95_s: Option<f64>,
    begun_s: f64,
    has_dipped: bool,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct RunEnd {
    pub(crate) totals: Totals,
    pub(crate) unsent: u64,
    pub(crate) started: SystemTime,
    /// From the end of the ramp until the devices were online.
    pub(crate) settle_s: f64,
    /// Devices online when the plan went on.
    pub(crate) online_at_gate: u64,
    pub(crate) samples: Vec<ServerSample>,
    pub(crate) recoveries: Vec<Recovery>,
    pub(crate) was_interrupted: bool,
    /// What the machine did meanwhile.
    pub(crate) host: HostUse,
    /// What the server said when it refused the first login.
    pub(crate) refusal: Option<String>,
}

/// What somebody who watches a run sees, about 5 times a second.
pub(crate) struct RunGlance<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) totals: &'a Totals,
    pub(crate) elapsed_s: f64,
    pub(crate) phase: usize,
    pub(crate) waits_at_gate: bool,
    pub(crate) online: u64,
    pub(crate) is_second: bool,
}

/// Shows a run while it goes on.
pub(crate) trait Watch {
    fn glance(&mut self, glance: &RunGlance<'_>);
}

/// Is anybody there?
pub(crate) fn probe(target: SocketAddr) -> Result<(), Exit> {
    TcpStream::connect_timeout(&target, Duration::from_millis(limits::PROBE_MS)).map(drop).map_err(|error| {
        Exit::unreachable(format!("nobody takes connections at {target}: {error}; start the server or check the port"))
    })
}

/// Run a scenario.
pub(crate) fn run(setup: &Setup, watch: &mut dyn Watch) -> Result<RunEnd, Exit> {
    let devices = setup.scenario.devices();
    if let Some(len) = setup.keys.len().filter(|len| (*len as u64) < devices) {
        return Err(Exit::usage(format!(
            "there are {len} tokens for {devices} devices; add devices or lower the count"
        )));
    }
    if setup.restart.is_none() && setup.scenario.phase.iter().any(|phase| phase.storm == Some(Storm::ServerRestart)) {
        return Err(Exit::usage("the scenario restarts the server; say how with --restart-command PROGRAM"));
    }
    probe(setup.reach.target)?;
    let shared = worker::shared(setup.workers);
    let (tell, told) = channel();
    let mut threads = Vec::new();
    for number in 0..setup.workers {
        let (parts, reach, shared, tell) = (parts(setup, number), setup.reach.clone(), shared.clone(), tell.clone());
        let thread = std::thread::Builder::new().name(format!("worker-{number}"));
        let thread = thread.spawn(move || worker::run(parts, &reach, &shared, &tell));
        threads.push(thread.map_err(|error| Exit::usage(format!("cannot start worker {number}: {error}")))?);
    }
    drop(tell);
    let collector = RunCollector::new(setup, &shared);
    collector.collect(&told, threads, watch)
}

/// A worker's part of the devices and their tokens.
fn parts(setup: &Setup, number: u32) -> CrewParts {
    let part = WorkerPart { worker: number, workers: setup.workers };
    let mut ranges = Vec::new();
    let mut first = 0;
    for group in &setup.scenario.group {
        let mine = part.of(group.count.0);
        ranges.push((first + mine.start) as usize..(first + mine.end) as usize);
        first += group.count.0;
    }
    // What does not divide evenly goes to the first workers; everyone may send something.
    let in_flight = setup.in_flight.map_or(usize::MAX, |all| {
        let (each, rest) = (all / u64::from(setup.workers), all % u64::from(setup.workers));
        (each + u64::from(u64::from(number) < rest)).max(1) as usize
    });
    CrewParts {
        scenario: setup.scenario.clone(),
        part,
        keys: setup.keys.part(&ranges),
        in_flight,
        bench: Bench::new(setup.tls.clone(), setup.host.clone()),
    }
}

//! What each command does.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use linchpin_driver::Choice;
use linchpin_tls::pki_types::pem::PemObject;
use linchpin_tls::pki_types::{CertificateDer, ServerName};
use linchpin_tls::{Clock, Connector, ConnectorOptions, Layer, Provider};

use crate::cli::{How, Quick, Run, SchemaOf, Verb};
use crate::console::{self, Lines, Quiet, say};
use crate::exit::{Code, Failure};
use crate::report::{Outcome, files, outcome, table};
use crate::run::{Done, Setup, Watch, run};
use crate::scenario::{Scenario, file};
use crate::server::{self, Eye};
use crate::slo::Slo;
use crate::worker::{Reach, TlsTarget, spread, workers};
use crate::{compare, limits, live, tokens};

/// Do what the command line says.
pub(crate) fn obey(verb: Verb) -> Result<Code, Failure> {
    match verb {
        Verb::Quick(quick) => quick_run(&quick),
        Verb::Run(Run { scenario, target, how }) => reported(file::read(&scenario)?, &target, &how),
        Verb::Check { scenario } => {
            let scenario = file::read(&scenario)?;
            say(&plan_in_words(&scenario));
            Ok(Code::Ok)
        }
        Verb::Ab(ab) => compare::ab::run_ab(&ab),
        Verb::Compare(sets) => compare::sets::run_compare(&sets),
        Verb::Search(search) => compare::search::run_search(&search),
        Verb::Schema { of } => {
            say(&match of {
                SchemaOf::Scenario => file::schema(),
                SchemaOf::Outcome => outcome::schema(),
            });
            Ok(Code::Ok)
        }
    }
}

fn quick_run(quick: &Quick) -> Result<Code, Failure> {
    let asked = file::Quick {
        connections: quick.connections,
        rate: quick.rate,
        duration: quick.duration,
        ramp: quick.ramp,
        transport: quick.transport,
        kind: quick.kind,
        payload_bytes: quick.payload_bytes,
        seed: quick.how.seed.unwrap_or(1),
        timeout: quick.timeout,
        h_beat: quick.h_beat,
    };
    reported(asked.scenario()?, &quick.target, &quick.how)
}

/// What a scenario plans, for `check`.
fn plan_in_words(scenario: &Scenario) -> String {
    let mut text = format!(
        "{}: {} devices in {} groups, {:.0} sends/s at load 1, {:.0} s, seed {}\n",
        scenario.name,
        scenario.devices(),
        scenario.group.len(),
        scenario.rate(),
        scenario.length_ns() as f64 / 1e9,
        scenario.seed
    );
    if !scenario.about.is_empty() {
        text += &format!("  {}\n", scenario.about);
    }
    for phase in &scenario.phase {
        let (from, to) = phase.loads();
        let measured = if phase.is_measured() { ", measured" } else { "" };
        text += &format!("  {}: {}, load {from} to {to}{measured}\n", phase.title(), phase.duration);
    }
    text + "valid\n"
}

/// Run once and report.
fn reported(scenario: Scenario, target: &str, how: &How) -> Result<Code, Failure> {
    let slo = objective(&scenario, how)?;
    let setup = prepare(scenario, resolve(target)?, how)?;
    let done = run(&setup, watcher(how, &setup).as_mut())?;
    let outcome = Outcome::new(&setup, &done, slo.as_ref());
    show(how, &setup, &outcome, &done)?;
    Ok(code(&outcome))
}

fn show(how: &How, setup: &Setup, outcome: &Outcome, done: &Done) -> Result<(), Failure> {
    say(&if how.json { outcome.json() } else { table::table(outcome) });
    if let Some(folder) = &how.out {
        files::write_all(folder, outcome, done, &setup.scenario)?;
        if !how.json {
            say(&format!("written to {}: report.html shows it\n", folder.display()));
        }
    }
    Ok(())
}

/// How a run ends the program.
pub(crate) fn code(outcome: &Outcome) -> Code {
    let missed = outcome.slo.as_ref().is_some_and(|slo| !slo.missed.is_empty());
    match (outcome.verdict.valid, missed) {
        (false, _) => Code::Invalid,
        (true, true) => Code::Slo,
        (true, false) => Code::Ok,
    }
}

/// What the run must meet: the flag goes before the scenario.
pub(crate) fn objective(scenario: &Scenario, how: &How) -> Result<Option<Slo>, Failure> {
    if how.slo.is_some() {
        return Ok(how.slo.clone());
    }
    scenario.slo.as_ref().map(|text| text.parse().map_err(Failure::usage)).transpose()
}

pub(crate) fn watcher(how: &How, setup: &Setup) -> Box<dyn Watch> {
    if how.quiet {
        return Box::new(Quiet);
    }
    if !how.no_tui
        && console::has_screen()
        && let Some(screen) = live::Screen::open(console::has_colour(), setup.interrupted.clone())
    {
        return Box::new(screen);
    }
    Box::new(Lines)
}

/// A target by its name.
pub(crate) fn resolve(target: &str) -> Result<SocketAddr, Failure> {
    let mut found = target.to_socket_addrs().map_err(|error| {
        Failure::usage(format!("{target:?} is no target: {error}; write HOST:PORT such as 127.0.0.1:8080"))
    })?;
    found.next().ok_or_else(|| Failure::usage(format!("{target:?} has no address; write HOST:PORT")))
}

/// Refuse what gives no figures or hits somebody else's server.
fn refuse(target: SocketAddr, how: &How) -> Result<(), Failure> {
    if cfg!(debug_assertions) && !how.allow_debug_build {
        return Err(Failure::usage(
            "this is a debug build: its figures would be of no use; build with `cargo build --release -p loadgen`",
        ));
    }
    if !target.ip().is_loopback() && !how.i_own_this_target {
        return Err(Failure::usage(format!(
            "{target} is not on this machine; a load run can stop a server: add --i-own-this-target if it is yours"
        )));
    }
    Ok(())
}

/// Everything that a run needs.
pub(crate) fn prepare(mut scenario: Scenario, target: SocketAddr, how: &How) -> Result<Setup, Failure> {
    refuse(target, how)?;
    scenario.seed = how.seed.unwrap_or(scenario.seed);
    let path = how.tokens.clone().or_else(|| scenario.tokens.as_ref().map(Into::into));
    let path = path.ok_or_else(|| Failure::usage("whose devices? give their tokens with --tokens FILE"))?;
    let tokens = tokens::read(&path)?;
    let needed = scenario.devices().div_ceil(u64::from(limits::WORKER_CONNECTIONS));
    let workers = how.workers.map_or_else(|| workers(scenario.devices()), u32::from);
    // Descriptors of one ring: with fewer workers the devices do not fit where the limit is low.
    let workers = if how.driver == "portable" { workers } else { workers.max(needed as u32) };
    let is_tls = scenario.group.iter().any(|group| group.transport.is_tls());
    let pid = how.server_pid.or_else(|| target.ip().is_loopback().then(|| server::listener(target)).flatten());
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let flag = Arc::clone(&interrupted);
        // A second signal ends the program at once.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, Code::Invalid as i32, flag.clone());
        let _ = signal_hook::flag::register(signal, flag);
    }
    Ok(Setup {
        reach: Reach {
            target,
            sources: how.source.clone(),
            backend: match how.driver.as_str() {
                "io_uring" => Choice::IoUring,
                "portable" => Choice::Portable,
                _ => Choice::Auto,
            },
            cpus: if how.cpus.is_empty() { spread(workers) } else { how.cpus.clone() },
            connections: u32::try_from(scenario.devices()).unwrap_or(u32::MAX),
        },
        in_flight: how.in_flight.or(scenario.in_flight).map(|count| count.0),
        tokens: Arc::new(tokens),
        workers,
        tls: if is_tls { Some(tls(how)?) } else { None },
        host: target.to_string(),
        eye: Eye { metrics: how.metrics, pid },
        restart: how.restart_command.clone(),
        interrupted,
        scenario: Arc::new(scenario),
    })
}

/// How to shake hands.
fn tls(how: &How) -> Result<Arc<TlsTarget>, Failure> {
    let path = how.ca.as_ref().ok_or_else(|| {
        Failure::usage("TLS needs the certificates that the server is checked against: give them with --ca FILE")
    })?;
    let name = ServerName::try_from(how.server_name.clone())
        .map_err(|_| Failure::usage(format!("{:?} is no server name; write such as localhost", how.server_name)))?;
    let now_s = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let connector = Connector::new(&ConnectorOptions {
        provider: Provider::default(),
        roots: certificates(path)?,
        // Boards have no post-quantum groups.
        post_quantum: false,
        identity: None,
        layer: Layer::InPlace,
        version: None,
        alpn: Vec::new(),
        remembered: 0,
        clock: Clock::new(now_s),
    });
    let connector = connector.map_err(|error| Failure::usage(format!("TLS cannot be set up: {error}")))?;
    Ok(Arc::new(TlsTarget { connector, name }))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bad = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read certificates from {}: {error}; give a PEM file", path.display()))
    };
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))?.collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(bad(&"it has none")),
        Err(error) => Err(bad(&error)),
    }
}

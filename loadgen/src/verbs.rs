//! What each command does.

use std::path::PathBuf;

use crate::cli::{How, Quick, RunArgs, SchemaOf, Task};
use crate::compare::{self, target::TargetServer};
use crate::console::{Lines, Quiet, say};
use crate::exit::{EndCode, Exit};
#[cfg(feature = "tui")]
use crate::live;
use crate::prepare::{prepare, resolve};
use crate::report::{RunOutcome, files, outcome, table};
use crate::run::{RunEnd, Setup, Watch, run};
use crate::scenario::{Scenario, file};
use crate::slo::Slo;

/// Do what the command line says.
pub(crate) fn obey(verb: Task) -> Result<EndCode, Exit> {
    match verb {
        Task::Quick(quick) => quick_run(&quick),
        Task::Run(RunArgs { scenario, target, how }) => reported(file::read(&scenario)?, &target, &how),
        Task::Check { scenario } => {
            let scenario = file::read(&scenario)?;
            say(&(scenario.in_words() + "valid\n"));
            Ok(EndCode::Ok)
        }
        Task::Ab(ab) => compare::ab::run_ab(&ab),
        Task::Compare(sets) => compare::sets::run_compare(&sets),
        Task::Search(search) => compare::search::run_search(&search),
        Task::Schema { of } => {
            say(&match of {
                SchemaOf::Scenario => file::schema(),
                SchemaOf::Outcome => outcome::schema(),
            });
            Ok(EndCode::Ok)
        }
    }
}

fn quick_run(quick: &Quick) -> Result<EndCode, Exit> {
    let asked = file::QuickPhase {
        connections: quick.connections,
        rate: quick.rate,
        duration: quick.duration,
        ramp: quick.ramp,
        transport: quick.transport,
        kind: quick.kind,
        payload_bytes: quick.payload_bytes,
        burst: quick.burst,
        seed: quick.how.seed.unwrap_or(1),
        timeout: quick.timeout,
        h_beat: quick.h_beat,
        tls: quick.tls_version,
        resume: quick.resume,
    };
    let scenario = asked.scenario(quick.how.mqtt)?;
    let Some(target) = &quick.target else { return dev_run(quick, scenario) };
    reported(scenario, target, &quick.how)
}

/// The same against a server that lives as long as the run.
fn dev_run(quick: &Quick, scenario: Scenario) -> Result<EndCode, Exit> {
    let program = quick.server.clone().map_or_else(server_program, Ok)?;
    let server = TargetServer::start(&program, &[], scenario.devices())?;
    let mut how = quick.how.clone();
    how.tokens = Some(server.tokens());
    how.metrics = server.metrics;
    how.server_pid = Some(server.pid());
    how.ca = how.ca.or_else(|| server.ca.clone());
    let is_tls = scenario.group.iter().any(|group| group.transport.is_tls());
    let target = if is_tls { server.tls } else { Some(server.address) };
    let target = target.ok_or_else(|| Exit::unreachable("the server does not say where it listens with TLS"))?;
    reported(scenario, &target.to_string(), &how)
}

/// The server's program: beside this one, else on the PATH.
fn server_program() -> Result<PathBuf, Exit> {
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.join("linchpin")));
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders).map(|folder| folder.join("linchpin"));
    beside.into_iter().chain(on_path).find(|path| path.is_file()).ok_or_else(|| {
        Exit::usage(
            "--dev finds no program linchpin beside loadgen or on the PATH; say where it is with --server PROGRAM",
        )
    })
}

/// Run once and report.
fn reported(scenario: Scenario, target: &str, how: &How) -> Result<EndCode, Exit> {
    let slo = objective(&scenario, how)?;
    let setup = prepare(scenario, resolve(target)?, how)?;
    let done = run(&setup, watcher(how, &setup).as_mut())?;
    let outcome = RunOutcome::new(&setup, &done, slo.as_ref());
    show(how, &setup, &outcome, &done)?;
    Ok(code(&outcome))
}

fn show(how: &How, setup: &Setup, outcome: &RunOutcome, done: &RunEnd) -> Result<(), Exit> {
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
pub(crate) fn code(outcome: &RunOutcome) -> EndCode {
    let missed = outcome.slo.as_ref().is_some_and(|slo| !slo.missed.is_empty());
    match (outcome.verdict.valid, missed) {
        (false, _) => EndCode::Invalid,
        (true, true) => EndCode::Slo,
        (true, false) => EndCode::Ok,
    }
}

/// What the run must meet: the flag goes before the scenario.
pub(crate) fn objective(scenario: &Scenario, how: &How) -> Result<Option<Slo>, Exit> {
    if how.slo.is_some() {
        return Ok(how.slo.clone());
    }
    scenario.slo.as_ref().map(|text| text.parse().map_err(Exit::usage)).transpose()
}

pub(crate) fn watcher(how: &How, setup: &Setup) -> Box<dyn Watch> {
    if how.quiet {
        return Box::new(Quiet);
    }
    #[cfg(feature = "tui")]
    if !how.no_tui
        && let Some(screen) = live::Screen::open(setup.interrupted.clone())
    {
        return Box::new(screen);
    }
    #[cfg(not(feature = "tui"))]
    let _ = (how.no_tui, setup);
    Box::new(Lines)
}

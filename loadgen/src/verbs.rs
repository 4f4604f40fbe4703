//! What each command does.

use crate::cli::{How, Quick, RunArgs, SchemaOf, Task};
use crate::console::{self, Lines, Quiet, say};
use crate::exit::{EndCode, Exit};
use crate::prepare::{prepare, resolve};
use crate::report::{RunOutcome, files, outcome, table};
use crate::run::{RunEnd, Setup, Watch, run};
use crate::scenario::{Scenario, file};
use crate::slo::Slo;
use crate::{compare, live};

/// Do what the command line says.
pub(crate) fn obey(verb: Task) -> Result<EndCode, Exit> {
    match verb {
        Task::Quick(quick) => quick_run(&quick),
        Task::Run(RunArgs { scenario, target, how }) => reported(file::read(&scenario)?, &target, &how),
        Task::Check { scenario } => {
            let scenario = file::read(&scenario)?;
            say(&plan_in_words(&scenario));
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
    reported(asked.scenario(quick.how.mqtt)?, &quick.target, &quick.how)
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
    if !how.no_tui
        && console::has_screen()
        && let Some(screen) = live::Screen::open(console::has_colour(), setup.interrupted.clone())
    {
        return Box::new(screen);
    }
    Box::new(Lines)
}

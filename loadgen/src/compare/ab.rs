//! Two servers or builds in turn.

use std::path::{Path, PathBuf};

use super::sheet::ComparisonSheet;
use super::target::{ComparedSide, TargetServer};
use super::{builds, shown, statistics, verdict, words, wrong_share};
use crate::cli::Ab;
use crate::console::{Quiet, say, warn};
use crate::environment::Environment;
use crate::exit::{EndCode, Exit};
use crate::limits;
use crate::prepare::prepare;
use crate::report::table::time;
use crate::report::{RunOutcome, files};
use crate::run::run;
use crate::scenario::{Scenario, file};
use crate::slo::SloFigure;

/// Both sides of a comparison.
struct Sides<'a> {
    ab: &'a Ab,
    scenario: Scenario,
    sides: [ComparedSide; 2],
    tokens: [Option<PathBuf>; 2],
}

/// Run both sides `rounds` times, in turn, and compare.
pub(crate) fn run_ab(ab: &Ab) -> Result<EndCode, Exit> {
    if ab.resume && ab.how.out.is_none() {
        return Err(Exit::usage("--resume goes on with kept runs; say where they are with --out FOLDER"));
    }
    let both = Sides {
        ab,
        scenario: file::read(&ab.scenario)?,
        sides: [ComparedSide::parse(&ab.a, &ab.a_flag)?, ComparedSide::parse(&ab.b, &ab.b_flag)?],
        tokens: [ab.how.tokens.clone(), ab.tokens_b.clone().or_else(|| ab.how.tokens.clone())],
    };
    let mut runs: [Vec<RunOutcome>; 2] = [Vec::new(), Vec::new()];
    let mut made = 0;
    while runs[0].len() < ab.rounds as usize && made < ab.rounds + limits::REPEATED_ROUNDS {
        let [a, b] = both.round(made)?;
        made += 1;
        // A round counts as a whole: a side of its own would break the pair.
        if a.verdict.valid && b.verdict.valid {
            runs[0].push(a);
            runs[1].push(b);
        }
    }
    report(ab, &both.scenario, &runs, made)
}

impl Sides<'_> {
    /// A run of each side.
    fn round(&self, number: u32) -> Result<[RunOutcome; 2], Exit> {
        let run = |side: usize| {
            let name = ["a", "b"][side];
            let keep = self.ab.how.out.as_ref().map(|folder| folder.join(format!("{name}-{number:03}")));
            let kept = keep.as_ref().filter(|_| self.ab.resume).and_then(|folder| self.kept(folder));
            let outcome = match kept {
                Some(outcome) => outcome,
                None => self.one(side, keep)?,
            };
            warn(&progress(number, name, &outcome));
            Ok(outcome)
        };
        // The side that begins changes: what grows over time hits both alike.
        if number.is_multiple_of(2) {
            let a = run(0)?;
            Ok([a, run(1)?])
        } else {
            let b = run(1)?;
            Ok([run(0)?, b])
        }
    }

    /// A run of the same plan that was kept; one that was not finished has no outcome.
    fn kept(&self, folder: &Path) -> Option<RunOutcome> {
        let outcome = super::sets::read(&folder.join("outcome.json")).ok()?;
        let is_same = outcome.scenario == self.scenario.name
            && outcome.devices == self.scenario.devices()
            && (outcome.planned_rate - self.scenario.rate()).abs() < 1e-6
            && outcome.environment.loadgen == Environment::here().loadgen;
        is_same.then_some(outcome)
    }
}

fn progress(round: u32, side: &str, outcome: &RunOutcome) -> String {
    let p99 = outcome.figure(SloFigure::Latency(990_000)).map_or_else(|| "-".to_owned(), time);
    let valid = if outcome.verdict.valid { "VALID" } else { "INVALID" };
    let reason = outcome.verdict.reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("round {}: {side}  p99 {p99}  {:.0} messages/s  {valid}{reason}", round + 1, outcome.measured.sent_per_s)
}

fn report(ab: &Ab, scenario: &Scenario, runs: &[Vec<RunOutcome>; 2], made: u32) -> Result<EndCode, Exit> {
    let invalid = made - runs[0].len() as u32;
    let mut lines = vec![format!("A is {}, B is {}; {} valid rounds of {}", ab.a, ab.b, runs[0].len(), scenario.name)];
    if invalid > 0 {
        lines.push(format!("{invalid} of {made} rounds were INVALID and are left out"));
    }
    lines.extend(builds(&runs[0], &runs[1]));
    let (mut code, mut sheet) = (EndCode::Ok, ComparisonSheet::new(format!("{}: A and B", scenario.name), lines));
    for figure in shown(ab.figure) {
        let of = |runs: &[RunOutcome]| runs.iter().filter_map(|run| run.figure(figure)).collect::<Vec<_>>();
        let (a, b) = (of(&runs[0]), of(&runs[1]));
        if a.is_empty() || a.len() != runs[0].len() || b.len() != runs[1].len() {
            continue;
        }
        let change = statistics::paired(&a, &b, wrong_share(figure == ab.figure));
        sheet.add(figure, &change, (&a, &b), &words(figure, &change, &a, &b));
        if verdict(ab.fail_on, figure, &change) != EndCode::Ok {
            code = EndCode::Regression;
        }
    }
    if ab.how.json {
        let figures = &sheet.figures;
        let all = serde_json::json!({ "valid_rounds": runs[0].len(), "invalid_rounds": invalid, "figures": figures });
        say(&format!("{all:#}\n"));
    } else {
        sheet.lines.iter().for_each(|line| say(&format!("{line}\n")));
        sheet.figures.iter().filter_map(|figure| figure["words"].as_str()).for_each(|words| say(&format!("{words}\n")));
    }
    if let Some(folder) = &ab.how.out {
        sheet.write(&folder.join("comparison.html"))?;
        if !ab.how.json {
            say(&format!("{} shows it\n", folder.join("comparison.html").display()));
        }
    }
    Ok(if runs[0].is_empty() { EndCode::Invalid } else { code })
}

impl Sides<'_> {
    /// One run of one side.
    fn one(&self, side: usize, keep: Option<PathBuf>) -> Result<RunOutcome, Exit> {
        let scenario = &self.scenario;
        let mut how = self.ab.how.clone();
        how.tokens.clone_from(&self.tokens[side]);
        // The server lives as long as the run.
        let mut server = None;
        let address = match &self.sides[side] {
            ComparedSide::Running(address) => *address,
            ComparedSide::Program(program, flags) => {
                let started = server.insert(TargetServer::start(program, flags, scenario.devices())?);
                how.tokens = Some(started.tokens());
                how.metrics = started.metrics;
                how.server_pid = Some(started.pid());
                started.address
            }
        };
        let setup = prepare(scenario.clone(), address, &how)?;
        let done = run(&setup, &mut Quiet)?;
        let outcome = RunOutcome::new(&setup, &done, None);
        if done.was_interrupted {
            return Err(Exit { code: EndCode::Invalid, text: "interrupted".to_owned() });
        }
        if let Some(folder) = keep {
            files::write_all(&folder, &outcome, &done, scenario)?;
        }
        Ok(outcome)
    }
}

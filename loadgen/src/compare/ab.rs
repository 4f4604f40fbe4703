//! Two servers or builds in turn.

use std::path::PathBuf;

use super::target::{Server, Side};
use super::{builds, shown, statistics, verdict, words};
use crate::cli::{Ab, How};
use crate::console::{Quiet, say, warn};
use crate::exit::{Code, Failure};
use crate::prepare::prepare;
use crate::report::table::time;
use crate::report::{Outcome, files};
use crate::run::run;
use crate::scenario::{Scenario, file};
use crate::slo::Figure;

/// Run both sides `rounds` times, in turn, and compare.
pub(crate) fn run_ab(ab: &Ab) -> Result<Code, Failure> {
    let scenario = file::read(&ab.scenario)?;
    let sides = [Side::parse(&ab.a, &ab.a_flag)?, Side::parse(&ab.b, &ab.b_flag)?];
    let tokens = [ab.how.tokens.clone(), ab.tokens_b.clone().or_else(|| ab.how.tokens.clone())];
    let mut runs: [Vec<Outcome>; 2] = [Vec::new(), Vec::new()];
    let mut invalid = 0;
    for round in 0..ab.rounds {
        // The side that begins changes: what grows over time hits both alike.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        let mut pair: [Option<Outcome>; 2] = [None, None];
        for side in order {
            let name = ["a", "b"][side];
            let keep = ab.how.out.as_ref().map(|folder| folder.join(format!("{name}-{round:03}")));
            let outcome = one(&sides[side], &scenario, &ab.how, tokens[side].clone(), keep)?;
            warn(&progress(round, name, &outcome));
            pair[side] = Some(outcome);
        }
        if let [Some(a), Some(b)] = pair {
            // A round counts as a whole: a side of its own would break the pair.
            if a.verdict.valid && b.verdict.valid {
                runs[0].push(a);
                runs[1].push(b);
            } else {
                invalid += 1;
            }
        }
    }
    Ok(report(ab, &runs, invalid))
}

fn progress(round: u32, side: &str, outcome: &Outcome) -> String {
    let p99 = outcome.figure(Figure::Latency(990_000)).map_or_else(|| "-".to_owned(), time);
    let valid = if outcome.verdict.valid { "VALID" } else { "INVALID" };
    let reason = outcome.verdict.reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("round {}: {side}  p99 {p99}  {:.0} messages/s  {valid}{reason}", round + 1, outcome.measured.sent_per_s)
}

fn report(ab: &Ab, runs: &[Vec<Outcome>; 2], invalid: u32) -> Code {
    if invalid > 0 {
        say(&format!("{invalid} of {} rounds were INVALID and are left out\n", ab.rounds));
    }
    if runs[0].is_empty() {
        return Code::Invalid;
    }
    for line in builds(&runs[0], &runs[1]) {
        say(&format!("{line}\n"));
    }
    let mut code = Code::Ok;
    for figure in shown(ab.figure) {
        let figures = |runs: &[Outcome]| runs.iter().filter_map(|run| run.figure(figure)).collect::<Vec<_>>();
        let (a, b) = (figures(&runs[0]), figures(&runs[1]));
        if a.len() != runs[0].len() || b.len() != runs[1].len() {
            continue;
        }
        let change = statistics::paired(&a, &b);
        say(&format!("{}\n", words(figure, &change)));
        if verdict(ab.fail_on, figure, &change) != Code::Ok {
            code = Code::Regression;
        }
    }
    code
}

/// One run of one side.
fn one(
    side: &Side,
    scenario: &Scenario,
    how: &How,
    tokens: Option<PathBuf>,
    keep: Option<PathBuf>,
) -> Result<Outcome, Failure> {
    let mut how = how.clone();
    how.tokens = tokens;
    // The server lives as long as the run.
    let mut server = None;
    let address = match side {
        Side::Running(address) => *address,
        Side::Program(program, flags) => {
            let started = server.insert(Server::start(program, flags, scenario.devices())?);
            how.tokens = Some(started.tokens());
            how.metrics = started.metrics;
            how.server_pid = Some(started.pid());
            started.address
        }
    };
    let setup = prepare(scenario.clone(), address, &how)?;
    let done = run(&setup, &mut Quiet)?;
    let outcome = Outcome::new(&setup, &done, None);
    if done.was_interrupted {
        return Err(Failure { code: Code::Invalid, text: "interrupted".to_owned() });
    }
    if let Some(folder) = keep {
        files::write_all(&folder, &outcome, &done, scenario)?;
    }
    Ok(outcome)
}

//! The highest rate that meets an SLO.

use super::sheet;
use crate::cli::Search;
use crate::console::{Quiet, say, warn};
use crate::exit::{EndCode, Exit};
use crate::limits;
use crate::prepare::{prepare, resolve};
use crate::report::table::time;
use crate::report::{RunOutcome, html, outcome};
use crate::run::run;
use crate::scenario::{Scenario, file};
use crate::slo::SloFigure;
use crate::verbs::{code, objective};

/// What a rate led to.
#[derive(Clone, Debug)]
struct Tried {
    factor: f64,
    rate: f64,
    p99_us: f64,
    code: EndCode,
    why: String,
}

/// Where to look next. `None`: the knee is found, or nothing meets the SLO.
fn next(tried: &[Tried]) -> Option<f64> {
    let met = tried.iter().filter(|t| t.code == EndCode::Ok).map(|t| t.factor).fold(0.0, f64::max);
    let missed =
        tried.iter().filter(|t| t.code != EndCode::Ok && t.factor > met).map(|t| t.factor).fold(f64::MAX, f64::min);
    match (met > 0.0, missed < f64::MAX) {
        (false, false) => Some(1.0),
        // Upwards in steps of two until something is too much.
        (true, false) => Some(met * 2.0),
        (false, true) if missed < 1.0 / 1_024.0 => None,
        (false, true) => Some(missed / 2.0),
        (true, true) if missed / met < 1.0 + limits::SEARCH_WIDTH => None,
        (true, true) => Some((met * missed).sqrt()),
    }
}

/// Search.
pub(crate) fn run_search(search: &Search) -> Result<EndCode, Exit> {
    let scenario = file::read(&search.scenario)?;
    let target = resolve(&search.target)?;
    let Some(slo) = objective(&scenario, &search.how)? else {
        return Err(Exit::usage("a search needs an SLO: add --slo 'p99<5ms,errors=0'"));
    };
    let mut tried: Vec<Tried> = Vec::new();
    let mut failure = None;
    while let Some(factor) = next(&tried) {
        if tried.len() >= limits::SEARCH_RUNS {
            break;
        }
        let outcome = match settled(search, &scenario.scaled(factor), target) {
            Ok(outcome) => outcome,
            // What was found before stays worth a report.
            Err(exit) => {
                failure = Some(exit);
                break;
            }
        };
        // A lower rate would have fewer answers still.
        if let Some(figure) = slo.unknown(|figure| outcome.figure(figure)) {
            failure = Some(Exit::usage(format!(
                "at {:.0} messages/s the run has too few answers to know {figure}; make its measured phases longer",
                scenario.rate() * factor
            )));
            break;
        }
        let missed = outcome.slo.as_ref().map(|slo| slo.missed.join("; ")).unwrap_or_default();
        let why = outcome.verdict.reasons.first().cloned().unwrap_or(missed);
        let p99_us = outcome.figure(SloFigure::Latency(990_000)).unwrap_or_default();
        let one = Tried { factor, rate: scenario.rate() * factor, p99_us, code: code(&outcome), why };
        warn(&line(&one));
        tried.push(one);
    }
    let found = report(&mut tried, failure.is_some());
    if let Some(folder) = &search.how.out {
        sheet::write(&folder.join("search.html"), &page(&scenario, &tried, failure.is_some()))?;
        say(&format!("{} shows it\n", folder.join("search.html").display()));
    }
    failure.map_or(Ok(found), Err)
}

/// A run that is valid, or as often INVALID as is tried: a neighbour may have disturbed it, but what is INVALID again and
/// again is the generator's limit.
fn settled(search: &Search, scenario: &Scenario, target: std::net::SocketAddr) -> Result<RunOutcome, Exit> {
    let mut outcome = one(search, scenario, target)?;
    for _ in 1..limits::SEARCH_TRIES {
        if code(&outcome) == EndCode::Invalid {
            outcome = one(search, scenario, target)?;
        }
    }
    Ok(outcome)
}

/// All rates on one page.
fn page(scenario: &Scenario, tried: &[Tried], was_cut: bool) -> String {
    let point = |one: &Tried| {
        let met = match one.code {
            EndCode::Ok => "met",
            EndCode::Invalid => "invalid",
            _ => "missed",
        };
        serde_json::json!({ "rate": one.rate, "p99_us": one.p99_us, "met": met, "why": one.why })
    };
    let lines: Vec<String> = tried.iter().map(line).collect();
    let data = serde_json::json!({
        "title": format!("{}: the highest rate", scenario.name), "was_cut": was_cut, "summary": knee(tried, was_cut),
        "points": tried.iter().map(point).collect::<Vec<_>>(), "command": outcome::command_line(std::env::args()),
    });
    html::page(html::PageKind::Search, &scenario.name, &lines.join("\n"), &data.to_string())
}

fn line(one: &Tried) -> String {
    format!("{:>10.0}/s  p99 {:>9}  {}", one.rate, time(one.p99_us), words(one))
}

/// The best rate, in words.
fn knee(tried: &[Tried], was_cut: bool) -> String {
    let best = tried.iter().filter(|t| t.code == EndCode::Ok).max_by(|a, b| a.rate.total_cmp(&b.rate));
    let so_far = if was_cut { " so far; the search was ended before its end" } else { "" };
    match best {
        Some(best) => format!("knee: {:.0} messages/s meet the SLO, p99 {}{so_far}", best.rate, time(best.p99_us)),
        None => format!("no rate meets the SLO{so_far}"),
    }
}

fn words(tried: &Tried) -> String {
    match tried.code {
        EndCode::Ok => "met".to_owned(),
        EndCode::Invalid => format!("INVALID: {}", tried.why),
        _ => format!("missed: {}", tried.why),
    }
}

fn report(tried: &mut [Tried], was_cut: bool) -> EndCode {
    tried.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    tried.iter().for_each(|one| say(&(line(one) + "\n")));
    say(&(knee(tried, was_cut) + "\n"));
    let Some(best) = tried.iter().filter(|t| t.code == EndCode::Ok).max_by(|a, b| a.rate.total_cmp(&b.rate)) else {
        return EndCode::Slo;
    };
    let limit = tried.iter().find(|t| t.rate > best.rate);
    if limit.is_some_and(|limit| limit.code == EndCode::Invalid) {
        say("above it the generator is the limit, not the server: the server may take more\n");
        return EndCode::Invalid;
    }
    EndCode::Ok
}

fn one(search: &Search, scenario: &Scenario, target: std::net::SocketAddr) -> Result<RunOutcome, Exit> {
    let slo = objective(scenario, &search.how)?;
    let setup = prepare(scenario.clone(), target, &search.how)?;
    let done = run(&setup, &mut Quiet)?;
    if done.was_interrupted {
        return Err(Exit { code: EndCode::Invalid, text: "interrupted".to_owned() });
    }
    Ok(RunOutcome::new(&setup, &done, slo.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Search on a server that takes `knee` times the rate of the scenario.
    fn search(knee: f64) -> Vec<Tried> {
        let mut tried = Vec::new();
        while let Some(factor) = next(&tried) {
            let code = if factor <= knee { EndCode::Ok } else { EndCode::Slo };
            tried.push(Tried { factor, rate: factor, p99_us: 0.0, code, why: String::new() });
            assert!(tried.len() < limits::SEARCH_RUNS, "{tried:?}");
        }
        tried
    }

    #[test]
    fn the_knee_is_found_on_either_side_of_the_begin() {
        for knee in [0.07, 0.9, 1.0, 13.7, 400.0] {
            let tried = search(knee);
            let best = tried.iter().filter(|t| t.code == EndCode::Ok).map(|t| t.factor).fold(0.0, f64::max);
            assert!(best <= knee && best > knee / (1.0 + limits::SEARCH_WIDTH) - 1e-9, "{best} for {knee}");
        }
        assert!(search(0.0).iter().all(|t| t.code == EndCode::Slo), "it gives up");
    }
}

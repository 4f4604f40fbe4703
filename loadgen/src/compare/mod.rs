//! Comparing runs: two servers in turn, sets of kept runs, and the search for the highest rate.

pub(crate) mod ab;
pub(crate) mod search;
pub(crate) mod sets;
mod sheet;
mod statistics;
pub(crate) mod target;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::environment::Environment;
use crate::exit::EndCode;
use crate::report::RunOutcome;
use crate::report::table::time;
use crate::slo::{FailOn, SloFigure};
use statistics::{Difference, Significance};

/// Is a higher figure better?
const fn higher_is_better(figure: SloFigure) -> bool {
    matches!(figure, SloFigure::Rate)
}

/// Which builds stand on the two sides, when they are known. Runs of several builds on one side are worth a word too.
fn builds(a: &[RunOutcome], b: &[RunOutcome]) -> Vec<String> {
    let of = |runs: &[RunOutcome]| runs.iter().map(|run| run.environment.clone()).collect::<Vec<_>>();
    told_apart(&of(a), &of(b))
}

fn told_apart(a: &[Environment], b: &[Environment]) -> Vec<String> {
    let listed = |side: &[Environment], of: fn(&Environment) -> &str| {
        let names: BTreeSet<String> = side.iter().map(of).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.into_iter().collect::<Vec<_>>().join(" and ")
    };
    let mut lines = Vec::new();
    let (server_a, server_b) = (listed(a, |it| &it.server), listed(b, |it| &it.server));
    if server_a != server_b {
        let named = |name: &str| if name.is_empty() { "not known".to_owned() } else { name.to_owned() };
        lines.push(format!("the servers differ: A is {}, B is {}", named(&server_a), named(&server_b)));
    } else if !server_a.is_empty() {
        lines.push(format!("both servers are {server_a}"));
    }
    let (loadgen_a, loadgen_b) = (listed(a, |it| &it.loadgen), listed(b, |it| &it.loadgen));
    if loadgen_a != loadgen_b {
        lines.push(format!("the load generators differ: A was made by {loadgen_a}, B by {loadgen_b}"));
    }
    lines
}

/// A figure with its unit.
fn value(figure: SloFigure, value: f64) -> String {
    match figure {
        SloFigure::Latency(_) | SloFigure::Mean => time(value),
        SloFigure::Rate => format!("{value:.0}/s"),
        SloFigure::Cpu => format!("{value:.2} us"),
        SloFigure::Errors => format!("{value:.0}"),
    }
}

/// The mean that a ratio of means of logarithms belongs to: with another one the direction could contradict the ratio.
fn typical(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len().max(1) as f64).exp()
}

/// What a change means, in words: finding, direction, values, interval, and what the runs could have shown.
fn words(figure: SloFigure, change: &Difference, a: &[f64], b: &[f64]) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let interval = format!(
        "{} % interval {:+.1} % to {:+.1} %",
        (change.level * 1_000.0).round() / 10.0,
        percent(change.low),
        percent(change.high)
    );
    let middle = percent(change.middle);
    let finding = match (change.finding, higher_is_better(figure)) {
        (Significance::TooFew, _) => {
            return format!(
                "{figure}: cannot separate: {} runs a side, {} at least are needed",
                change.runs,
                crate::limits::COMPARED_RUNS
            );
        }
        (Significance::None, _) => "no evidence of a difference",
        (Significance::Higher, true) | (Significance::Lower, false) => "B is better",
        (Significance::Higher, false) | (Significance::Lower, true) => "B is worse",
    };
    let (of_a, of_b) = (value(figure, typical(a)), value(figure, typical(b)));
    let direction = if middle < 0.0 { "lower" } else { "higher" };
    let mut text = format!(
        "{figure}: {finding} ({middle:+.1} %: B is {direction}; geometric means A {of_a}, B {of_b}; {interval}; {} runs a side)",
        change.runs
    );
    if change.finding == Significance::None {
        let least = change.least();
        let _ = write!(text, "; so few runs show differences of about {:.1} % or more", least * 100.0);
        if least > ASKED_CHANGE {
            let _ = write!(
                text,
                "; {:.0} % would take about {} runs a side",
                ASKED_CHANGE * 100.0,
                change.runs_for(ASKED_CHANGE)
            );
        }
    }
    text
}

/// A change that people ask about.
const ASKED_CHANGE: f64 = 0.1;

/// Does a comparison fail? Only if the whole interval is beyond what is allowed.
fn verdict(fail_on: Option<FailOn>, figure: SloFigure, change: &Difference) -> EndCode {
    let Some(fail_on) = fail_on.filter(|fail_on| fail_on.figure == figure) else { return EndCode::Ok };
    if change.finding == Significance::TooFew {
        return EndCode::Ok;
    }
    let is_worse =
        if higher_is_better(figure) { change.high < 1.0 - fail_on.share } else { change.low > 1.0 + fail_on.share };
    if is_worse { EndCode::Regression } else { EndCode::Ok }
}

/// Figures that a comparison shows beside the one that decides.
const SHOWN: [SloFigure; 6] = [
    SloFigure::Latency(500_000),
    SloFigure::Latency(990_000),
    SloFigure::Latency(999_000),
    SloFigure::Mean,
    SloFigure::Rate,
    SloFigure::Cpu,
];

/// How often the interval of a figure may miss the truth: the one that decides has half of what all may have together,
/// the others share the rest.
fn wrong_share(decides: bool) -> f64 {
    let half = crate::limits::WRONG_SHARE / 2.0;
    if decides { half } else { half / (SHOWN.len() - 1) as f64 }
}

/// The figure that decides, then the others.
fn shown(decides: SloFigure) -> Vec<SloFigure> {
    std::iter::once(decides).chain(SHOWN.into_iter().filter(|figure| *figure != decides)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(low: f64, high: f64) -> Difference {
        let finding = if low > 1.0 {
            Significance::Higher
        } else if high < 1.0 {
            Significance::Lower
        } else {
            Significance::None
        };
        Difference { middle: f64::midpoint(low, high), low, high, finding, runs: 9, level: 0.975 }
    }

    #[test]
    fn only_what_is_certainly_worse_fails() {
        let p99 = SloFigure::Latency(990_000);
        let fail_on = "p99>5%".parse::<FailOn>().ok();
        assert_eq!(verdict(fail_on, p99, &change(1.06, 1.30)), EndCode::Regression);
        assert_eq!(verdict(fail_on, p99, &change(1.01, 1.30)), EndCode::Ok, "perhaps only 1 %");
        assert_eq!(verdict(fail_on, p99, &change(0.70, 0.90)), EndCode::Ok);
        assert_eq!(verdict(None, p99, &change(2.0, 3.0)), EndCode::Ok);
        let rate = "rate>5%".parse::<FailOn>().ok();
        assert_eq!(verdict(rate, SloFigure::Rate, &change(0.5, 0.9)), EndCode::Regression, "less is worse");
    }

    #[test]
    fn builds_are_named_and_told_apart() {
        let of = |server: &str, loadgen: &str| Environment {
            server: server.to_owned(),
            loadgen: loadgen.to_owned(),
            ..Environment::default()
        };
        let (old, new) = (of("1 (aaa)", "1 (ccc)"), of("1 (bbb)", "1 (ddd)"));
        assert_eq!(told_apart(&[old.clone(), old.clone()], std::slice::from_ref(&old)), ["both servers are 1 (aaa)"]);
        let lines = told_apart(&[old.clone(), new.clone()], &[new]);
        assert_eq!(lines[0], "the servers differ: A is 1 (aaa) and 1 (bbb), B is 1 (bbb)");
        assert!(lines[1].starts_with("the load generators differ"), "{lines:?}");
        assert_eq!(
            told_apart(&[of("", "")], &[of("", "")]),
            Vec::<String>::new(),
            "a server without metrics has no name"
        );
        assert!(told_apart(&[of("", "")], &[old])[0].contains("A is not known"));
    }

    #[test]
    fn words_name_the_better_side() {
        let p99 = SloFigure::Latency(990_000);
        let (a, b) = ([1_000.0, 1_100.0, 900.0], [1_200.0, 1_300.0, 1_100.0]);
        let worse = words(p99, &change(1.1, 1.3), &a, &b);
        assert!(worse.contains("B is worse (+20.0 %: B is higher; geometric means A 997 us, B 1.20 ms"), "{worse}");
        assert!(words(SloFigure::Rate, &change(1.1, 1.3), &a, &b).contains("B is better"));
        let none = words(p99, &change(0.6, 1.6), &a, &b);
        assert!(none.contains("no evidence") && none.contains("about 63.3 % or more"), "{none}");
        assert!(none.contains("10 % would take about 239 runs a side"), "{none}");
        assert!(!words(p99, &change(0.95, 1.05), &a, &b).contains("would take"), "10 % would have been seen");
    }
}

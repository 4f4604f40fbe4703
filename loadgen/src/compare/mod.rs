//! Comparing runs: two servers in turn, sets of kept runs, and the search for the highest rate.

pub(crate) mod ab;
pub(crate) mod search;
pub(crate) mod sets;
mod statistics;
mod target;

use crate::exit::Code;
use crate::slo::{FailOn, Figure};
use statistics::{Change, Finding};

/// Is a higher figure better?
const fn higher_is_better(figure: Figure) -> bool {
    matches!(figure, Figure::Rate)
}

/// What a change means, in words.
fn words(figure: Figure, change: &Change) -> String {
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let interval = format!("{:+.1} % to {:+.1} %", percent(change.low), percent(change.high));
    let middle = percent(change.middle);
    let finding = match (change.finding, higher_is_better(figure)) {
        (Finding::TooFew, _) => {
            return format!(
                "{figure}: cannot separate: {} runs a side, {} at least are needed",
                change.runs,
                crate::limits::COMPARED_RUNS
            );
        }
        (Finding::None, _) => "no evidence of a difference",
        (Finding::Higher, true) | (Finding::Lower, false) => "B is better",
        (Finding::Higher, false) | (Finding::Lower, true) => "B is worse",
    };
    format!("{figure}: {finding} ({middle:+.1} %, 95 % interval {interval}, {} runs a side)", change.runs)
}

/// Does a comparison fail? Only if the whole interval is beyond what is allowed.
fn verdict(fail_on: Option<FailOn>, figure: Figure, change: &Change) -> Code {
    let Some(fail_on) = fail_on.filter(|fail_on| fail_on.figure == figure) else { return Code::Ok };
    if change.finding == Finding::TooFew {
        return Code::Ok;
    }
    let is_worse =
        if higher_is_better(figure) { change.high < 1.0 - fail_on.share } else { change.low > 1.0 + fail_on.share };
    if is_worse { Code::Regression } else { Code::Ok }
}

/// Figures that a comparison shows beside the one that decides.
const SHOWN: [Figure; 6] = [
    Figure::Latency(500_000),
    Figure::Latency(990_000),
    Figure::Latency(999_000),
    Figure::Mean,
    Figure::Rate,
    Figure::Cpu,
];

/// The figure that decides, then the others.
fn shown(decides: Figure) -> Vec<Figure> {
    std::iter::once(decides).chain(SHOWN.into_iter().filter(|figure| *figure != decides)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(low: f64, high: f64) -> Change {
        let finding = if low > 1.0 {
            Finding::Higher
        } else if high < 1.0 {
            Finding::Lower
        } else {
            Finding::None
        };
        Change { middle: f64::midpoint(low, high), low, high, finding, runs: 9 }
    }

    #[test]
    fn only_what_is_certainly_worse_fails() {
        let p99 = Figure::Latency(990_000);
        let fail_on = "p99>5%".parse::<FailOn>().ok();
        assert_eq!(verdict(fail_on, p99, &change(1.06, 1.30)), Code::Regression);
        assert_eq!(verdict(fail_on, p99, &change(1.01, 1.30)), Code::Ok, "perhaps only 1 %");
        assert_eq!(verdict(fail_on, p99, &change(0.70, 0.90)), Code::Ok);
        assert_eq!(verdict(None, p99, &change(2.0, 3.0)), Code::Ok);
        let rate = "rate>5%".parse::<FailOn>().ok();
        assert_eq!(verdict(rate, Figure::Rate, &change(0.5, 0.9)), Code::Regression, "less is worse");
    }

    #[test]
    fn words_name_the_better_side() {
        let p99 = Figure::Latency(990_000);
        assert!(words(p99, &change(1.1, 1.3)).contains("B is worse (+20.0 %"), "{}", words(p99, &change(1.1, 1.3)));
        assert!(words(Figure::Rate, &change(1.1, 1.3)).contains("B is better"));
        assert!(words(p99, &change(0.9, 1.1)).contains("no evidence"));
    }
}

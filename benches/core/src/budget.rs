//! Budgets: what is committed in `budgets.toml`, and whether a count keeps it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::callgrind::Count;

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// A count may be above its budget by so much: compilers inline differently after unrelated changes.
    pub tolerance_percent: u64,
    /// By the name of the case.
    pub case: BTreeMap<String, Budget>,
}

/// One case's budget.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Instructions of one unit.
    pub instructions: u64,
    /// Allocations of one run, that is of all its units; never above.
    pub allocations: u64,
}

impl Budget {
    /// What was counted, as a budget.
    #[must_use]
    pub const fn of(count: Count, units: u64) -> Self {
        Self { instructions: count.instructions.div_ceil(units), allocations: count.allocations }
    }
}

/// What came of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept.
    Kept,
    /// Kept by so much that the budget should be lowered: it would not notice the next loss.
    Loose,
    /// Not kept, and why.
    Broken(String),
}

/// Does a count keep its budget?
#[must_use]
pub fn judge(counted: Budget, budget: Option<Budget>, tolerance_percent: u64) -> Verdict {
    let Some(budget) = budget else { return Verdict::Broken("it has no budget".to_owned()) };
    let above = |percent: u64| budget.instructions.saturating_mul(100 + percent) / 100;
    if counted.instructions > above(tolerance_percent) {
        let (got, had) = (counted.instructions, budget.instructions);
        return Verdict::Broken(format!("{got} instructions, and its budget is {had} + {tolerance_percent} %"));
    }
    if counted.allocations > budget.allocations {
        let (got, had) = (counted.allocations, budget.allocations);
        return Verdict::Broken(format!("{got} allocations, and its budget is {had}"));
    }
    let is_far_below = counted.instructions * 100 < budget.instructions.saturating_mul(100 - 2 * tolerance_percent);
    if is_far_below || counted.allocations < budget.allocations { Verdict::Loose } else { Verdict::Kept }
}

/// The file for these budgets.
#[must_use]
pub fn file(tolerance_percent: u64, budgets: &[(&str, Budget)]) -> String {
    let mut text = String::from(
        "# Instructions of one unit and allocations of one run, release build; checked by `make test` (phase budgets).\n\
         # A change that needs more says why in its commit and blesses: LINCHPIN_BLESS=1 tests/run.sh budgets\n",
    );
    let _ = writeln!(text, "tolerance_percent = {tolerance_percent}\n\n[case]");
    for (name, Budget { instructions, allocations }) in budgets {
        let _ = writeln!(text, "{name:?} = {{ instructions = {instructions}, allocations = {allocations} }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAD: Budget = Budget { instructions: 1_000, allocations: 1 };

    fn judged(instructions: u64, allocations: u64) -> Verdict {
        judge(Budget { instructions, allocations }, Some(HAD), 3)
    }

    #[test]
    fn more_than_the_tolerance_breaks_and_much_less_is_told() {
        assert_eq!(judged(1_030, 1), Verdict::Kept);
        assert_eq!(judged(1_031, 1), Verdict::Broken("1031 instructions, and its budget is 1000 + 3 %".to_owned()));
        assert_eq!(judged(900, 2), Verdict::Broken("2 allocations, and its budget is 1".to_owned()));
        assert_eq!((judged(941, 1), judged(939, 1), judged(1_000, 0)), (Verdict::Kept, Verdict::Loose, Verdict::Loose));
        assert!(matches!(judge(HAD, None, 3), Verdict::Broken(_)));
    }

    #[test]
    fn units_share_what_was_counted_and_a_file_reads_back() {
        let budget = Budget::of(Count { instructions: 129, allocations: 2 }, 64);
        assert_eq!(budget, Budget { instructions: 3, allocations: 2 });
        let text = file(3, &[("codec: cut", budget), ("lane", HAD)]);
        let read: Budgets = toml::from_str(&text).expect("its own form");
        assert_eq!((read.tolerance_percent, read.case["codec: cut"], read.case["lane"]), (3, budget, HAD));
    }
}

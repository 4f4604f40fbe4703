//! The statistics on runs that are drawn, with the drift between runs that was measured on real ones.

use super::*;

/// Standard deviation of ln(p50) between runs of one build, and of what both runs of a round share: measured on the
/// test machine in 44 valid rounds, while neighbours kept its load at 4 to 15. docs/loadgen.md says how.
const BETWEEN_RUNS: f64 = 0.16;
const BETWEEN_ROUNDS: f64 = 0.24;
/// Rounds that find 20 % on such a machine; 9 do on one that drifts half as much.
const LOADED_ROUNDS: usize = 26;
/// What the figure that decides may be wrong in.
const WRONG: f64 = 0.025;

struct Machine {
    random: Pcg64Mcg,
}

impl Machine {
    fn normal(&mut self) -> f64 {
        // The sum of twelve uniforms has variance 1.
        (0..12).map(|_| self.random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Rounds of two builds of which B is `slower` times slower. Both runs of a round see the same drift, which is like
    /// that of the round before.
    fn rounds(&mut self, rounds: usize, slower: f64) -> (Vec<f64>, Vec<f64>) {
        // The walk's own deviation is that of its steps over sqrt(1 - 0.7^2).
        let step = BETWEEN_ROUNDS * (1.0_f64 - 0.49).sqrt();
        let mut drift = 0.0;
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            drift = drift * 0.7 + self.normal() * step;
            a.push(1_000.0 * (drift + self.normal() * BETWEEN_RUNS).exp());
            b.push(1_000.0 * slower * (drift + self.normal() * BETWEEN_RUNS).exp());
        }
        (a, b)
    }
}

fn findings(compare: fn(&[f64], &[f64], f64) -> Difference, rounds: usize, slower: f64, worlds: u64) -> (usize, usize) {
    let (mut higher, mut lower) = (0, 0);
    for seed in 0..worlds {
        let mut machine = Machine { random: Pcg64Mcg::seed_from_u64(seed) };
        let (a, b) = machine.rounds(rounds, slower);
        match compare(&a, &b, WRONG).finding {
            Significance::Higher => higher += 1,
            Significance::Lower => lower += 1,
            _ => {}
        }
    }
    (higher, lower)
}

#[test]
fn the_same_build_twice_is_rarely_told_apart() {
    let (higher, lower) = findings(paired, 9, 1.0, 200);
    // 2.5 % are expected.
    assert!(higher + lower <= 10, "{higher} + {lower} of 200");
    assert!(higher + lower >= 1, "an interval that is never wrong is too wide to be right");
}

#[test]
fn twenty_percent_more_are_found() {
    let (higher, lower) = findings(paired, LOADED_ROUNDS, 1.2, 200);
    assert!(higher >= 180, "{higher} of 200");
    assert_eq!(lower, 0);
}

#[test]
fn without_pairs_the_drift_stays_in_the_interval() {
    let (higher, lower) = findings(unpaired, 9, 1.0, 200);
    assert!(higher + lower <= 14, "{higher} + {lower} of 200");
    let found = findings(unpaired, 9, 1.2, 200).0;
    assert!(found < findings(paired, 9, 1.2, 200).0, "pairs are worth the turns: {found} without");
}

#[test]
fn two_single_runs_cannot_be_separated() {
    for compare in [paired, unpaired] {
        assert_eq!(compare(&[100.0], &[200.0], WRONG).finding, Significance::TooFew);
        assert_eq!(compare(&[100.0; 3], &[200.0; 3], WRONG).finding, Significance::TooFew);
        assert_eq!(compare(&[100.0; 4], &[200.0; 4], WRONG).finding, Significance::Higher);
        assert_eq!(compare(&[100.0; 4], &[0.0; 4], WRONG).finding, Significance::TooFew, "a figure of 0 has no ratio");
    }
}

#[test]
fn the_interval_contains_the_truth_as_often_as_it_says() {
    let mut inside = 0;
    for seed in 0..300 {
        let (a, b) = Machine { random: Pcg64Mcg::seed_from_u64(seed) }.rounds(9, 1.1);
        let change = paired(&a, &b, 0.05);
        inside += usize::from(change.low <= 1.1 && 1.1 <= change.high);
    }
    assert!((276..=297).contains(&inside), "{inside} of 300");
}

#[test]
fn students_t_is_that_of_the_tables() {
    for (freedom, tail, t) in
        [(3, 0.025, 3.182), (8, 0.025, 2.306), (8, 0.0025, 3.833), (30, 0.005, 2.750), (1, 0.05, 6.314)]
    {
        let found = student(freedom, tail);
        assert!((found - t).abs() < 2e-3, "{found} for {freedom} and {tail}");
    }
}

#[test]
fn what_is_certain_and_tiny_is_no_finding() {
    let change = paired(&[1_000.0; 9], &[1_004.0; 9], WRONG);
    assert!(change.low > 1.0 && change.finding == Significance::None, "{change:?}");
    assert_eq!(paired(&[1_000.0; 9], &[1_020.0; 9], WRONG).finding, Significance::Higher);
}

/// A comparison looks at six figures, and one finding among them is one too many when the build is the same.
#[test]
fn all_figures_together_are_rarely_wrong() {
    let mut wrong = 0;
    for seed in 0..200 {
        let mut machine = Machine { random: Pcg64Mcg::seed_from_u64(seed) };
        let is_wrong = (0..6).any(|figure| {
            let (a, b) = machine.rounds(9, 1.0);
            paired(&a, &b, super::super::wrong_share(figure == 0)).finding != Significance::None
        });
        wrong += usize::from(is_wrong);
    }
    // Of 200 about 10; of independent figures each at 5 % it would be 53.
    assert!((1..=17).contains(&wrong), "{wrong} of 200 comparisons");
}

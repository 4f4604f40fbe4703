//! Bootstrap over runs. A run is one number: what varies within a run says nothing about the next one.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use crate::limits::{BOOTSTRAP_DRAWS, COMPARED_RUNS};

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// B's figure is higher.
    Higher,
    /// B's figure is lower.
    Lower,
    /// Neither can be told from the runs.
    None,
    /// There are too few runs to say anything.
    TooFew,
}

/// B's figure over A's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) middle: f64,
    /// 95 % interval.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) finding: Finding,
    /// Runs of the smaller side.
    pub(crate) runs: usize,
}

/// Student's t at 97.5 % for 3 to 29 degrees of freedom.
const T: [f64; 27] = [
    3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
    2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The part of the normal distribution below -z.
fn below(z: f64) -> f64 {
    // Abramowitz and Stegun 26.2.17: better than 1e-7.
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly
}

/// The tail to cut off on each side. The plain percentile interval of few runs is too narrow: resampling shrinks the
/// spread by sqrt((n-1)/n) and takes a normal tail for Student's. Both are undone here.
fn tail(runs: usize) -> f64 {
    let t = if runs >= 31 { 1.96 } else { T[runs.saturating_sub(4)] };
    below(t * (runs as f64 / (runs as f64 - 1.0)).sqrt())
}

fn change(mut draws: Vec<f64>, middle: f64, runs: usize) -> Change {
    draws.sort_by(f64::total_cmp);
    let cut = (tail(runs) * draws.len() as f64) as usize;
    let (low, high) = (draws[cut].exp(), draws[draws.len() - 1 - cut].exp());
    let finding = match () {
        () if low > 1.0 => Finding::Higher,
        () if high < 1.0 => Finding::Lower,
        () => Finding::None,
    };
    Change { middle: middle.exp(), low, high, finding, runs }
}

const fn too_few(runs: usize) -> Change {
    Change { middle: 1.0, low: 0.0, high: f64::INFINITY, finding: Finding::TooFew, runs }
}

fn logs(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
}

/// Runs that were made in turn: `a[n]` and `b[n]` saw the same machine. Only what differs within a round counts.
pub(crate) fn paired(a: &[f64], b: &[f64]) -> Change {
    let runs = a.len().min(b.len());
    let (Some(a), Some(b)) = (logs(&a[..runs]), logs(&b[..runs])) else { return too_few(0) };
    if runs < COMPARED_RUNS {
        return too_few(runs);
    }
    let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
    let mut random = Pcg64Mcg::seed_from_u64(runs as u64);
    let draw = |_| (0..runs).map(|_| ratios[random.random_range(0..runs)]).sum::<f64>() / runs as f64;
    let draws: Vec<f64> = (0..BOOTSTRAP_DRAWS).map(draw).collect();
    change(draws, mean(&ratios), runs)
}

/// Runs that were not made in turn.
pub(crate) fn unpaired(a: &[f64], b: &[f64]) -> Change {
    let runs = a.len().min(b.len());
    let (Some(a), Some(b)) = (logs(a), logs(b)) else { return too_few(0) };
    if runs < COMPARED_RUNS {
        return too_few(runs);
    }
    let mut random = Pcg64Mcg::seed_from_u64(runs as u64);
    let mut draw =
        |of: &[f64]| (0..of.len()).map(|_| of[random.random_range(0..of.len())]).sum::<f64>() / of.len() as f64;
    let draws: Vec<f64> = (0..BOOTSTRAP_DRAWS).map(|_| draw(&b) - draw(&a)).collect();
    change(draws, mean(&b) - mean(&a), runs)
}

#[cfg(test)]
mod tests;

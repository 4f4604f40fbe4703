//! Bootstrap over runs. A run is one number: what varies within a run says nothing about the next one.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;

use crate::limits::{BOOTSTRAP_DRAWS, COMPARED_RUNS, LEAST_CHANGE};

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Significance {
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
pub(crate) struct Difference {
    pub(crate) middle: f64,
    /// Interval of `level`.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) finding: Significance,
    /// Runs of the smaller side.
    pub(crate) runs: usize,
    /// How often the interval holds the truth, such as 0.95.
    pub(crate) level: f64,
}

impl Difference {
    /// The least change that so many runs show, share: half of the interval's width.
    pub(crate) fn least(&self) -> f64 {
        self.half_width().exp() - 1.0
    }

    /// Runs of a side that would show a change of such a share, if they vary as these: the width falls with their root.
    pub(crate) fn runs_for(&self, share: f64) -> u64 {
        let more = (self.half_width() / share.ln_1p()).powi(2);
        (self.runs as f64 * more.max(1.0)).ceil() as u64
    }

    fn half_width(&self) -> f64 {
        (self.high.ln() - self.low.ln()) / 2.0
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Squared standard error of the mean.
fn error_squared(values: &[f64]) -> f64 {
    let (mean, count) = (mean(values), values.len() as f64);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count
}

/// The part of the normal distribution below -z.
fn below(z: f64) -> f64 {
    // Abramowitz and Stegun 26.2.17: better than 1e-7.
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly
}

/// Student's t with so many degrees of freedom that leaves `tail` above it.
fn student(freedom: usize, tail: f64) -> f64 {
    let n = freedom as f64;
    // Gamma((n + 1) / 2) over Gamma(n / 2), from its values for 1 and 2.
    let root_pi = std::f64::consts::PI.sqrt();
    let (mut at, mut ratio) = if freedom % 2 == 1 { (1.0, 1.0 / root_pi) } else { (2.0, root_pi / 2.0) };
    while at < n {
        ratio *= (at + 1.0) / at;
        at += 2.0;
    }
    let density = |x: f64| ratio / (n.sqrt() * root_pi) * (1.0 + x * x / n).powf(-(n + 1.0) / 2.0);
    // Simpson's rule from 0, then halving.
    let above = |t: f64| {
        let step = t / f64::from(STEPS);
        let inner = |i: u32| if i % 2 == 1 { 4.0 } else { 2.0 } * density(f64::from(i) * step);
        0.5 - (density(0.0) + density(t) + (1..STEPS).map(inner).sum::<f64>()) * step / 3.0
    };
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if above(middle) > tail { low = middle } else { high = middle }
    }
    low
}

/// Steps of an integral; even.
const STEPS: u32 = 400;

/// The interval of a mean of logarithms: the wider one of two. The percentiles of the bootstrap, whose tails are moved
/// outwards for few runs: resampling shrinks the spread by sqrt((n-1)/n) and takes a normal tail for Student's. And
/// Student's own, because few runs have no percentiles far out.
fn change(mut draws: Vec<f64>, middle: f64, error: f64, runs: usize, wrong: f64) -> Difference {
    draws.sort_by(f64::total_cmp);
    let t = student(runs - 1, wrong / 2.0);
    let tail = below(t * (runs as f64 / (runs as f64 - 1.0)).sqrt());
    let cut = (tail * draws.len() as f64) as usize;
    let low = draws[cut].min(middle - t * error).exp();
    let high = draws[draws.len() - 1 - cut].max(middle + t * error).exp();
    let middle = middle.exp();
    let finding = match () {
        () if (middle - 1.0).abs() < LEAST_CHANGE => Significance::None,
        () if low > 1.0 => Significance::Higher,
        () if high < 1.0 => Significance::Lower,
        () => Significance::None,
    };
    Difference { middle, low, high, finding, runs, level: 1.0 - wrong }
}

const fn too_few(runs: usize) -> Difference {
    Difference { middle: 1.0, low: 0.0, high: f64::INFINITY, finding: Significance::TooFew, runs, level: 0.0 }
}

fn logs(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
}

/// Runs that were made in turn: `a[n]` and `b[n]` saw the same machine. Only what differs within a round counts. `wrong`:
/// how often the interval may miss the truth, such as 0.05.
pub(crate) fn paired(a: &[f64], b: &[f64], wrong: f64) -> Difference {
    let runs = a.len().min(b.len());
    let (Some(a), Some(b)) = (logs(&a[..runs]), logs(&b[..runs])) else { return too_few(0) };
    if runs < COMPARED_RUNS {
        return too_few(runs);
    }
    let ratios: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
    let mut random = Pcg64Mcg::seed_from_u64(runs as u64);
    let draw = |_| (0..runs).map(|_| ratios[random.random_range(0..runs)]).sum::<f64>() / runs as f64;
    let draws: Vec<f64> = (0..BOOTSTRAP_DRAWS).map(draw).collect();
    change(draws, mean(&ratios), error_squared(&ratios).sqrt(), runs, wrong)
}

/// Runs that were not made in turn.
pub(crate) fn unpaired(a: &[f64], b: &[f64], wrong: f64) -> Difference {
    let runs = a.len().min(b.len());
    let (Some(a), Some(b)) = (logs(a), logs(b)) else { return too_few(0) };
    if runs < COMPARED_RUNS {
        return too_few(runs);
    }
    let mut random = Pcg64Mcg::seed_from_u64(runs as u64);
    let mut draw =
        |of: &[f64]| (0..of.len()).map(|_| of[random.random_range(0..of.len())]).sum::<f64>() / of.len() as f64;
    let draws: Vec<f64> = (0..BOOTSTRAP_DRAWS).map(|_| draw(&b) - draw(&a)).collect();
    change(draws, mean(&b) - mean(&a), (error_squared(&a) + error_squared(&b)).sqrt(), runs, wrong)
}

#[cfg(test)]
mod tests;

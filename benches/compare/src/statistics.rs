//! Middle, range, and the interval of a median by resampling.

use rand::RngExt;
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;

/// Resamples for an interval.
const RESAMPLES: usize = 4_000;
/// Pairs below which no interval is stated.
pub const PAIRS: usize = 3;

/// Middle of figures; the mean of the two middle ones of an even number. `None` without any.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        len if len.is_multiple_of(2) => Some(f64::midpoint(sorted[half - 1], sorted[half])),
        _ => Some(sorted[half]),
    }
}

/// 95 % interval of the median of ratios, by the percentile bootstrap with a fixed seed. `None` below [`PAIRS`].
#[must_use]
pub fn interval(ratios: &[f64]) -> Option<[f64; 2]> {
    if ratios.len() < PAIRS {
        return None;
    }
    let mut random = Pcg64Mcg::seed_from_u64(ratios.len() as u64);
    let mut sample = vec![0.0; ratios.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            sample.iter_mut().for_each(|one| *one = ratios[random.random_range(0..ratios.len())]);
            median(&sample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let at = |share: f64| medians[((medians.len() - 1) as f64 * share).round() as usize];
    Some([at(0.025), at(0.975)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn an_interval_holds_the_median_and_narrows_with_agreement() {
        assert_eq!(interval(&[1.0, 1.0]), None);
        let [low, high] = interval(&[0.8, 0.9, 1.0, 1.1, 1.2]).expect("five pairs");
        assert!(low < 1.0 && 1.0 < high && low >= 0.8 && high <= 1.2, "{low} {high}");
        let [near, far] = interval(&[0.99, 1.0, 1.0, 1.0, 1.01]).expect("five pairs");
        assert!(far - near < high - low);
        assert_eq!(interval(&[0.8, 0.9, 1.0, 1.1, 1.2]), Some([low, high]), "the same every time");
    }
}

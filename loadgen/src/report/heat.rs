//! How latencies lie over time: a grid of counts, dense enough to see modes and steps, small enough for a page.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{HEAT_COLUMNS, HEAT_ROWS};
use crate::recorder::Totals;

/// Counts of corrected latencies of messages by time and by length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Heat {
    /// Seconds of the run that a column stands for.
    pub(crate) column_s: u64,
    /// Upper bounds of the rows, microseconds, rising by the same factor.
    pub(crate) rows_us: Vec<f64>,
    /// Columns in the order of time, each with a count for each row.
    pub(crate) columns: Vec<Vec<u64>>,
}

/// The grid of a run's seconds up to `end_s`.
pub(crate) fn heat(totals: &Totals, end_s: f64) -> Heat {
    let messages = |second: crate::recorder::Closed| {
        second.unpack().into_iter().find(|(tag, _)| *tag == "messages").map(|(_, histogram)| histogram)
    };
    let seconds: Vec<_> = totals.seconds(0, true).take(end_s.ceil() as usize).map(messages).collect();
    grid(&seconds)
}

fn grid(seconds: &[Option<Histogram<u64>>]) -> Heat {
    let known = || seconds.iter().flatten().filter(|histogram| !histogram.is_empty());
    let low = known().map(Histogram::min).min().unwrap_or(0).max(1) as f64;
    let high = known().map(Histogram::max).max().unwrap_or(0) as f64;
    if high <= 0.0 {
        return Heat::default();
    }
    // At least a tenfold range: a run without spread is a line, not a carpet of rounding.
    let factor = (high / low).max(10.0).powf(1.0 / HEAT_ROWS as f64);
    let row = |ns: u64| (((ns.max(1) as f64 / low).ln() / factor.ln()) as usize).min(HEAT_ROWS - 1);
    let column_s = seconds.len().div_ceil(HEAT_COLUMNS).max(1);
    let column = |part: &[Option<Histogram<u64>>]| {
        let mut counts = vec![0; HEAT_ROWS];
        for value in part.iter().flatten().flat_map(Histogram::iter_recorded) {
            counts[row(value.value_iterated_to())] += value.count_at_value();
        }
        counts
    };
    Heat {
        column_s: column_s as u64,
        rows_us: (1..=HEAT_ROWS).map(|n| low * factor.powi(n as i32) / 1e3).collect(),
        columns: seconds.chunks(column_s).map(column).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{empty, record};

    fn second(times_ms: &[u64]) -> Option<Histogram<u64>> {
        let mut histogram = empty();
        times_ms.iter().for_each(|ms| record(&mut histogram, ms * 1_000_000));
        Some(histogram)
    }

    #[test]
    fn every_answer_is_in_one_cell_and_long_ones_lie_above() {
        let heat = grid(&[second(&[1, 1, 1, 100]), None, second(&[10])]);
        let sums: Vec<u64> = heat.columns.iter().map(|column| column.iter().sum()).collect();
        assert_eq!((heat.column_s, sums), (1, vec![4, 0, 1]));
        assert_eq!((heat.columns[0][0], heat.columns[0][HEAT_ROWS - 1]), (3, 1), "{heat:?}");
        let middle = heat.columns[2].iter().position(|count| *count == 1).expect("a cell");
        assert!(middle > 0 && middle < HEAT_ROWS - 1, "{middle}");
        assert!(heat.rows_us[middle] >= 10_000.0 && heat.rows_us[middle] < 12_500.0, "{heat:?}");
    }

    #[test]
    fn a_long_run_has_wider_columns_and_a_silent_one_none() {
        let seconds: Vec<_> = (0..HEAT_COLUMNS * 2 + 1).map(|_| second(&[5])).collect();
        let heat = grid(&seconds);
        assert_eq!(heat.column_s, 3);
        assert!(heat.columns.len() <= HEAT_COLUMNS);
        assert_eq!(heat.columns.iter().flatten().sum::<u64>(), seconds.len() as u64);
        assert_eq!(grid(&[None, second(&[])]), Heat::default());
    }
}

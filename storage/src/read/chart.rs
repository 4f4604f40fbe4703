//! History for charts: at most so many points of a pin, each with the least, the greatest and the last value of its time.

use linchpin_protocol::model::Pin;

use crate::Error;
use crate::read::reads::Reads;
use crate::schema::{DeviceKey, Grain, Row, Sample};

/// A question for a line of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChartQuery {
    /// The device.
    pub key: DeviceKey,
    /// The pin.
    pub pin: Pin,
    /// From this moment on, ms since 1970.
    pub from_ms: u64,
    /// Up to and with this moment, ms since 1970.
    pub to_ms: u64,
    /// At most so many points; at least 1.
    pub points: usize,
}

/// A stretch of time in a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartPoint {
    /// When its last value was written, ms since 1970.
    pub at_ms: u64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
    /// The last by time.
    pub last: f64,
}

impl ChartPoint {
    fn add(&mut self, row: &Row) {
        self.min = self.min.min(row.min);
        self.max = self.max.max(row.max);
        if row.last_ms >= self.at_ms {
            (self.at_ms, self.last) = (row.last_ms, row.last);
        }
    }
}

impl ChartQuery {
    /// Time of one point, ms.
    fn width_ms(&self) -> u64 {
        let span_ms = self.to_ms.saturating_sub(self.from_ms) + 1;
        span_ms.div_ceil(self.points.max(1) as u64).max(1)
    }

    /// Points that follow each other, of rows by time.
    fn merge(&self, rows: impl Iterator<Item = Row>) -> Vec<ChartPoint> {
        let width_ms = self.width_ms();
        let mut points: Vec<(u64, ChartPoint)> = Vec::new();
        for row in rows {
            let place = row.start_ms.saturating_sub(self.from_ms) / width_ms;
            match points.last_mut() {
                Some((known, point)) if *known == place => point.add(&row),
                _ => {
                    let Row { min, max, last, last_ms: at_ms, .. } = row;
                    points.push((place, ChartPoint { at_ms, min, max, last }));
                }
            }
        }
        points.into_iter().map(|(_, point)| point).collect()
    }
}

impl Reads {
    /// A line of a chart, by time, with all that was handed over before this call. What is coarser than raw points comes from
    /// roll-ups: as soon as a point covers a minute, and where raw points are not retained any more.
    ///
    /// # Errors
    /// As [`Reads::history`].
    pub fn chart(&self, query: &ChartQuery) -> Result<Vec<ChartPoint>, Error> {
        self.stored(query.key)?;
        let width_ms = query.width_ms();
        let coarsest = Grain::ALL.into_iter().rev().find(|grain| grain.row_ms() <= width_ms);
        let is_raw_there = query.from_ms >= self.inner.oldest_raw_ms(query.key.org)?;
        if coarsest.is_none() && is_raw_there {
            let ChartQuery { key, pin, from_ms, to_ms, .. } = *query;
            match self.samples_stored(key, pin, from_ms, to_ms) {
                Ok(samples) => return Ok(query.merge(samples.into_iter().map(of_sample))),
                // So many that minutes must do.
                Err(Error::TooLarge { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let grain = coarsest.unwrap_or(Grain::Minute);
        // The finest that reaches back to the begin; else the one that reaches back farthest.
        let reaches = |grain: &Grain| query.from_ms >= self.inner.oldest_ms(grain.family());
        let grain = Grain::ALL.into_iter().filter(|known| *known >= grain).find(reaches).unwrap_or(Grain::Day);
        let from_ms = query.from_ms - query.from_ms % grain.row_ms();
        let rows = self.rows_stored(query.key, query.pin, grain, from_ms, query.to_ms)?;
        Ok(query.merge(rows.into_iter()))
    }
}

/// A row of one point.
const fn of_sample(Sample { at_ms, value }: Sample) -> Row {
    Row { start_ms: at_ms, count: 1, min: value, max: value, sum: value, last: value, last_ms: at_ms }
}

#[cfg(test)]
mod tests {
    use linchpin_protocol::model::DeviceId;

    use super::*;
    use crate::schema::OrgId;

    fn query(from_ms: u64, to_ms: u64, points: usize) -> ChartQuery {
        let key = DeviceKey::new(OrgId::FIRST, DeviceId::new(1).expect("not zero"));
        ChartQuery { key, pin: Pin::new_virtual(1), from_ms, to_ms, points }
    }

    #[test]
    fn points_hold_the_extremes_and_the_last_of_their_time() {
        let samples = (0..1_000u64).map(|n| Sample { at_ms: 5_000 + n, value: ((n * 37) % 101) as f64 });
        let query = query(5_000, 5_999, 10);
        let points = query.merge(samples.clone().map(of_sample));
        assert_eq!(points.len(), 10);
        for (at, point) in points.iter().enumerate() {
            let part: Vec<f64> = samples.clone().skip(at * 100).take(100).map(|sample| sample.value).collect();
            assert_eq!(point.min, part.iter().copied().fold(f64::MAX, f64::min));
            assert_eq!(point.max, part.iter().copied().fold(f64::MIN, f64::max));
            assert_eq!((point.last, point.at_ms), (part[99], 5_000 + at as u64 * 100 + 99));
        }
    }

    #[test]
    fn there_are_never_more_points_than_asked_for() {
        let samples = |step: u64| (0..500u64).map(move |n| Sample { at_ms: 1_000 + n * step, value: n as f64 });
        for points in [1, 2, 7, 499, 500, 4_000] {
            for step in [1, 3, 1_000] {
                let found = query(1_000, 1_000 + 499 * step, points).merge(samples(step).map(of_sample));
                assert!((1..=points).contains(&found.len()), "{points} {step}: {}", found.len());
                assert_eq!(found.last().map(|point| point.last), Some(499.0));
            }
        }
    }
}

//! Roll-ups: rows of count, least, greatest, sum and last value of a minute, an hour or a day; one record holds the
//! rows of the next longer span.

use linchpin_protocol::model::{DeviceId, Pin};

use super::chunk::{Sample, put_numbers, take_numbers};
use super::journal::{squeeze, stretch};
use super::{Family, KeyBytes, OrgId};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

const VERSION: u8 = 1;

/// How fine history is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// A row a minute; a record an hour.
    Minute,
    /// A row an hour; a record a day.
    Hour,
    /// A row a day; a record 28 days.
    Day,
}

impl Grain {
    /// All, the finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Time of one row, ms.
    #[must_use]
    pub const fn row_ms(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Time of one record, ms.
    #[must_use]
    pub const fn record_ms(self) -> u64 {
        match self {
            Self::Minute => 3_600_000,
            Self::Hour => 86_400_000,
            Self::Day => 28 * 86_400_000,
        }
    }

    /// Its column families.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Minute => Family::Minute,
            Self::Hour => Family::Hour,
            Self::Day => Family::Day,
        }
    }
}

/// What was written in a minute, an hour or a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Its begin, ms since 1970.
    pub start_ms: u64,
    /// Points.
    pub count: u64,
    /// Least.
    pub min: f64,
    /// Greatest.
    pub max: f64,
    /// Sum; divided by the count it is the average.
    pub sum: f64,
    /// The last by time.
    pub last: f64,
    /// When that was.
    pub last_ms: u64,
}

impl Row {
    /// A row of one point.
    #[must_use]
    pub const fn of(grain: Grain, sample: Sample) -> Self {
        let Sample { at_ms, value } = sample;
        let start_ms = at_ms - at_ms % grain.row_ms();
        Self { start_ms, count: 1, min: value, max: value, sum: value, last: value, last_ms: at_ms }
    }

    /// Add another row of the same time.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        if other.last_ms >= self.last_ms {
            (self.last, self.last_ms) = (other.last, other.last_ms);
        }
    }
}

/// Where rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowsKey {
    pub(crate) org: OrgId,
    pub(crate) device: DeviceId,
    pub(crate) pin: Pin,
    /// A multiple of the grain's record span.
    pub(crate) start_ms: u64,
}

impl RowsKey {
    pub(crate) fn bytes(&self) -> KeyBytes {
        KeyBytes::pin(self.org, self.device, self.pin).u64(self.start_ms)
    }
}

/// Merge a row into sorted rows.
pub(crate) fn merge(rows: &mut Vec<Row>, row: &Row) {
    match rows.binary_search_by_key(&row.start_ms, |known| known.start_ms) {
        Ok(at) => rows[at].add(row),
        Err(at) => rows.insert(at, *row),
    }
}

/// The record of sorted rows.
pub(crate) fn encode(rows: &[Row], out: &mut Vec<u8>) {
    let mut raw = Vec::with_capacity(rows.len() * 16 + 16);
    raw.put_varint(rows.len() as u64);
    let mut before = 0;
    for row in rows {
        raw.put_varint(row.start_ms - before);
        before = row.start_ms;
    }
    for row in rows {
        raw.put_varint(row.count);
        raw.put_varint(row.last_ms.saturating_sub(row.start_ms));
    }
    put_numbers(rows.iter().map(|row| row.min), &mut raw);
    put_numbers(rows.iter().map(|row| row.max), &mut raw);
    put_numbers(rows.iter().map(|row| row.sum), &mut raw);
    put_numbers(rows.iter().map(|row| row.last), &mut raw);
    out.put_u8(VERSION);
    squeeze(&raw, out);
}

/// The rows of a record.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<Row>, Shape> {
    let mut fields = Fields(record);
    fields.version(VERSION)?;
    let raw = stretch(fields, limits::VALUE_BYTES)?;
    let mut fields = Fields(&raw);
    let count = usize::try_from(fields.varint()?).map_err(|_| Shape)?;
    if count > raw.len() {
        return Err(Shape);
    }
    let mut rows = Vec::with_capacity(count);
    let mut start_ms = 0u64;
    for _ in 0..count {
        start_ms = start_ms.checked_add(fields.varint()?).ok_or(Shape)?;
        rows.push(Row { start_ms, count: 0, min: 0.0, max: 0.0, sum: 0.0, last: 0.0, last_ms: 0 });
    }
    for row in &mut rows {
        row.count = fields.varint()?;
        row.last_ms = row.start_ms.checked_add(fields.varint()?).ok_or(Shape)?;
    }
    let mut columns = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for column in &mut columns {
        *column = take_numbers(count, &mut fields)?;
    }
    fields.end()?;
    let [min, max, sum, last] = columns;
    for (n, row) in rows.iter_mut().enumerate() {
        (row.min, row.max, row.sum, row.last) = (min[n], max[n], sum[n], last[n]);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_and_come_back() {
        let mut rows = Vec::new();
        for n in (0..3_600u64).rev() {
            merge(&mut rows, &Row::of(Grain::Minute, Sample { at_ms: 7_200_000 + n * 1_000, value: n as f64 / 10.0 }));
        }
        assert_eq!(rows.len(), 60);
        assert_eq!((rows[1].count, rows[1].min, rows[1].max, rows[1].last), (60, 6.0, 11.9, 11.9));
        assert!((rows[1].sum - 537.0).abs() < 1e-6);
        let mut record = Vec::new();
        encode(&rows, &mut record);
        assert_eq!(decode(&record).expect("decodes"), rows);
        assert!(record.len() < 60 * 20, "{}", record.len());
    }
}

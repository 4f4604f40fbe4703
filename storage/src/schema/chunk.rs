//! Chunks of raw points of one pin.
//!
//! Times are differences of differences; values are whole numbers of the smallest decimal step that holds them all
//! exactly, as differences; both as varints. A value that slowly changes costs two bytes. What no decimal step holds is
//! stored as the bits of the floats.

use linchpin_protocol::model::{DeviceId, Pin};

use super::journal::{squeeze, stretch};
use super::{KeyBytes, OrgId, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

const VERSION: u8 = 1;
/// Stands where the number of decimals would.
const FLOATS: u8 = 0xff;
const DECIMALS: [f64; 7] = [1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0];
/// Whole numbers up to here are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// ms since 1970.
    pub at_ms: u64,
    /// Finite.
    pub value: f64,
}

/// Where a chunk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChunkKey {
    pub(crate) org: OrgId,
    pub(crate) device: DeviceId,
    pub(crate) pin: Pin,
    /// Time of its first point.
    pub(crate) start_ms: u64,
    /// Unique: epoch of the process that began it, and a count. Two chunks may begin in one millisecond.
    pub(crate) number: u64,
}

impl ChunkKey {
    pub(crate) fn bytes(&self) -> KeyBytes {
        KeyBytes::pin(self.org, self.device, self.pin).u64(self.start_ms).u64(self.number)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (org, device, pin) = (take::org(&mut fields)?, take::device(&mut fields)?, take::pin(&mut fields)?);
        let key = Self { org, device, pin, start_ms: fields.u64()?, number: fields.u64()? };
        fields.end()?;
        Ok(key)
    }
}

fn whole(value: f64, scale: f64) -> Option<i64> {
    let number = (value * scale).round();
    (number.abs() <= EXACT && number / scale == value).then_some(number as i64)
}

/// Append numbers in their order.
pub(crate) fn put_numbers(values: impl Iterator<Item = f64> + Clone, out: &mut Vec<u8>) {
    let fits = |scale: &&f64| values.clone().all(|value| whole(value, **scale).is_some());
    let Some(decimals) = DECIMALS.iter().position(|scale| fits(&scale)) else {
        out.put_u8(FLOATS);
        for value in values {
            out.put_u64(value.to_bits());
        }
        return;
    };
    out.put_u8(decimals as u8);
    let mut before = 0;
    for value in values {
        let number = whole(value, DECIMALS[decimals]).unwrap_or_default();
        out.put_signed(number - before);
        before = number;
    }
}

pub(crate) fn take_numbers(count: usize, fields: &mut Fields<'_>) -> Result<Vec<f64>, Shape> {
    let decimals = fields.u8()?;
    // A count that the bytes cannot hold must not ask for memory.
    if count > fields.0.len() {
        return Err(Shape);
    }
    if decimals == FLOATS {
        return (0..count).map(|_| fields.u64().map(f64::from_bits)).collect();
    }
    let scale = *DECIMALS.get(usize::from(decimals)).ok_or(Shape)?;
    let mut number = 0i64;
    (0..count)
        .map(|_| {
            number = number.checked_add(fields.signed()?).ok_or(Shape)?;
            Ok(number as f64 / scale)
        })
        .collect()
}

/// The record of these samples; not empty.
pub(crate) fn encode(samples: &[Sample], out: &mut Vec<u8>) {
    let mut raw = Vec::with_capacity(samples.len() * 3 + 16);
    raw.put_varint(samples.len() as u64);
    let (mut before, mut step) = (0u64, 0i64);
    for sample in samples {
        let now = sample.at_ms.wrapping_sub(before) as i64;
        raw.put_signed(now.wrapping_sub(step));
        (before, step) = (sample.at_ms, now);
    }
    put_numbers(samples.iter().map(|sample| sample.value), &mut raw);
    out.put_u8(VERSION);
    squeeze(&raw, out);
}

/// The samples of a record.
pub(crate) fn decode(record: &[u8]) -> Result<Vec<Sample>, Shape> {
    let mut fields = Fields(record);
    fields.version(VERSION)?;
    let raw = stretch(fields, limits::VALUE_BYTES)?;
    let mut fields = Fields(&raw);
    let count = usize::try_from(fields.varint()?).ok().filter(|n| *n <= limits::CHUNK_POINTS).ok_or(Shape)?;
    let mut samples = Vec::with_capacity(count);
    let (mut at_ms, mut step) = (0u64, 0i64);
    for _ in 0..count {
        step = step.wrapping_add(fields.signed()?);
        at_ms = at_ms.wrapping_add(step as u64);
        samples.push(Sample { at_ms, value: 0.0 });
    }
    for (sample, value) in samples.iter_mut().zip(take_numbers(count, &mut fields)?) {
        sample.value = value;
    }
    fields.end()?;
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slowly_changing_values_cost_two_bytes() {
        let samples: Vec<_> = (0..1_000u64)
            .map(|n| Sample {
                at_ms: 1_800_000_000_000 + n * 1_000 + n * 7 % 13,
                value: ((n / 10 * 7 % 40) as f64 + 200.0) / 10.0,
            })
            .collect();
        let mut record = Vec::new();
        encode(&samples, &mut record);
        assert!(record.len() < 2_100, "{} bytes for 1,000 points", record.len());
        assert_eq!(decode(&record).expect("decodes"), samples);
    }

    proptest! {
        #[test]
        fn samples_come_back_to_the_bit(
            points in prop::collection::vec((any::<u64>(), any::<f64>().prop_filter("finite", |v| v.is_finite())), 1..200)
        ) {
            let samples: Vec<_> = points.into_iter().map(|(at_ms, value)| Sample { at_ms, value }).collect();
            let mut record = Vec::new();
            encode(&samples, &mut record);
            prop_assert_eq!(decode(&record).expect("decodes"), samples);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = super::super::rollup::decode(&bytes);
            let _ = super::super::journal::unpack(&bytes);
        }
    }
}

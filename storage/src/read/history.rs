//! History: raw points and roll-ups of a pin, and which of them are retained.

use std::ops::ControlFlow;

use linchpin_protocol::model::{DAY_MS, Pin};

use crate::collect::ask::Ask;
use crate::read::reader::broken;
use crate::read::reads::Reads;
use crate::schema::chunk::{self, ChunkKey, Sample};
use crate::schema::rollup::{self, Grain, Row, RowsKey};
use crate::schema::{DeviceKey, Family, KeyBytes};
use crate::store::Store;
use crate::{Error, Problem, limits};

impl Store {
    /// Store all collected points now.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Poisoned`]: they stay in memory and in the journal.
    pub fn store_all(&self) -> Result<(), Error> {
        self.inner.ask_and_wait(Ask::StoreAll)
    }
}

impl Reads {
    /// Raw points of a pin from one moment to another, both included, ms since 1970, by time. Of points in one
    /// millisecond the last stays; points older than what the organization or the server retains have expired.
    /// Includes all that was handed over before this call; while the disk is full, only what was stored before.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: there are more than one query may return. As [`Store::get`].
    pub fn samples(&self, key: DeviceKey, pin: Pin, from_ms: u64, to_ms: u64) -> Result<Vec<Sample>, Error> {
        self.stored(key)?;
        self.samples_stored(key, pin, from_ms, to_ms)
    }

    pub(crate) fn samples_stored(
        &self,
        key: DeviceKey,
        pin: Pin,
        from_ms: u64,
        to_ms: u64,
    ) -> Result<Vec<Sample>, Error> {
        let reader = self.inner.reader();
        let from_ms = from_ms.max(self.inner.oldest_raw_ms(key.org)?);
        // A chunk that begins before the range may reach into it.
        let first_ms = from_ms.saturating_sub(limits::CHUNK_SPAN_MS);
        let at = |start_ms, number| ChunkKey { org: key.org, device: key.device, pin, start_ms, number }.bytes();
        let mut found = Vec::new();
        for partition in self.partitions(Family::Raw, first_ms, to_ms) {
            let range = (at(first_ms, 0), at(to_ms, u64::MAX).behind());
            reader.scan_raw(Family::Raw, partition, range, |key, mut sealed| {
                let value = reader.open(Family::Raw, partition, key, &mut sealed)?;
                let number = ChunkKey::parse(key).map_err(|_| broken(Family::Raw, key, Problem::Shape))?.number;
                let samples = chunk::decode(value).map_err(|_| broken(Family::Raw, key, Problem::Shape))?;
                let inside = samples.into_iter().filter(|sample| (from_ms..=to_ms).contains(&sample.at_ms));
                found.extend(inside.map(|sample| (number, sample)));
                within(found.len())?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        // Chunks of late points lie between others; of equal times the later chunk is last.
        found.sort_by_key(|(number, sample)| (sample.at_ms, *number));
        let mut samples: Vec<Sample> = Vec::with_capacity(found.len());
        for (_, sample) in found {
            match samples.last_mut() {
                Some(last) if last.at_ms == sample.at_ms => *last = sample,
                _ => samples.push(sample),
            }
        }
        Ok(samples)
    }

    /// Roll-ups of a pin whose minute, hour or day begins in the range, both ends included, by time.
    ///
    /// # Errors
    /// As [`Store::samples`].
    pub fn rows(&self, key: DeviceKey, pin: Pin, grain: Grain, from_ms: u64, to_ms: u64) -> Result<Vec<Row>, Error> {
        self.stored(key)?;
        self.rows_stored(key, pin, grain, from_ms, to_ms)
    }

    pub(crate) fn rows_stored(
        &self,
        key: DeviceKey,
        pin: Pin,
        grain: Grain,
        from_ms: u64,
        to_ms: u64,
    ) -> Result<Vec<Row>, Error> {
        let reader = self.inner.reader();
        let family = grain.family();
        let from_ms = from_ms.max(self.inner.oldest_ms(family));
        let first_ms = from_ms - from_ms % grain.record_ms();
        let at = |start_ms| RowsKey { org: key.org, device: key.device, pin, start_ms }.bytes();
        let mut rows = Vec::new();
        for partition in self.partitions(family, first_ms, to_ms) {
            let range: (KeyBytes, _) = (at(first_ms), at(to_ms).behind());
            reader.scan_raw(family, partition, range, |key, mut sealed| {
                let value = reader.open(family, partition, key, &mut sealed)?;
                let found = rollup::decode(value).map_err(|_| broken(family, key, Problem::Shape))?;
                rows.extend(found.into_iter().filter(|row| (from_ms..=to_ms).contains(&row.start_ms)));
                within(rows.len())?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(rows)
    }

    /// The first moment from this one on that a partition of the family may hold.
    pub(crate) fn first_retained(&self, family: Family, from_ms: u64) -> Option<u64> {
        let wanted = family.partition_of(from_ms);
        let found = self.inner.rocks.partitions(family).into_iter().find(|partition| *partition >= wanted)?;
        let begin_ms = u64::from(found - 1) * family.partition_days() * DAY_MS;
        Some(begin_ms.max(from_ms))
    }

    fn partitions(&self, family: Family, from_ms: u64, to_ms: u64) -> Vec<u32> {
        let range = family.partition_of(from_ms)..=family.partition_of(to_ms);
        self.inner.rocks.partitions(family).into_iter().filter(|partition| range.contains(partition)).collect()
    }
}

fn within(len: usize) -> Result<(), Error> {
    let limit = limits::QUERY_POINTS;
    if len > limit { Err(Error::TooLarge { what: "points of one query", len, limit }) } else { Ok(()) }
}

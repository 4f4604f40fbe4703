//! Devices whose points are not all in chunks yet.

use linchpin_protocol::model::{Pin, ValueRef};

use crate::read::reader::{Reader, broken};
use crate::schema::chunk::{self, ChunkKey, Sample};
use crate::schema::journal::Point;
use crate::schema::rollup::{self, Grain, Row, RowsKey};
use crate::schema::{DeviceKey, Family, KeyBytes, Latest, LatestValue};
use crate::write::batch::Batch;
use crate::{Error, Problem, limits};

/// A pin with its latest value, its chunk and the rows that are not in roll-ups yet.
struct OpenPin {
    pin: Pin,
    latest: Vec<u8>,
    latest_ms: u64,
    /// Start and number of the chunk, once it has a point.
    chunk: Option<(u64, u64)>,
    samples: Vec<Sample>,
    /// Has the chunk changed since it was stored?
    is_dirty: bool,
    /// Rows by minute since the last store, sorted.
    minutes: Vec<Row>,
    /// Chunks that take no more points.
    finished: Vec<(u64, u64, Vec<Sample>)>,
}

/// Room for one more: most pins are written once or a few times before they are stored, and there are many pins.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 2 + 1);
    }
}

impl OpenPin {
    fn new(pin: Pin) -> Self {
        let (latest, samples, minutes, finished) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { pin, latest, latest_ms: 0, chunk: None, samples, is_dirty: false, minutes, finished }
    }

    /// `false`: another chunk was begun, one that is stored as a whole may be forgotten.
    fn sample(&mut self, sample: Sample, next_chunk: &mut u64) -> bool {
        match self.minutes.last_mut() {
            // Nearly always the minute of the point before.
            Some(row) if sample.at_ms.wrapping_sub(row.start_ms) < Grain::Minute.row_ms() => {
                row.add(&Row::of(Grain::Minute, sample));
            }
            _ => {
                grow(&mut self.minutes);
                rollup::merge(&mut self.minutes, &Row::of(Grain::Minute, sample));
            }
        }
        let hour = |at_ms: u64| at_ms / limits::CHUNK_SPAN_MS;
        let fits = self.chunk.is_some_and(|(start_ms, _)| hour(start_ms) == hour(sample.at_ms))
            && self.samples.len() < limits::CHUNK_POINTS;
        if !fits {
            self.finish();
            self.chunk = Some((sample.at_ms, *next_chunk));
            *next_chunk += 1;
        }
        self.is_dirty = true;
        grow(&mut self.samples);
        self.samples.push(sample);
        fits
    }

    /// Let the chunk take no more points.
    fn finish(&mut self) {
        if let Some((start_ms, number)) = self.chunk.take() {
            let samples = std::mem::take(&mut self.samples);
            if self.is_dirty {
                self.finished.push((start_ms, number, samples));
            }
            self.is_dirty = false;
        }
    }
}

/// A device with points that are not stored yet, or with a chunk that may take more.
pub(crate) struct OpenDevice {
    pub(crate) key: DeviceKey,
    pins: Vec<OpenPin>,
    /// The journal up to here is in its stored records.
    applied: u64,
    /// The first journal batch that is not; 0 if all is stored.
    pub(crate) dirty_from: u64,
    newest_ms: u64,
    /// Samples in memory.
    samples: usize,
    /// The hour under which it stands among those whose points are all stored; 0 if it does not.
    listed_hour: u64,
}

const _: () = assert!(size_of::<OpenDevice>() == limits::OPEN_DEVICE_BYTES);
const _: () = assert!(size_of::<OpenPin>() == limits::OPEN_PIN_BYTES);

impl OpenDevice {
    /// With what is stored of it.
    pub(crate) fn load(reader: Reader<'_>, key: DeviceKey) -> Result<Self, Error> {
        let stored: Latest = reader.get(&key)?.unwrap_or_default();
        let pins = stored.values.into_iter().map(|(pin, latest)| OpenPin {
            latest: latest.value.into_vec(),
            latest_ms: latest.at_ms,
            ..OpenPin::new(pin)
        });
        Ok(Self {
            key,
            pins: pins.collect(),
            applied: stored.applied,
            dirty_from: 0,
            newest_ms: 0,
            samples: 0,
            listed_hour: 0,
        })
    }

    /// Take a point of this journal batch, unless the stored records contain it already.
    ///
    /// `latest_ms`: a value that is dated later than this was written by a wrong clock. It gives way to any newer one, or a
    /// device would show it for as long as the clock was ahead.
    pub(crate) fn apply(&mut self, number: u64, point: &Point<'_>, next_chunk: &mut u64, latest_ms: u64) {
        if number <= self.applied {
            return;
        }
        if self.dirty_from == 0 {
            self.dirty_from = number;
        }
        self.newest_ms = self.newest_ms.max(point.at_ms);
        let at = match self.pins.binary_search_by_key(&point.pin, |open| open.pin) {
            Ok(at) => at,
            Err(at) => {
                grow(&mut self.pins);
                self.pins.insert(at, OpenPin::new(point.pin));
                at
            }
        };
        let open = &mut self.pins[at];
        if point.at_ms >= open.latest_ms || open.latest_ms > latest_ms {
            open.latest_ms = point.at_ms;
            open.latest.clear();
            open.latest.extend_from_slice(point.value);
        }
        if let Some(value) = ValueRef(point.value).as_number() {
            if open.sample(Sample { at_ms: point.at_ms, value }, next_chunk) {
                self.samples += 1;
            } else {
                self.count();
            }
        }
    }

    /// Does it hold more than was stored when it was loaded?
    pub(crate) const fn is_newer(&self) -> bool {
        self.dirty_from != 0 || self.listed_hour != 0
    }

    /// Samples in memory.
    pub(crate) const fn samples(&self) -> usize {
        self.samples
    }

    fn count(&mut self) {
        let finished = |open: &OpenPin| open.finished.iter().map(|(.., samples)| samples.len()).sum::<usize>();
        self.samples = self.pins.iter().map(|open| open.samples.len() + finished(open)).sum();
    }

    /// Its latest values.
    pub(crate) fn latest(&self, applied: u64) -> Latest {
        let value = |open: &OpenPin| LatestValue { value: open.latest.as_slice().into(), at_ms: open.latest_ms };
        Latest { applied, values: self.pins.iter().map(|open| (open.pin, value(open))).collect() }
    }

    /// Give up raw points: latest values and rows by minute stay. Returns how many.
    pub(crate) fn coalesce(&mut self) -> usize {
        let count = self.samples();
        for open in &mut self.pins {
            (open.chunk, open.is_dirty) = (None, false);
            (open.samples, open.finished) = (Vec::new(), Vec::new());
        }
        self.samples = 0;
        count
    }

    /// The hour of its newest point, unless it is listed under that already.
    pub(crate) fn newly_clean(&mut self) -> Option<u64> {
        let hour = self.newest_ms / limits::CHUNK_SPAN_MS;
        (std::mem::replace(&mut self.listed_hour, hour) != hour).then_some(hour)
    }

    /// It stands under this hour, and the hour is over: may it be forgotten?
    pub(crate) fn may_go(&mut self, hour: u64) -> bool {
        if self.listed_hour != hour {
            return false;
        }
        self.listed_hour = 0;
        self.dirty_from == 0 && self.newest_ms / limits::CHUNK_SPAN_MS == hour
    }

    /// Put everything that is not stored into a batch, all of it or nothing.
    pub(crate) fn store(&self, reader: Reader<'_>, up_to: u64, batch: &mut Batch) -> Result<(), Error> {
        batch.put(&self.key, &self.latest(up_to))?;
        let mut scratch = Vec::new();
        for open in &self.pins {
            for (start_ms, number, samples) in &open.finished {
                put_chunk(self.key, open.pin, (*start_ms, *number), samples, batch, &mut scratch)?;
            }
            if let (Some(chunk), true) = (open.chunk, open.is_dirty) {
                put_chunk(self.key, open.pin, chunk, &open.samples, batch, &mut scratch)?;
            }
            for grain in Grain::ALL {
                put_rows(reader, self.key, open.pin, grain, &open.minutes, batch, &mut scratch)?;
            }
        }
        Ok(())
    }

    /// The batch of [`OpenDevice::store`] is on its way.
    pub(crate) fn stored(&mut self, up_to: u64) {
        self.applied = up_to;
        self.dirty_from = 0;
        for open in &mut self.pins {
            open.is_dirty = false;
            open.finished = Vec::new();
            open.minutes.clear();
        }
        self.count();
    }
}

fn put_chunk(
    key: DeviceKey,
    pin: Pin,
    (start_ms, number): (u64, u64),
    samples: &[Sample],
    batch: &mut Batch,
    scratch: &mut Vec<u8>,
) -> Result<(), Error> {
    scratch.clear();
    chunk::encode(samples, scratch);
    let key = ChunkKey { org: key.org, device: key.device, pin, start_ms, number };
    batch.put_sealed(Family::Raw, Family::Raw.partition_of(start_ms), &key.bytes(), scratch)
}

/// Merge rows by minute into the stored records of a grain.
fn put_rows(
    reader: Reader<'_>,
    key: DeviceKey,
    pin: Pin,
    grain: Grain,
    minutes: &[Row],
    batch: &mut Batch,
    scratch: &mut Vec<u8>,
) -> Result<(), Error> {
    let family = grain.family();
    let record_of = |row: &Row| row.start_ms - row.start_ms % grain.record_ms();
    for rows in minutes.chunk_by(|a, b| record_of(a) == record_of(b)) {
        let start_ms = record_of(&rows[0]);
        let key = RowsKey { org: key.org, device: key.device, pin, start_ms }.bytes();
        let partition = family.partition_of(start_ms);
        let mut stored = stored_rows(reader, family, partition, &key)?;
        for row in rows {
            let start_ms = row.start_ms - row.start_ms % grain.row_ms();
            rollup::merge(&mut stored, &Row { start_ms, ..*row });
        }
        scratch.clear();
        rollup::encode(&stored, scratch);
        batch.put_sealed(family, partition, &key, scratch)?;
    }
    Ok(())
}

fn stored_rows(reader: Reader<'_>, family: Family, partition: u32, key: &KeyBytes) -> Result<Vec<Row>, Error> {
    let Some(record) = reader.get_opened(family, partition, key)? else { return Ok(Vec::new()) };
    rollup::decode(&record).map_err(|_| broken(family, key.as_ref(), Problem::Shape))
}

//! Devices whose points are not all in chunks yet.

use std::num::NonZeroU64;

use linchpin_protocol::model::{Pin, ValueRef};

use crate::read::reader::{Reader, broken};
use crate::schema::chunk::{self, ChunkKey, Sample};
use crate::schema::journal::Point;
use crate::schema::rollup::{self, Grain, Row, RowsKey};
use crate::schema::{DeviceKey, Family, KeyBytes, Latest, LatestValue};
use crate::write::batch::Batch;
use crate::{Error, Problem, limits};

/// A value: most are short, and there are many. 16 bytes, and nothing behind them up to [`SHORT_BYTES`].
enum OpenValue {
    Short(u8, [u8; SHORT_BYTES]),
    #[allow(clippy::box_collection, reason = "two words would make each short value 24 bytes")]
    Long(Box<Vec<u8>>),
}

const SHORT_BYTES: usize = 14;
const _: () = assert!(size_of::<OpenValue>() == 16);

impl OpenValue {
    fn new(value: &[u8]) -> Self {
        let mut short = [0; SHORT_BYTES];
        match short.get_mut(..value.len()) {
            Some(bytes) => {
                bytes.copy_from_slice(value);
                Self::Short(value.len() as u8, short)
            }
            None => Self::Long(Box::new(value.to_vec())),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => &bytes[..usize::from(*len)],
            Self::Long(bytes) => bytes,
        }
    }
}

/// A chunk that takes no more points: start, number, its samples and how many of them are stored.
type FinishedChunk = (u64, NonZeroU64, Vec<Sample>, u16);

/// What few pins have.
#[derive(Default)]
struct RarePin {
    /// Chunks that take no more points and are not stored as a whole.
    finished: Vec<FinishedChunk>,
    /// Rows by minute of points that were given up, sorted.
    minutes: Vec<Row>,
}

/// A pin with its latest value and its chunk. Rows by minute are made of the samples when they are stored: there are as
/// many open pins as pins that were written in the last hour.
struct OpenPin {
    latest: OpenValue,
    latest_ms: u64,
    /// The number of the chunk, once it has a point; it starts with its first sample.
    chunk: Option<NonZeroU64>,
    /// Unless [`OpenPin::is_single`].
    #[allow(clippy::box_collection, reason = "most pins have none: 8 bytes instead of 24")]
    many: Option<Box<Vec<Sample>>>,
    rare: Option<Box<RarePin>>,
    pin: Pin,
    /// So many of the samples are stored.
    stored: u16,
    /// The chunk has one sample, and that is what the latest value says: most young pins were written once.
    is_single: bool,
}

const _: () = assert!(limits::CHUNK_POINTS <= u16::MAX as usize);

/// Room for one more: most pins are written once or a few times before they are stored, and there are many pins.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(if list.len() < 8 { 1 } else { list.len() / 2 });
    }
}

impl OpenPin {
    fn new(pin: Pin) -> Self {
        let latest = OpenValue::new(b"");
        Self { latest, latest_ms: 0, chunk: None, many: None, rare: None, pin, stored: 0, is_single: false }
    }

    fn len(&self) -> usize {
        self.many.as_ref().map_or(usize::from(self.is_single), |many| many.len())
    }

    fn is_dirty(&self) -> bool {
        usize::from(self.stored) < self.len()
    }

    /// Look at the samples of the chunk.
    fn with_samples<R>(&self, look: impl FnOnce(&[Sample]) -> R) -> R {
        match &self.many {
            Some(many) => look(many),
            None => look(self.single().as_slice()),
        }
    }

    fn single(&self) -> Option<Sample> {
        let value = ValueRef(self.latest.bytes()).as_number().filter(|_| self.is_single)?;
        Some(Sample { at_ms: self.latest_ms, value })
    }

    /// Take a point. `false`: another chunk was begun, one that is stored as a whole may be forgotten.
    fn take(&mut self, point: &Point<'_>, is_latest: bool, next_chunk: &mut u64) -> bool {
        let number = ValueRef(point.value).as_number();
        if is_latest || number.is_some() {
            self.unite();
        }
        if is_latest {
            self.latest_ms = point.at_ms;
            self.latest = OpenValue::new(point.value);
        }
        number.is_none_or(|value| self.sample(Sample { at_ms: point.at_ms, value }, is_latest, next_chunk))
    }

    /// The latest value is about to be another one, or the sample to have company.
    fn unite(&mut self) {
        if let Some(single) = self.single() {
            self.many = Some(Box::new(vec![single]));
        }
        self.is_single = false;
    }

    fn sample(&mut self, sample: Sample, is_latest: bool, next_chunk: &mut u64) -> bool {
        let hour = |at_ms: u64| at_ms / limits::CHUNK_SPAN_MS;
        let fits = self.many.as_ref().is_some_and(|many| {
            many.first().is_some_and(|first| hour(first.at_ms) == hour(sample.at_ms))
                && many.len() < limits::CHUNK_POINTS
        });
        if !fits {
            self.finish();
            self.chunk = NonZeroU64::new(*next_chunk);
            *next_chunk += 1;
            self.is_single = is_latest;
        }
        if !self.is_single {
            let many = self.many.get_or_insert_default();
            grow(many);
            many.push(sample);
        }
        fits
    }

    /// Let the chunk take no more points.
    fn finish(&mut self) {
        debug_assert!(!self.is_single, "the caller has made a list of it");
        let is_dirty = self.is_dirty();
        let (samples, stored) =
            (self.many.take().map_or_else(Vec::new, |many| *many), std::mem::take(&mut self.stored));
        if let (Some(number), Some(first), true) = (self.chunk.take(), samples.first(), is_dirty) {
            let finished = (first.at_ms, number, samples, stored);
            self.rare.get_or_insert_default().finished.push(finished);
        }
    }

    fn finished(&self) -> &[FinishedChunk] {
        self.rare.as_ref().map_or(&[], |rare| &rare.finished)
    }

    fn sample_count(&self) -> usize {
        self.len() + self.finished().iter().map(|(.., samples, _)| samples.len()).sum::<usize>()
    }

    /// Rows by minute of all that is not stored, sorted.
    fn minutes(&self) -> Vec<Row> {
        let mut minutes = self.rare.as_ref().map_or_else(Vec::new, |rare| rare.minutes.clone());
        let finished =
            self.finished().iter().flat_map(|(.., samples, stored)| &samples[usize::from(*stored)..]).copied();
        self.with_samples(|samples| {
            for sample in finished.chain(samples[usize::from(self.stored)..].iter().copied()) {
                let row = Row::of(Grain::Minute, sample);
                match minutes.last_mut() {
                    // Nearly always the minute of the point before.
                    Some(last) if last.start_ms == row.start_ms => last.add(&row),
                    _ => rollup::merge(&mut minutes, &row),
                }
            }
        });
        minutes
    }

    /// Give up the samples.
    fn coalesce(&mut self) {
        let minutes = self.minutes();
        let finished = Vec::new();
        self.rare = (!minutes.is_empty()).then(|| Box::new(RarePin { finished, minutes }));
        (self.chunk, self.many, self.is_single, self.stored) = (None, None, false, 0);
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
    samples: u32,
    /// The hour under which it stands among those whose points are all stored; 0 if it does not.
    listed_hour: u32,
}

const _: () = assert!(size_of::<OpenDevice>() == limits::OPEN_DEVICE_BYTES);
const _: () = assert!(size_of::<OpenPin>() == limits::OPEN_PIN_BYTES);

impl OpenDevice {
    /// With what is stored of it.
    pub(crate) fn load(reader: Reader<'_>, key: DeviceKey) -> Result<Self, Error> {
        let stored: Latest = reader.get(&key)?.unwrap_or_default();
        let pins = stored.values.into_iter().map(|(pin, latest)| OpenPin {
            latest: OpenValue::new(&latest.value),
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
        let open = self.pin_mut(point.pin);
        let is_latest = point.at_ms >= open.latest_ms || open.latest_ms > latest_ms;
        let before = open.len();
        if open.take(point, is_latest, next_chunk) {
            self.samples += (open.len() - before) as u32;
        } else {
            self.count();
        }
    }

    fn pin_mut(&mut self, pin: Pin) -> &mut OpenPin {
        let at = match self.pins.binary_search_by_key(&pin, |open| open.pin) {
            Ok(at) => at,
            Err(at) => {
                grow(&mut self.pins);
                self.pins.insert(at, OpenPin::new(pin));
                at
            }
        };
        &mut self.pins[at]
    }

    /// Does it hold more than was stored when it was loaded?
    pub(crate) const fn is_newer(&self) -> bool {
        self.dirty_from != 0 || self.listed_hour != 0
    }

    /// Samples in memory.
    pub(crate) const fn samples(&self) -> usize {
        self.samples as usize
    }

    /// Memory beside the samples, about.
    pub(crate) const fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.pins.len() * size_of::<OpenPin>()
    }

    fn count(&mut self) {
        self.samples = self.pins.iter().map(OpenPin::sample_count).sum::<usize>() as u32;
    }

    /// Its latest values.
    pub(crate) fn latest(&self, applied: u64) -> Latest {
        let value = |open: &OpenPin| LatestValue { value: open.latest.bytes().into(), at_ms: open.latest_ms };
        Latest { applied, values: self.pins.iter().map(|open| (open.pin, value(open))).collect() }
    }

    /// Newer latest values of the same device under another key; its samples are no concern of this one.
    pub(crate) fn inherit(&mut self, before: &Latest) {
        for (pin, value) in &before.values {
            let open = self.pin_mut(*pin);
            if open.latest_ms < value.at_ms {
                open.unite();
                (open.latest, open.latest_ms) = (OpenValue::new(&value.value), value.at_ms);
            }
        }
    }

    /// Give up raw points: latest values and rows by minute stay. Returns how many.
    pub(crate) fn coalesce(&mut self) -> usize {
        let count = self.samples();
        self.pins.iter_mut().for_each(OpenPin::coalesce);
        self.samples = 0;
        count
    }

    /// The hour of its newest point, unless it is listed under that already.
    pub(crate) fn newly_clean(&mut self) -> Option<u64> {
        let hour = self.newest_ms / limits::CHUNK_SPAN_MS;
        // 2^32 hours are half a million years; a later time is of no use to anybody.
        let before = std::mem::replace(&mut self.listed_hour, hour as u32);
        (before != hour as u32).then_some(hour)
    }

    /// It stands under this hour, and the hour is over: may it be forgotten?
    pub(crate) fn may_go(&mut self, hour: u64) -> bool {
        if self.listed_hour != hour as u32 {
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
            for (start_ms, number, samples, _) in open.finished() {
                put_chunk(self.key, open.pin, (*start_ms, number.get()), samples, batch, &mut scratch)?;
            }
            if let (Some(number), true) = (open.chunk, open.is_dirty()) {
                open.with_samples(|samples| {
                    let chunk = (samples[0].at_ms, number.get());
                    put_chunk(self.key, open.pin, chunk, samples, batch, &mut scratch)
                })?;
            }
            let minutes = open.minutes();
            for grain in Grain::ALL {
                put_rows(reader, self.key, open.pin, grain, &minutes, batch, &mut scratch)?;
            }
        }
        Ok(())
    }

    /// The batch of [`OpenDevice::store`] is on its way.
    pub(crate) fn stored(&mut self, up_to: u64) {
        self.applied = up_to;
        self.dirty_from = 0;
        for open in &mut self.pins {
            open.stored = open.len() as u16;
            open.rare = None;
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

//! What a shard holds of the store: one end of a bounded lane. It fills a batch, closes it every 25 ms, and never waits.

use std::fmt;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Instant;

use linchpin_protocol::model::{DeviceId, Pin};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::collect::risk::LaneClock;
use crate::limits;
use crate::schema::OrgId;
use crate::schema::bytes::Put as _;
use crate::schema::journal::{Point, put_point};

/// A batch of points: organization, then the point as the journal writes it.
pub(crate) struct PointBatch {
    pub(crate) base_ms: u64,
    /// When its first point came.
    pub(crate) begun: Instant,
    pub(crate) bytes: Vec<u8>,
}

/// The lane has no room: retain the newest value of each pin and try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneFull;

impl fmt::Display for LaneFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} journal batches wait for the disk: telemetry is coalesced until it is faster",
            limits::JOURNAL_LANE
        )
    }
}

impl std::error::Error for LaneFull {}

/// A shard's end of its lane.
pub struct TelemetryLane {
    filling: PointBatch,
    lane: Producer<PointBatch>,
    /// Emptied batches come back, so that filling one costs no allocation.
    emptied: Consumer<Vec<u8>>,
    collector: Thread,
    clock: Arc<LaneClock>,
}

impl fmt::Debug for TelemetryLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TelemetryLane({} bytes)", self.filling.bytes.len())
    }
}

/// The collector's end.
pub(crate) struct LaneEnd {
    pub(crate) lane: Consumer<PointBatch>,
    pub(crate) emptied: Producer<Vec<u8>>,
    pub(crate) clock: Arc<LaneClock>,
}

pub(crate) fn lane(collector: Thread) -> (TelemetryLane, LaneEnd) {
    let (to, from) = RingBuffer::new(limits::JOURNAL_LANE);
    let (back, emptied) = RingBuffer::new(limits::JOURNAL_LANE);
    let filling = PointBatch { base_ms: 0, begun: Instant::now(), bytes: Vec::new() };
    let clock = Arc::new(LaneClock::default());
    let end = LaneEnd { lane: from, emptied: back, clock: clock.clone() };
    (TelemetryLane { filling, lane: to, emptied, collector, clock }, end)
}

impl TelemetryLane {
    /// Add a value. `at_ms` is wall time since 1970.
    ///
    /// # Errors
    /// The batch is full and the lane too: nothing was added.
    pub fn write(&mut self, org: OrgId, device: DeviceId, pin: Pin, at_ms: u64, value: &[u8]) -> Result<(), LaneFull> {
        if self.filling.bytes.len() + value.len() + 32 > limits::JOURNAL_BATCH_BYTES {
            self.close_batch()?;
        }
        if self.filling.bytes.is_empty() {
            (self.filling.base_ms, self.filling.begun) = (at_ms, Instant::now());
            self.clock.begin(self.filling.begun);
        }
        self.filling.bytes.put_varint(u64::from(org.get()));
        put_point(self.filling.base_ms, &Point { device, pin, at_ms, value }, &mut self.filling.bytes);
        Ok(())
    }

    /// Hand over what was added. Call it every [`limits::JOURNAL_BATCH_MS`].
    ///
    /// # Errors
    /// The lane is full; the batch stays.
    pub fn close_batch(&mut self) -> Result<(), LaneFull> {
        if self.filling.bytes.is_empty() {
            return Ok(());
        }
        if self.lane.is_full() {
            self.collector.unpark();
            return Err(LaneFull);
        }
        let empty = self.emptied.pop().unwrap_or_default();
        let empty = PointBatch { base_ms: 0, begun: self.filling.begun, bytes: empty };
        let full = std::mem::replace(&mut self.filling, empty);
        // There is room: this is the only producer.
        let _ = self.lane.push(full);
        self.collector.unpark();
        Ok(())
    }
}

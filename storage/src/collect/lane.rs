//! What a shard holds of the store: one end of a bounded lane. It fills a batch, closes it every 25 ms, and never waits.

use std::fmt;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Instant;

use linchpin_protocol::model::{DeviceId, Pin};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::collect::risk::LaneClock;
use crate::collect::share::{LaneShares, free_bytes};
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
pub enum LaneFull {
    /// For nobody.
    Whole,
    /// For this organization: it has as much in the lane as is free.
    Share,
}

impl fmt::Display for LaneFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => write!(f, "{} journal batches wait for the disk", limits::JOURNAL_LANE)?,
            Self::Share => f.write_str("what the organization wrote fills its share of the journal's lane")?,
        }
        f.write_str(": telemetry is coalesced until the disk is faster")
    }
}

impl std::error::Error for LaneFull {}

/// What a point takes beside its value, bytes at most.
const POINT_BYTES: usize = 32;

/// A shard's end of its lane.
pub struct TelemetryLane {
    filling: PointBatch,
    lane: Producer<PointBatch>,
    /// Emptied batches come back, so that filling one costs no allocation.
    emptied: Consumer<Vec<u8>>,
    collector: Thread,
    clock: Arc<LaneClock>,
    shares: LaneShares,
    /// Batches that the lane takes, as of the last close.
    free_batches: usize,
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
    let (shares, free_batches) = (LaneShares::default(), limits::JOURNAL_LANE);
    (TelemetryLane { filling, lane: to, emptied, collector, clock, shares, free_batches }, end)
}

impl TelemetryLane {
    /// Add a value. `at_ms` is wall time since 1970.
    ///
    /// # Errors
    /// The batch is full and the lane too, or the organization has its share of it: nothing was added.
    pub fn write(&mut self, org: OrgId, device: DeviceId, pin: Pin, at_ms: u64, value: &[u8]) -> Result<(), LaneFull> {
        let len_bytes = value.len() + POINT_BYTES;
        if self.filling.bytes.len() + len_bytes > limits::JOURNAL_BATCH_BYTES {
            self.close_batch()?;
        }
        if !self.may_add(org, len_bytes) {
            // The collector may have taken some since.
            self.look();
            if !self.may_add(org, len_bytes) {
                return Err(LaneFull::Share);
            }
        }
        if self.filling.bytes.is_empty() {
            (self.filling.base_ms, self.filling.begun) = (at_ms, Instant::now());
            self.clock.begin(self.filling.begun);
        }
        self.filling.bytes.put_varint(u64::from(org.get()));
        put_point(self.filling.base_ms, &Point { device, pin, at_ms, value }, &mut self.filling.bytes);
        Ok(())
    }

    /// Hand over what was added, if it is due: call it every [`limits::JOURNAL_BATCH_MS`]. While the collector is behind it
    /// takes no batch sooner for being offered sooner, and small ones would use up the lane: they go on filling.
    ///
    /// # Errors
    /// The batch stays: the lane is full, or more than half full and the batch less than half.
    pub fn close_due(&mut self) -> Result<(), LaneFull> {
        self.look();
        let is_behind = self.free_batches < limits::JOURNAL_LANE / 2;
        if is_behind && self.filling.bytes.len() < limits::JOURNAL_BATCH_BYTES / 2 && !self.filling.bytes.is_empty() {
            self.collector.unpark();
            return Err(LaneFull::Whole);
        }
        self.close_batch()
    }

    /// Hand over what was added.
    ///
    /// # Errors
    /// The lane is full; the batch stays.
    pub fn close_batch(&mut self) -> Result<(), LaneFull> {
        self.look();
        if self.filling.bytes.is_empty() {
            return Ok(());
        }
        if self.free_batches == 0 {
            self.collector.unpark();
            return Err(LaneFull::Whole);
        }
        self.shares.hand_over();
        let empty = self.emptied.pop().unwrap_or_default();
        let empty = PointBatch { base_ms: 0, begun: self.filling.begun, bytes: empty };
        let full = std::mem::replace(&mut self.filling, empty);
        // There is room: this is the only producer.
        let _ = self.lane.push(full);
        self.free_batches -= 1;
        self.collector.unpark();
        Ok(())
    }

    fn may_add(&mut self, org: OrgId, len_bytes: usize) -> bool {
        self.shares.may_add(org, len_bytes, free_bytes(self.free_batches, self.filling.bytes.len()))
    }

    /// What has the collector taken?
    fn look(&mut self) {
        self.free_batches = self.lane.slots();
        self.shares.waiting(limits::JOURNAL_LANE - self.free_batches);
    }
}

//! What others ask of the collecting thread, and what it counts for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc::SyncSender;

use crate::Error;
use crate::collect::lane::LaneEnd;
use crate::collect::risk::AtRisk;
use crate::schema::{DeviceKey, Latest, OrgId};

/// Some devices; `None` ends the list.
pub(crate) type LatestPiece = Result<Option<Vec<(DeviceKey, Latest)>>, Error>;

/// Where the outcome of a request goes.
pub(crate) type OutcomeSender<T> = SyncSender<Result<T, Error>>;

/// What others ask of the thread.
pub(crate) enum Ask {
    /// A shard's lane.
    Lane(LaneEnd),
    /// Store what is collected of a device, so that a read finds it.
    Store(DeviceKey, OutcomeSender<()>),
    /// Store everything.
    StoreAll(OutcomeSender<()>),
    /// Forget what is collected of an organization, or of one device of it.
    Forget(OrgId, Option<DeviceKey>, OutcomeSender<()>),
    /// The latest values of a device, if it is open.
    Latest(DeviceKey, OutcomeSender<Option<Latest>>),
    /// The second device is the first one under its new key: newer latest values of the first are its own.
    Inherit(DeviceKey, DeviceKey, OutcomeSender<()>),
    /// The latest values of the devices that the journal of the last run knows, as the replay collects them.
    Replayed(SyncSender<LatestPiece>),
    /// Do this while nothing is stored: what reads records of history and writes them again.
    Still(Box<dyn FnOnce() -> Result<u64, Error> + Send>, OutcomeSender<u64>),
    Stop,
}

/// What the thread has done; read by metrics.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) points: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) at_risk: Arc<AtRisk>,
    /// Raw points given up because neither disk nor memory had room for them.
    pub(crate) given_up: AtomicU64,
    /// Memory of devices that are open, with their pins and samples.
    pub(crate) open_bytes: AtomicU64,
    /// Points of organizations without a key, or outside the time that is retained.
    pub(crate) refused: AtomicU64,
    pub(crate) is_replayed: AtomicBool,
}

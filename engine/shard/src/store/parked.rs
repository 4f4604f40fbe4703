//! Reads that wait for values of the last run.

use linchpin_protocol::model::Pin;

use crate::ConnRef;

/// A sync that waits for values of the last run.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(super) asker: ConnRef,
    pub(super) id: u16,
    /// `None`: all that are meant to be synced.
    pub(super) pins: Option<Box<[Pin]>>,
}

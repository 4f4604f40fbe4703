//! What a shard asks the store's readers about history.

use linchpin_protocol::http::History;
use linchpin_protocol::model::{DeviceId, OrgId, Pin};

/// A question, and of whom.
pub(crate) struct HistoryAsk {
    /// The device's organization.
    pub(crate) org: OrgId,
    /// The device.
    pub(crate) device: DeviceId,
    /// What is asked.
    pub(crate) ask: History,
    /// Of which pins.
    pub(crate) pins: Box<[Pin]>,
    /// The asker speaks TLS.
    pub(crate) over_tls: bool,
}

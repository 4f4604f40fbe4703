//! Who a logged-in connection is, for the log.

use std::net::SocketAddr;

use linchpin_protocol::InfoPairs;
use linchpin_protocol::model::DeviceId;

use crate::connection::NO_DEVICE;
use crate::{Shard, Slot};

/// A device that is connected.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The device.
    pub device: DeviceId,
    /// Its address.
    pub peer: SocketAddr,
    /// It speaks MQTT instead of the Blynk protocol.
    pub is_mqtt: bool,
    /// Its frames come in those of a WebSocket.
    pub is_websocket: bool,
    /// Its bytes are sealed.
    pub is_tls: bool,
    /// What its firmware says of itself; empty until it has.
    pub firmware: InfoPairs<'a>,
}

impl Shard {
    /// The device of a connection; `None`: it has none, or none any more.
    #[must_use]
    pub fn presented(&self, slot: Slot) -> Option<Presented<'_>> {
        let connection = self.connections.get(slot).filter(|c| c.device != NO_DEVICE)?;
        let device = &self.devices[connection.device];
        Some(Presented {
            device: device.id,
            peer: connection.peer.address(),
            is_mqtt: connection.wire.speech.is_mqtt(),
            is_websocket: connection.wire.framing.is_websocket(),
            is_tls: connection.wire.tls.is_on(),
            firmware: InfoPairs::new(device.firmware.map_or(&[], |blob| self.catalog.firmware.get(blob))),
        })
    }
}

//! One device, and what its group is like.

use std::ops::Range;

use linchpin_driver::ConnId;
use linchpin_protocol::blynk::DeviceOptions;

use super::session::Session;
use super::wire::ClientWire;
use crate::limits;
use crate::scenario::{Group, MessageKind, Transport};

/// Where a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientStage {
    /// Without a connection.
    Off,
    /// Its connect waits for its turn.
    Queued,
    Connecting,
    /// TLS or WebSocket.
    Shaking,
    LoggingIn,
    Online,
}

/// One device.
pub(crate) struct Device {
    pub(crate) session: Session,
    pub(crate) wire: ClientWire,
    pub(crate) conn: Option<ConnId>,
    /// When its connect was intended, and when its stage began.
    pub(crate) intended_ns: u64,
    pub(crate) since_ns: u64,
    /// Counts its connections.
    pub(crate) attempt: u16,
    pub(crate) stage: ClientStage,
    pub(crate) group: u8,
    /// The socket did not take all of the last send.
    pub(crate) is_blocked: bool,
    /// It does not read.
    pub(crate) is_deaf: bool,
    /// A receive is armed; matters where receives are single.
    pub(crate) is_armed: bool,
    /// The plan cut it or switched it off, and it has not been online since.
    pub(crate) is_away: bool,
}

/// With its token, two entries of tables by connection, two places in streams and the driver's slot.
const _: () = assert!(size_of::<Device>() + 32 + 16 + 8 * 8 <= limits::DEVICE_BYTES);

impl Device {
    pub(crate) fn new(group: u8, transport: Transport) -> Self {
        Self {
            session: Session::new(transport),
            wire: ClientWire::PLAIN,
            conn: None,
            intended_ns: 0,
            since_ns: 0,
            attempt: 0,
            stage: ClientStage::Off,
            group,
            is_blocked: false,
            is_deaf: false,
            is_armed: false,
            is_away: false,
        }
    }
}

/// A group's devices of this worker.
pub(crate) struct Crowd {
    pub(crate) group: Group,
    pub(crate) devices: Range<u32>,
    /// Number in the run of the first of them.
    pub(crate) first: u64,
    pub(crate) options: DeviceOptions,
    pub(crate) transport: Transport,
    /// Pins that SYNC asks for: they are written once after the login, so that there is something to answer.
    pub(crate) synced: Vec<u8>,
    pub(crate) has_bridge: bool,
}

impl Crowd {
    pub(crate) fn new(group: &Group, devices: Range<u32>, first: u64) -> Self {
        let pins = group.mix.iter().filter(|mix| mix.kind == MessageKind::Sync).map(|mix| mix.pin);
        let options = DeviceOptions {
            heartbeat_s: group.h_beat.0.as_secs().clamp(1, 3_600) as u16,
            board: "loadgen".into(),
            ..DeviceOptions::default()
        };
        Self {
            group: group.clone(),
            devices,
            first,
            options,
            transport: group.transport,
            synced: pins.collect(),
            has_bridge: group.mix.iter().any(|mix| mix.kind == MessageKind::Bridge),
        }
    }

    /// A device's number in the run.
    pub(crate) fn number(&self, device: u32) -> u64 {
        self.first + u64::from(device - self.devices.start)
    }

    /// The device that another one's bridge leads to.
    pub(crate) fn neighbour(&self, device: u32) -> u32 {
        if device + 1 < self.devices.end { device + 1 } else { self.devices.start }
    }
}

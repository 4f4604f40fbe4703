//! What travels of a connection to another process.

use std::net::SocketAddr;

use linchpin_protocol::model::DeviceId;
use linchpin_tls::Away;

use crate::TokenRight;
use crate::connection::outbound::WaitingFrame;
use crate::connection::{Framing, Speech};

/// A connection on its way to another process: everything but the descriptor. Its TLS can neither open nor seal until it
/// has arrived or come back.
#[derive(Debug)]
pub struct Freight {
    /// The peer's address.
    pub peer: SocketAddr,
    /// Bytes for the peer, sealed if TLS is spoken, that the socket had not taken.
    pub unsent: Vec<u8>,
    pub(super) footing: Footing,
    pub(super) tls: Cover,
    pub(super) framing: Framing,
    pub(super) speech: Speech,
    /// Unfinished input.
    pub(super) carry: Vec<u8>,
    /// Frames that wait.
    pub(super) waiting: Vec<WaitingFrame>,
    /// Bridge pins and the devices that they stand for.
    pub(super) bridges: Vec<(u8, TokenRight)>,
    /// What the device's firmware said of itself.
    pub(super) firmware: Box<[u8]>,
    pub(super) times: Spans,
    pub(super) frames: u32,
    pub(super) heartbeat_s: u16,
    pub(super) buff_in: u16,
    pub(super) gate: u8,
}

/// How far a connection is that can travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Footing {
    /// What it speaks has not shown.
    Opening,
    /// HTTP, between two requests.
    Serving,
    /// A device, logged in.
    Live(DeviceId),
}

/// TLS of a connection that can travel.
#[derive(Debug)]
pub(super) enum Cover {
    /// Not spoken.
    Off,
    /// Must be spoken; no byte has come.
    Due {
        /// The listener wants a certificate of the client.
        mutual: bool,
    },
    /// Spoken.
    Away(Away),
}

/// Times of a connection against now, ms: clocks of two processes begin apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans {
    /// Since bytes last came.
    pub(super) heard_ms: u32,
    /// Since it was accepted.
    pub(super) begun_ms: u32,
    /// Until its phase must end.
    pub(super) left_ms: u32,
    /// Until the next paced send.
    pub(super) paced_ms: u32,
}

impl Freight {
    /// The device that is logged in; it decides which shard the connection belongs to.
    #[must_use]
    pub const fn device(&self) -> Option<DeviceId> {
        match self.footing {
            Footing::Live(device) => Some(device),
            Footing::Opening | Footing::Serving => None,
        }
    }
}

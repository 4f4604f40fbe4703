//! What shards write each other. Plain data: a letter may one day cross a machine border.

use std::net::SocketAddr;

use linchpin_protocol::Status;
use linchpin_protocol::http::{Call, Reply};
use linchpin_protocol::model::{DeviceId, Pin};

use crate::connection::Wire;
use crate::{ConnRef, Digest, MoveId};

/// Why a token is looked up; travels with the question and comes back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A connection logs in.
    Login,
    /// A logged-in device opens a bridge to another device (`BRIDGE pin i token`).
    Bridge {
        /// Message id to answer.
        id: u16,
        /// The bridge pin that will stand for the target.
        bridge_pin: u8,
    },
}

/// A connection on its way home: everything but the descriptor.
#[derive(Debug)]
pub struct Cargo {
    /// The device that it logs in as.
    pub device: DeviceId,
    /// The peer's address.
    pub peer: SocketAddr,
    /// Its layers: the login is not answered yet, home answers it.
    pub(crate) wire: Wire,
    /// Message id of the login.
    pub login_id: u16,
    /// Bytes that were received after the login frame; home feeds them after its answer.
    pub carry: Vec<u8>,
    /// Bytes for the peer, sealed if TLS is spoken, that had not left when the connection did; home sends them first.
    pub unsent: Vec<u8>,
}

/// One letter.
#[derive(Debug)]
pub enum Letter {
    /// To the owner of the digest's index entry: which device is it?
    Resolve {
        /// Keyed digest of the token.
        digest: Digest,
        /// The connection that asks.
        asker: ConnRef,
        /// Why.
        purpose: Purpose,
    },
    /// The owner's answer, to the asker's shard.
    Resolved {
        /// The connection that asked.
        asker: ConnRef,
        /// The device, if the token is known.
        device: Option<DeviceId>,
        /// As in the question.
        purpose: Purpose,
    },
    /// State of a connection whose descriptor travels under the same id.
    Moving {
        /// Names the pair of letter and descriptor.
        id: MoveId,
        /// The state.
        cargo: Box<Cargo>,
    },
    /// The descriptor did not travel: forget the cargo.
    MoveRevoked {
        /// As in `Moving`.
        id: MoveId,
    },
    /// To the home of `device`: a bridge write of another device.
    Bridge {
        /// The target.
        device: DeviceId,
        /// The writing connection, to be answered only when the write is refused.
        asker: ConnRef,
        /// Message id of the write.
        id: u16,
        /// Target pin.
        pin: Pin,
        /// Raw value, multi values NUL-joined.
        value: Box<[u8]>,
    },
    /// An HTTP request, to the owner of its token's index entry and from there to the device's home.
    Ask {
        /// Keyed digest of the token.
        digest: Digest,
        /// The device, once it is known.
        device: Option<DeviceId>,
        /// The connection that waits for the answer.
        asker: ConnRef,
        /// What is asked.
        call: Box<Call>,
    },
    /// The answer to [`Letter::Ask`], to the asker's shard.
    Reply {
        /// The connection that waits.
        asker: ConnRef,
        /// The answer; `None`: no device has this token.
        reply: Option<Box<Reply>>,
    },
    /// A late answer to a frame of the asker's connection.
    Answer {
        /// The connection.
        asker: ConnRef,
        /// Message id.
        id: u16,
        /// What to answer.
        status: Status,
    },
}

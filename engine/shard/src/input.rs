//! What can happen to a shard: the one argument of [`crate::Shard::handle`].

use std::net::SocketAddr;

use crate::{AnswerPart, AskRef, Command, Letter, LocalLetter, MoveId, Parcel, ShardId, Slot};

/// How a connection receives: see [`crate::Effect::Arm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receive {
    /// One [`Input::Received`], then nothing is armed (before the connection reached its home).
    Once,
    /// Stays armed until the connection is closed.
    Stay,
}

/// How a connection came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// From the client itself.
    #[default]
    Direct,
    /// From the client itself, to a listener that takes TLS only.
    Tls,
    /// The same, and the client must show a certificate.
    Mutual,
    /// From a load balancer that the operator lists: it says first who the client is (PROXY protocol version 2).
    Proxy,
    /// To a listener for load balancers, from an address that is not listed.
    Stranger,
}

/// One event. The driver (or the simulator) guarantees: nothing is reported for a slot before `Accepted` or `Arrived`
/// and nothing after `Closed`; after `PeerClosed` or `Failed` the slot stays the shard's until the shard closes it.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted into `slot`; nothing is armed yet.
    Accepted {
        /// Free slot that the driver chose.
        slot: Slot,
        /// The peer's address.
        peer: SocketAddr,
        /// The way it came.
        via: Via,
    },
    /// Bytes of the peer, 1 or more, at any cut. The buffer is the shard's until the call returns.
    Received {
        /// The connection.
        slot: Slot,
        /// Its bytes, in the driver's receive buffer.
        bytes: &'a mut [u8],
    },
    /// The peer will send nothing more (FIN).
    PeerClosed {
        /// The connection.
        slot: Slot,
    },
    /// The connection broke (reset, timeout of TCP).
    Failed {
        /// The connection.
        slot: Slot,
        /// The operating system's error number.
        errno: i32,
    },
    /// The socket took only part of what was sent. The driver holds the rest; the shard sends nothing more to this
    /// connection until `Drained`.
    Blocked {
        /// The connection.
        slot: Slot,
        /// Length of the rest.
        bytes: usize,
    },
    /// The driver has sent what it held since `Blocked`.
    Drained {
        /// The connection.
        slot: Slot,
    },
    /// The slot is free again; answers [`crate::Effect::Close`], and comes after a successful move too.
    Closed {
        /// The slot that is free now.
        slot: Slot,
    },
    /// The descriptor of a connection that another shard moved has reached this one; its state comes in
    /// [`LocalLetter::Moving`] with the same id, before or after.
    Arrived {
        /// The move, as the sending shard named it.
        id: MoveId,
        /// Free slot that the driver chose here.
        slot: Slot,
    },
    /// A move did not happen (the table at home is full): the connection is still in `slot`, nothing is armed.
    MoveFailed {
        /// As in [`crate::Effect::Move`].
        id: MoveId,
        /// The connection, here.
        slot: Slot,
    },
    /// Another shard writes.
    Letter {
        /// The sender.
        from: ShardId,
        /// What it says.
        letter: Letter,
    },
    /// Another shard of this process writes.
    LocalLetter {
        /// The sender.
        from: ShardId,
        /// What it says.
        letter: LocalLetter,
    },
    /// A letter of this shard could not be delivered: the lane to `to` and its bounded outbox are full.
    Undelivered {
        /// The shard that could not be reached.
        to: ShardId,
        /// The letter, given back.
        parcel: Parcel,
    },
    /// A part of the control plane's answer to an ask.
    Answer {
        /// The ask.
        ask: AskRef,
        /// The part.
        part: AnswerPart,
    },
    /// The control plane asks; the answer goes out as [`crate::Effect::Report`].
    Command(Command),
    /// Time has passed: expire what is due. To be given at least when [`crate::Shard::deadline`] has come.
    Timer,
}

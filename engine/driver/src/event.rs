//! What a driver reports, and the small types around it.

use std::net::SocketAddr;
use std::time::Duration;

/// A connection of one driver: a slot number, reused only after [`Event::Closed`] was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u32);

impl ConnId {
    /// Position in tables by connection.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A listener of one driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub u16);

/// How a connection receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One [`Event::Received`], then nothing is armed.
    Once,
    /// Until the connection is closed.
    Multi,
}

/// How long [`crate::Driver::poll`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// At most this long, or until something happens or the waker is used.
    Until(Duration),
}

/// One thing that happened.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A peer connected; nothing is armed.
    Accepted {
        /// The new connection.
        conn: ConnId,
        /// Where it came in.
        listener: ListenerId,
        /// The peer.
        peer: SocketAddr,
    },
    /// Our own connection stands; nothing is armed.
    Connected {
        /// The connection.
        conn: ConnId,
    },
    /// Our own connection could not be made; `Closed` follows by itself.
    ConnectFailed {
        /// The connection.
        conn: ConnId,
        /// Why.
        errno: i32,
    },
    /// 1 or more bytes of the peer.
    Received {
        /// The connection.
        conn: ConnId,
        /// The bytes, in the driver's buffer: valid during the call.
        bytes: &'a mut [u8],
    },
    /// The peer sends nothing more. The connection stays until it is closed here.
    EndOfStream {
        /// The connection.
        conn: ConnId,
    },
    /// The connection broke. It stays until it is closed here.
    Failed {
        /// The connection.
        conn: ConnId,
        /// Why.
        errno: i32,
    },
    /// The socket did not take all of a send; the driver keeps the rest and sends it when it can.
    Blocked {
        /// The connection.
        conn: ConnId,
        /// Bytes that wait now; 0: they have left meanwhile, and `Drained` follows.
        bytes: usize,
    },
    /// The rest has been taken.
    Drained {
        /// The connection.
        conn: ConnId,
    },
    /// Nothing of the connection is left; its number may be used again. Also after a successful transfer.
    Closed {
        /// The number that is free.
        conn: ConnId,
    },
    /// Another driver transferred a connection here; nothing is armed.
    Arrived {
        /// The sender's token.
        token: u64,
        /// Its number here.
        conn: ConnId,
    },
    /// A transfer did not happen: the connection is still here, nothing is armed.
    TransferFailed {
        /// The token of the transfer.
        token: u64,
        /// The connection.
        conn: ConnId,
        /// ENFILE: the target is full. EBADF: the target is gone.
        errno: i32,
    },
    /// No descriptor or slot is left: the listener waits.
    AcceptPaused {
        /// The listener.
        listener: ListenerId,
        /// EMFILE, ENFILE, or 0 when the driver's own table is full.
        errno: i32,
    },
    /// The listener accepts again.
    AcceptResumed {
        /// The listener.
        listener: ListenerId,
    },
    /// Somebody used the waker.
    Woken,
}

/// Bytes `start..end` of the arena for one connection; at most one per connection and flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The connection.
    pub conn: ConnId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What a driver has counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverCounters {
    /// System calls that submitted or waited.
    pub enters: u64,
    /// Completions or readiness events.
    pub completions: u64,
    /// Receives that found no buffer.
    pub no_buffers: u64,
    /// Multishot operations that ended and were armed again.
    pub rearmed: u64,
    /// Enters that found the completion queue overflowed.
    pub overflows: u64,
    /// Sends.
    pub sends: u64,
    /// Sends that were taken in part or not at all.
    pub short_sends: u64,
    /// Accepted connections.
    pub accepts: u64,
    /// Times that a listener had to wait for a descriptor or slot.
    pub accept_pauses: u64,
    /// Connections that were transferred away.
    pub transfers: u64,
    /// Bytes that sockets have not taken yet.
    pub backlog_bytes: u64,
    /// Completions of operations whose connection was closed meanwhile.
    pub late: u64,
}

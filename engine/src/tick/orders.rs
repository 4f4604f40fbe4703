//! What a shard's thread is ordered while its server is handed over, on either side. Each order is answered once.

use std::os::fd::OwnedFd;

use linchpin_control::http::AskLane;
use linchpin_shard::Slot;
use linchpin_shard::handover::Freight;
use linchpin_tls::Claim;
use zeroize::Zeroizing;

use crate::store::StoreLane;

/// A connection as it travels: descriptor and packed state.
pub(crate) type Passenger = (OwnedFd, Zeroizing<Vec<u8>>);

/// What is ordered.
pub(crate) enum ShardOrder {
    /// Accept nothing more. Answered with how many connections are in the middle of something.
    StopAccepting,
    /// Can descriptors go to another process? Answered with [`ShardAnswer::Still`].
    CanExport,
    /// End so many connections; answered with how many are left.
    EndSome(usize),
    /// The same count again.
    CountUnsettled,
    /// Receive nothing more, and wait until nothing is in flight.
    StandStill,
    /// Take letters and commands that have come, once.
    Round,
    /// Hand everything over to the store, and the store's lane with it.
    LeaveStore,
    /// The next connections for the other process.
    Export,
    /// The listeners' descriptors.
    Listeners,
    /// Put everything back and serve on.
    Resume(Box<Resumed>),
    /// The other process serves: end what stayed, and the thread.
    Leave,
    /// Connections of the other process.
    Take(Vec<(OwnedFd, Box<Freight>)>),
    /// Go on with all of them, and serve.
    Wake(Claim),
}

/// What a shard serves on with, if it was left before.
#[derive(Default)]
pub(crate) struct Resumed {
    pub(crate) store: Option<StoreLane>,
    /// `None`: store and control plane were not left, and both are as they were.
    pub(crate) asks: Option<AskLane>,
}

/// What is answered.
pub(crate) enum ShardAnswer {
    Done,
    /// So many connections are in the middle of something.
    Unsettled(usize),
    /// Was anything in flight when the time was over?
    Still(bool),
    /// Did anything happen?
    Rounded(bool),
    Exported(Exported),
    /// In the order of the doors; `None`: stopped.
    Listeners(std::io::Result<Vec<Option<OwnedFd>>>),
    /// What became of each connection: 0 taken, else the number of its end.
    Took(Vec<u16>),
}

/// A part of a shard's connections.
#[derive(Default)]
pub(crate) struct Exported {
    pub(crate) passengers: Vec<Passenger>,
    /// Connections that cannot go along.
    pub(crate) left: u64,
    /// There are no more.
    pub(crate) is_last: bool,
}

/// Where a shard stands in a hand-over.
#[derive(Default)]
pub(crate) struct Handover {
    /// Nothing moves: only orders are carried out.
    pub(super) stands: bool,
    /// Slots that were not looked at yet.
    pub(super) to_export: Option<Vec<Slot>>,
    /// States that were written down, to be put back if the other process fails.
    pub(super) away: Vec<(Slot, Box<Freight>)>,
}

impl Handover {
    /// That of a shard whose connections are still to come.
    pub(crate) fn arriving() -> Self {
        Self { stands: true, ..Self::default() }
    }
}

//! What the store gets of a shard, and what it gives back.

mod awaited;
mod change;
mod form;
pub(crate) mod identity;
mod intake;
mod parked;
mod points;
mod record;
mod restore;

use std::collections::VecDeque;

pub use awaited::{AwaitedAnswer, AwaitedKind};
pub use change::{Change, DeviceChange, EventDay, EventId, Restored};
pub use intake::Intake;
use parked::Parked;
pub use points::Points;

/// What a shard knows of its store.
#[derive(Debug)]
pub(crate) struct StoreLink {
    /// What it takes.
    pub(crate) intake: Intake,
    /// Points are shown to whoever drives the shard, whatever the store takes.
    shows_points: bool,
    /// So are logins.
    pub(crate) shows_logins: bool,
    /// Positions of devices whose properties or metadata it has not been given; each once.
    changed: VecDeque<u32>,
    /// Reads that wait for values of the last run; `None`: all have come.
    pub(crate) parked: Option<Vec<Parked>>,
    /// Number of the last entry for it.
    entries: u32,
    /// The verb that is being carried out has handed something over.
    must_await: bool,
}

impl StoreLink {
    pub(crate) fn new(intake: Intake, replaying: bool) -> Self {
        Self {
            intake,
            shows_points: false,
            shows_logins: false,
            changed: VecDeque::new(),
            parked: replaying.then(Vec::new),
            entries: 0,
            must_await: false,
        }
    }
}

//! What the store takes at the moment, and what is answered while it takes nothing.

use linchpin_protocol::Status;
use linchpin_protocol::http::{Dialect, Reply};

use crate::Shard;

/// What the store takes at the moment: what it does not take is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// There is no store: state is gone with the process, and who writes was told so.
    Memory,
    /// Everything.
    All,
    /// Points, which wait in memory while the disk is full or slow. Events, properties and metadata are refused.
    Points,
    /// Nothing: a sync has failed.
    Nothing,
}

impl Shard {
    /// May an event, a property or metadata be acknowledged?
    pub(crate) fn takes_changes(&self) -> bool {
        matches!(self.keeping, Keeping::Memory | Keeping::All)
    }

    /// What a device is told whose change cannot be kept.
    pub(crate) const NOT_KEPT: Status = Status::ServerError;

    /// What an HTTP client is told whose change cannot be kept.
    pub(crate) fn not_kept(&self, dialect: Dialect) -> Reply {
        let text = match self.keeping {
            Keeping::Nothing => "The server's disk has failed and nothing can be kept: its operator must restart it.",
            _ => "The server's disk is full or too slow, the change was not kept: try again later.",
        };
        Reply::error(dialect, 503, text)
    }
}

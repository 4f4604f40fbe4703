//! The classes of connections, each with memory of its own.

use serde::{Deserialize, Serialize};

use crate::limits;

/// What a connection is at; each class has memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LedgerClass {
    /// Not logged in: nothing is known but the address.
    Opening,
    /// TLS is being negotiated.
    Tls,
    /// HTTP, and connections that close.
    Http,
    /// Logged-in devices.
    Live,
}

impl LedgerClass {
    pub(super) const ALL: [Self; 4] = [Self::Opening, Self::Tls, Self::Http, Self::Live];

    /// Its part of the memory, sixteenths.
    pub(super) const fn sixteenths(self) -> u64 {
        limits::LEDGER_SIXTEENTHS[self as usize]
    }
}

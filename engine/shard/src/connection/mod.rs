//! Connections: their table, what each is made of, and what comes and leaves.

mod accept;
pub(crate) mod address;
pub(crate) mod outbound;
mod outlet;
pub(crate) mod table;
pub(crate) mod wheel;

pub(crate) use table::{Connection, Connections, Exchange, NO_DEVICE, Peer, Phase, Ticks, gate};

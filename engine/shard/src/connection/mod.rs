//! Connections: their table, what each is made of, and what comes and leaves.

mod accept;
pub(crate) mod address;
mod close;
pub(crate) mod failures;
pub(crate) mod outbound;
mod outlet;
mod table;
mod timers;
pub(crate) mod wheel;
mod wire;

pub use table::Peer;
pub(crate) use table::{Connection, Connections, Extra, NO_DEVICE, Phase, Ticks, gate};
pub(crate) use wire::{Announced, Exchange, Framing, Speech, Wire};

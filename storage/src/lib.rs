//! Records and RocksDB: so far the floor of the room, not wired to the engine yet.
//!
//! A [`Store`] is one RocksDB with the recovery settings that the evidence decided: what was synced is there after a
//! crash, a torn end of the log is forgotten, and damage anywhere else is refused at open instead of being skipped. A
//! failed sync poisons the store: from then on nothing is acknowledged. Sealing, schema, journal and keys come on top;
//! until then the engine keeps its state in memory and says so.

mod error;
pub mod limits;
mod poison;
mod store;

pub use error::Error;
pub use store::{Batch, Store};

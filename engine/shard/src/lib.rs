//! One core's world: connections, devices, timers and limits of one shard, without I/O.
//!
//! The whole crate is one state machine, [`Shard`], with one shape:
//! `shard.handle(now, input, &mut effects)`. Time is an argument, randomness is a seed given at
//! start, and whatever must happen outside (send, close, move, tell another shard) is pushed to
//! [`Effects`] in the order in which it must be carried out. A driver (`engine/src/tick/mod.rs`) or the
//! simulator (`tests/sim`) carries it out.
//!
//! A shard never blocks, never waits for another shard, and shares no memory with it: shards write
//! each other [`Letter`]s, and the control plane writes them [`Command`]s. Both are plain data.

mod accept;
mod address;
mod api;
mod arrive;
mod attach;
mod attributes;
mod blobs;
mod bridge;
mod change;
mod command;
mod connection;
mod counters;
mod depart;
mod device;
mod diary;
mod drain;
mod effects;
mod end;
mod handshakes;
mod ids;
mod index;
mod input;
mod keeping;
mod letter;
mod letters;
pub mod limits;
mod live;
mod operate;
mod outbound;
mod outlet;
mod pins;
mod points;
mod quota;
mod record;
mod records;
mod resolve;
mod restore;
mod secure;
mod settings;
mod shard;
mod templates;
mod values;
mod watch;
mod web;
mod websocket;
mod wheel;

pub use change::{Change, EventId, Kept, Restored};
pub use command::{
    Command, DeviceRow, DeviceView, DiaryEntry, EngineCounters, Push, Report, RequestId, ShardStatus, WatchedFrame,
};
pub use effects::{Effect, Effects, SendRange};
pub use end::{Blame, End};
pub use ids::{ConnRef, Digest, ShardId, Slot, home_of, index_owner_of};
pub use index::digest;
pub use input::{Input, Receive, Via};
pub use keeping::Keeping;
pub use letter::{Cargo, Letter, Purpose};
pub use points::Points;
pub use secure::TlsOptions;
pub use settings::Settings;
pub use shard::{Shard, ShardOptions};

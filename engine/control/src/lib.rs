//! The control plane: what operators ask, on threads of its own, never on the device path.
//!
//! Ordinary async Rust on tokio. It owns the [`Registry`] of templates and devices and answers the commands that come
//! through `DATA/admin.sock`; it reaches shards by [`linchpin_shard::Command`]s over bounded lanes and gets their
//! [`linchpin_shard::Report`]s back through [`Answers`]. docs/admin.md describes the socket.

pub mod access;
pub mod account;
pub mod acme;
mod admin;
pub mod audit;
mod backup;
mod command;
mod error;
mod facts;
pub mod limits;
mod monitor;
mod registry;
mod shards;
mod start;

pub use error::{CommandError, StartError};
pub use facts::Facts;
pub use monitor::metrics;
pub use registry::records::Keep;
pub use registry::{DeviceEntry, Loaded, Made, NewDevices, Registry, RegistryError, TemplateEntry};
pub use shards::{Answers, CommandLane, Shards};
pub use start::{Control, start};

/// What operators do with the store.
pub mod upkeep {
    pub use crate::backup::{BackupFigures, BackupPlace, BackupPlan, PlaceError};
    pub use crate::command::store::{Upkeep, list, restore, verify};
}

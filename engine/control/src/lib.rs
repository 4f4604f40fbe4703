//! The control plane: what operators ask, on threads of its own, never on the device path.
//!
//! Ordinary async Rust on tokio. It owns the [`Registry`] of templates and devices and answers the commands that come
//! through `DATA/admin.sock`; it reaches shards by [`linchpin_shard::Command`]s over bounded lanes and gets their
//! [`linchpin_shard::Report`]s back through [`Answers`]. docs/admin.md describes the socket.

mod admin;
mod answers;
mod commands;
mod device;
mod diary;
mod error;
mod export;
mod keep;
pub mod limits;
pub mod metrics;
mod monitor;
mod parameters;
mod registry;
mod render;
mod start;
mod template;
pub mod upkeep;

pub use answers::{Answers, CommandLane, Shards};
pub use error::CommandError;
pub use keep::Keep;
pub use registry::{DeviceEntry, Loaded, Made, NewDevices, Registry, RegistryError, TemplateEntry};
pub use start::{Control, Facts, StartError, start};

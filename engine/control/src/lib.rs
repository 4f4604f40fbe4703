//! The control plane: what operators ask, on threads of its own, never on the device path.
//!
//! Ordinary async Rust on tokio. It owns the [`Registry`] of templates and devices and carries out the rows of
//! [`TABLE`], which come through `DATA/admin.sock`; it reaches shards by [`linchpin_shard::Command`]s over bounded lanes
//! and gets their [`linchpin_shard::Report`]s back through [`Answers`]. docs/admin.md is made from the table.

pub mod access;
pub mod account;
pub mod acme;
mod admin;
pub mod audit;
mod backup;
mod clock;
mod command;
mod error;
mod facts;
pub mod fleet;
pub mod http;
pub mod limits;
pub mod loader;
mod machine;
mod mail;
mod monitor;
pub mod oidc;
mod people;
mod player;
mod registry;
mod replacer;
mod shards;
mod start;

pub use backup::{BackupFigures, BackupPlace, BackupPlan, PlaceError, Upkeep};
pub use command::{
    AuditClass, ListedBackup, Needs, Offline, Plain, Route, Row, Shapes, TABLE, Word, describe_backups, list_backups,
    request, restore_backup, verify_backup,
};
pub use error::{Code, CommandError, StartError};
pub use facts::{CertificateEnd, ConfigChange, Facts, RunningConfig, config_changes};
pub use machine::{Machine, MachineNow};
pub use mail::{MailServer, MailTls};
pub use monitor::figure::{About, Counter, Figure, Figures, Kind, Over, Times};
pub use monitor::metrics;
pub use monitor::status::{OF_SHARD, ShardFigures};
pub use oidc::OidcServer;
pub use people::PeopleSettings;
pub use registry::records::Keep;
pub use registry::{DeviceEntry, Indexer, Loaded, Made, NewDevices, Registry, RegistryError, TemplateEntry};
pub use replacer::Replacer;
pub use shards::{Answers, CommandLane, Shards, push_within};
pub use start::{Control, Duties, start};

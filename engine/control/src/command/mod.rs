//! What can be asked of the control plane: one table of typed commands, and what each does.

mod desk;
mod device;
mod diary;
mod erase;
mod export;
mod org;
mod people;
pub(crate) mod plain;
pub mod request;
mod run;
mod status;
mod store;
mod table;
mod tap;
mod template;

pub(crate) use desk::Desk;
pub use plain::{Plain, Word};
pub(crate) use run::{Outcome, Streamed};
pub(crate) use status::figures;
pub use store::{list_backups, restore_backup, verify_backup};
pub use table::{AuditClass, Offline, Route, Row, Shapes, TABLE};

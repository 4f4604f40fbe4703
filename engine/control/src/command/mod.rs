//! What can be asked of the control plane: one table of typed commands, and what each does.

mod call;
mod desk;
mod device;
mod diary;
mod erase;
mod export;
pub(crate) mod fleet;
mod happening;
mod needs;
mod org;
mod people;
pub(crate) mod plain;
pub mod request;
mod row;
mod rows;
mod run;
mod session;
mod sheet;
mod status;
mod store;
mod table;
mod tap;
mod template;
mod upgrade;

pub(crate) use call::{CallOrigin, Extras, KnownCaller, RowCall, RowCaller};
pub(crate) use desk::Desk;
pub use needs::Needs;
pub use plain::{Plain, Word};
pub use row::{AuditClass, Offline, Route, Row, Shapes};
pub(crate) use run::{Outcome, Streamed};
pub(crate) use status::figures;
pub use store::{list_backups, restore_backup, verify_backup};
pub use table::TABLE;
pub(crate) use table::find;

//! Backups: their places, and the server's own schedule.

mod place;
mod plan;
#[cfg(feature = "s3")]
mod s3;
mod schedule;
mod upkeep;

pub use place::{BackupPlace, PlaceError};
pub use plan::{BackupFigures, BackupPlan};
pub(crate) use schedule::run;
pub use upkeep::Upkeep;

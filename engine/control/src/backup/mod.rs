//! Backups: their places, and the server's own schedule.

mod place;
mod s3;
mod schedule;

pub use place::{BackupPlace, PlaceError};
pub(crate) use schedule::run;
pub use schedule::{BackupFigures, BackupPlan};

//! Records and RocksDB.

pub mod backup;
mod batch;
mod bytes;
mod cipher;
mod collector;
mod durable;
mod erase;
mod error;
mod figures;
mod history;
mod inventory;
mod keeper;
mod keyring;
pub mod limits;
mod mark;
mod open;
mod page;
mod poison;
mod reader;
mod recovery;
mod rocks;
pub mod schema;
mod settings;
mod space;
mod steps;
mod store;
#[cfg(test)]
mod testing;
mod sweep;
mod telemetry;
mod unseal;
mod writer;

pub use batch::Batch;
pub use bytes::Shape;
pub use cipher::NonceWatch;
pub use error::{Error, Problem};
pub use figures::Figures;
pub use keyring::KeyStatus;
pub use settings::{Retention, Settings};
pub use steps::Steps;
pub use store::Store;
pub use sweep::{Rotation, Verified};
pub use telemetry::{LaneFull, TelemetryLane};
pub use unseal::Unseal;
pub use writer::Class;

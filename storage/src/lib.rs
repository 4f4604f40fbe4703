//! Records and RocksDB.
#![allow(dead_code, reason = "history, rotation and backups come next")]

mod batch;
mod bytes;
mod cipher;
mod durable;
mod error;
mod inventory;
mod keeper;
mod keyring;
pub mod limits;
mod mark;
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
mod unseal;
mod writer;

pub use batch::Batch;
pub use bytes::Shape;
pub use cipher::NonceWatch;
pub use error::{Error, Problem};
pub use keyring::KeyStatus;
pub use settings::{Retention, Settings};
pub use steps::Steps;
pub use store::Store;
pub use unseal::Unseal;
pub use writer::Class;

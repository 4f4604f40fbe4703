//! Records and RocksDB.
#![allow(dead_code, reason = "the store that uses keys and records comes next")]

mod bytes;
mod cipher;
mod durable;
mod error;
mod keyring;
pub mod limits;
mod page;
mod poison;
pub mod schema;
mod steps;
mod store;
#[cfg(test)]
mod testing;
mod unseal;

pub use bytes::Shape;
pub use cipher::NonceWatch;
pub use error::{Error, Problem};
pub use keyring::KeyStatus;
pub use steps::Steps;
pub use store::{Batch, Store};
pub use unseal::Unseal;

//! The folder on the disk: RocksDB, what the folder must contain, and files that are whole or not at all.

pub(crate) mod durable;
pub(crate) mod filter;
pub(crate) mod inventory;
pub(crate) mod inventory_writer;
pub(crate) mod recovery;
pub(crate) mod rocks;
pub(crate) mod steps;
pub(crate) mod verify;

//! Records and RocksDB.

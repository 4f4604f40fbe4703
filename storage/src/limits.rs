//! Bounds of the store, with units and reasons.

/// Bytes of one batch: a commit is one write to the log and one sync.
pub const BATCH_BYTES: usize = 4 << 20;
/// Longest key, bytes. Keys hold internal integers only.
pub const KEY_BYTES: usize = 64;
/// Longest value, bytes.
pub const VALUE_BYTES: usize = 1 << 20;
/// Files that RocksDB keeps open.
pub const OPEN_FILES: i32 = 512;
/// Memory of unwritten records before RocksDB writes a file, bytes.
pub const WRITE_BUFFER_BYTES: usize = 64 << 20;

const _: () = assert!(VALUE_BYTES + KEY_BYTES < BATCH_BYTES);

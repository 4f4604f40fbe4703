//! Bounds of the control plane, with units and reasons.

use std::time::Duration;

/// Longest line on the admin socket, bytes.
pub const LINE_BYTES: usize = 64 * 1024;
/// Connections to the admin socket at a time.
pub const ADMIN_CONNECTIONS: usize = 16;
/// An admin connection that says nothing for this long is closed.
pub const ADMIN_IDLE: Duration = Duration::from_secs(300);
/// A shard answers within this time, or the command fails.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Commands that wait for a shard.
pub const COMMANDS: usize = 4_096;
/// An answer that its asker does not read for this long ends the connection: it holds one of [`ADMIN_CONNECTIONS`].
pub const ADMIN_WRITE: Duration = Duration::from_secs(30);
/// Frames of a watched device that wait for the operator's terminal; more are left out.
pub const WATCHED_FRAMES: usize = 1_024;
/// Datastreams of a template.
pub const DATASTREAMS: usize = 768;
/// Templates of the process.
pub const TEMPLATES: usize = 1_000;
/// Requests to the metrics' listener that are answered at a time.
pub const METRICS_CONNECTIONS: usize = 16;
/// Devices that one command adds: their tokens are one answer of about 90 bytes each.
pub const ADD_DEVICES: u32 = 100_000;
/// Devices of the process.
pub const DEVICES: u32 = 10_000_000;
/// Longest name of a device, bytes.
pub const NAME_BYTES: usize = 64;
/// What a shard has handed over before a device was removed reaches the store within this time: some batches of its
/// journal.
pub const LAST_WORDS: Duration = Duration::from_millis(100);
/// Records of new devices that are committed together, bytes; below what the store takes in one batch.
pub const KEEP_BATCH_BYTES: usize = 2 << 20;
/// Pieces of an export that wait for the operator's program; each has 64 KiB.
pub const EXPORT_PIECES: usize = 4;
/// One request to a store of backups is answered within this time, tries included.
pub const S3_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection to it stands within this time.
pub const S3_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Times that a request to it is tried again.
pub const S3_RETRIES: usize = 3;
/// Longest URL or text that is pushed to a device, bytes.
pub const PUSH_BYTES: usize = 1_024;
/// Longest path of a Unix socket, bytes (the kernel's bound, less the final NUL).
pub const SOCKET_PATH_BYTES: usize = 107;

const _: () = assert!(KEEP_BATCH_BYTES + 4_096 <= linchpin_storage::limits::BATCH_BYTES);
const _: () = assert!(ADD_DEVICES <= DEVICES);
const _: () = assert!(PUSH_BYTES < LINE_BYTES);

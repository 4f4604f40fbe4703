//! Bounds of the process, with units and reasons.

use std::time::Duration;

/// Shards of a process.
pub(crate) const SHARDS: u16 = 1_024;
/// Letters that one tick takes from one lane before it looks at sockets again.
pub(crate) const LETTERS_PER_TICK: usize = 1_024;
/// Rounds in which a tick carries out what its own effects caused (letters that come back undelivered).
pub(crate) const ROUNDS: usize = 4;
/// Longest sleep of an idle shard: its clocks are looked at once in this time.
pub(crate) const IDLE: Duration = Duration::from_secs(1);
/// A shard thread opens its sockets within this time.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(20);
/// After SIGTERM connections are drained for at most this long.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Answer of the running server to a command of this program.
pub(crate) const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest configuration file, bytes.
pub(crate) const CONFIG_BYTES: u64 = 1 << 20;
/// Devices that `--devices` makes at most.
pub(crate) const DEVICES: u32 = linchpin_control::limits::ADD_DEVICES;

const _: () = assert!(LETTERS_PER_TICK >= linchpin_shard::limits::LANE_LETTERS);

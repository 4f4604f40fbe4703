//! What `linchpin top` shows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What one line shows, by column.
pub(super) type Row = BTreeMap<String, Value>;

/// What happened between two looks.
#[derive(Serialize)]
pub(super) struct TopSample {
    pub(super) uptime_s: u64,
    pub(super) all: Row,
    pub(super) shards: Vec<Row>,
    /// Devices whose connections ended most in the last minute.
    pub(super) worst: Vec<WorstDevice>,
}

/// A device that comes and goes.
#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WorstDevice {
    pub(super) ends: u64,
    pub(super) device: u32,
    /// Code of its last end.
    pub(super) last_end: String,
}

/// By what shards are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TopOrder {
    Shard,
    Cpu,
    Online,
    Messages,
}

//! Requests about the server as a whole.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::monitor::figure::Figures;

/// What the server holds and has counted since its start.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {}

/// The figures of all shards together, those of each, and what the server is. docs/metrics.md says what the figures mean.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StatusAnswer {
    /// All shards together.
    #[serde(flatten)]
    pub all: Figures,
    /// Each shard.
    pub shards: Vec<Figures>,
    /// Version of the binary.
    pub version: String,
    /// Commit that it was built from.
    pub commit: String,
    /// Back end and features.
    pub driver: String,
    /// Connections that the limits allow.
    pub capacity: u64,
    /// Addresses of the plain ports.
    pub plain: Vec<String>,
    /// Addresses of the TLS ports.
    pub tls: Vec<String>,
    /// Addresses of the TLS ports that want a certificate of the client.
    pub mutual: Vec<String>,
    /// Addresses for load balancers.
    pub proxied: Vec<String>,
    /// `disk` or `memory`.
    pub state: String,
    /// Time since the start, s.
    pub uptime_s: u64,
    /// Memory of the process that is resident, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The store and its disk; null: state is in memory only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreGlance>,
    /// When the first of the certificates that are served ends, Unix s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_end_s: Option<u64>,
}

/// The store, as far as an operator wants to know every day.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StoreGlance {
    /// Size of its disk, bytes.
    pub disk_bytes: u64,
    /// What is free on it for this user, bytes.
    pub disk_free_bytes: u64,
    /// Is nothing written for want of space?
    pub full: bool,
    /// Has a sync failed?
    pub poisoned: bool,
    /// Age of the oldest value that a power cut would lose now, ms.
    pub at_risk_ms: u64,
    /// When this process made its last backup, Unix s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_backup_s: Option<u64>,
    /// Tries since the start that failed.
    pub backup_failures: u64,
    /// Are backups made by themselves?
    pub backs_up: bool,
}

/// The configuration file as the server has it, after its start and reloads.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigShow {}

/// Keys in dotted form with their values as the file has them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigShown {
    /// The file; null: the server has none.
    pub path: Option<PathBuf>,
    /// Such as `limits.message_burst` with `100`.
    pub keys: BTreeMap<String, String>,
}

/// End all connections at a pace and take no new ones.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// Send the devices to another server first: `HOST:PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// Connections a second.
    #[serde(default = "Drain::pace")]
    #[schemars(range(min = 1))]
    pub per_second: u32,
    /// Take a drain back instead: connections that are left stay, and new ones are taken again.
    #[serde(default)]
    pub undo: bool,
}

impl Drain {
    const fn pace() -> u32 {
        linchpin_shard::limits::DRAIN_PER_SECOND
    }
}

/// It has begun, or was taken back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Draining {
    /// Is the server being drained now?
    pub draining: bool,
}

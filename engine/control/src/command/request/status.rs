//! Requests about the server as a whole.

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
}

impl Drain {
    const fn pace() -> u32 {
        linchpin_shard::limits::DRAIN_PER_SECOND
    }
}

/// It has begun.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Draining {
    /// True.
    pub draining: bool,
}

//! Requests about replacing the running server.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Replace the running server by a new process while its connections stand. Answered once the new process was started; how
/// it went is said by `upgrade.status`, of whichever process serves then.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeBegin {
    /// The program to start, an absolute path; else the file that this server was started from, as it is now.
    #[serde(default)]
    pub binary: Option<PathBuf>,
}

/// A new process was started.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeBegun {
    /// Number of the attempt.
    pub attempt: u64,
}

/// How the last upgrade went.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeLast {}

/// How far an upgrade is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeState {
    /// There was none since the server was started by hand.
    #[default]
    None,
    /// It goes on.
    UnderWay,
    /// The new process serves; it is the one that answers.
    Done,
    /// The old process serves as before; it is the one that answers.
    Failed,
}

/// How the last upgrade of a server went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeReport {
    /// Number of the attempt; 0: there was none.
    pub attempt: u64,
    /// How far it is.
    pub state: UpgradeState,
    /// Version of the server that answers.
    pub version: String,
    /// The step that failed: starting, settling, freezing, closing, opening, moving or counting.
    pub step: Option<String>,
    /// Why it failed.
    pub why: Option<String>,
    /// Connections that moved.
    pub moved: u64,
    /// Connections that could not go along: what was in the middle of a handshake or a login.
    pub left: u64,
    /// Connections that the new process ended, by the code of their end.
    pub ended: Vec<(String, u64)>,
    /// How long connections stood still, ms: all stop and go on together.
    pub pause_ms: u64,
    /// From the order to the end, ms.
    pub total_ms: u64,
}

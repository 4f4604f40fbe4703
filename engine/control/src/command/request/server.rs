//! The server as its operators see it in the console.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The server now: for operators.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerShow {}

/// How the server is. Rates are the difference of two answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerPage {
    /// Version of the binary.
    pub version: String,
    /// Commit that it was built from.
    pub build: String,
    /// Time since the start, ms.
    pub up_ms: u64,
    /// It ends its connections and takes no new ones.
    pub draining: bool,
    /// Back end and features.
    pub back_end: String,
    /// Devices that exist.
    pub devices: u64,
    /// Those that are logged in.
    pub online: u64,
    /// Messages of devices since the start, of all protocols.
    pub messages: u64,
    /// CPU time of the process since its start, us.
    pub cpu_us: u64,
    /// Memory of the process, bytes.
    pub rss_bytes: u64,
    /// What is used of the disk that holds the state, by anybody, bytes.
    pub disk_used_bytes: u64,
    /// Its size, bytes.
    pub disk_bytes: u64,
    /// Age of the oldest value that a power cut would lose now, ms.
    pub journal_age_ms: u64,
    /// Each shard.
    pub shards: Vec<ServerShard>,
    /// What is served with TLS.
    pub certificates: Vec<ServerCertificate>,
    /// Backups.
    pub backups: ServerBackups,
    /// The keys of the store; null: there is no store.
    pub keys: Option<ServerKeys>,
    /// What is nearest to its limit.
    pub limits: Vec<ServerLimit>,
    /// What the doctor says of machine, certificates and backups.
    pub findings: Vec<ServerFinding>,
    /// The last long work that was begun here; null: none since the start.
    pub work: Option<ServerWork>,
}

/// One shard.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerShard {
    /// Its number.
    pub shard: u32,
    /// Connections in any state.
    pub connections: u64,
    /// Devices that live here.
    pub devices: u64,
    /// Messages since the start.
    pub messages: u64,
    /// 99 of 100 ticks took at most so long, us.
    pub tick_p99_us: u64,
    /// Time of all ticks, us.
    pub busy_us: u64,
}

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerGrade {
    /// As it should be.
    Good,
    /// Somebody should look.
    Warning,
    /// It does not work.
    Bad,
}

/// Until when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateAge {
    /// For a while.
    Good,
    /// It ends within two weeks.
    Soon,
    /// It has ended.
    Expired,
}

/// A certificate that is served.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerCertificate {
    /// Its names.
    pub names: Vec<String>,
    /// Valid until, ms since 1970.
    pub until_ms: u64,
    /// `file`, `own authority` or `ordered`.
    pub source: String,
    /// How that is.
    pub state: CertificateAge,
}

/// Backups.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerBackups {
    /// Where they go; null: nowhere, or the place cannot be read.
    pub place: Option<String>,
    /// When the newest was made, ms since 1970.
    pub last_ms: Option<u64>,
    /// When one was last verified since the start, ms since 1970.
    pub verified_ms: Option<u64>,
    /// When the next is due, ms since 1970; null: only when asked.
    pub next_ms: Option<u64>,
    /// The newest, newest first.
    pub items: Vec<ServerBackup>,
}

/// A backup.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerBackup {
    /// Its name.
    pub id: String,
    /// When it was made, ms since 1970.
    pub at_ms: u64,
    /// What it holds, bytes.
    pub bytes: u64,
    /// What the last verification since the start said; null: there was none.
    pub verified: Option<bool>,
}

/// The keys of the store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerKeys {
    /// The newest epoch.
    pub epoch: u32,
    /// When it began, ms since 1970.
    pub rotated_ms: u64,
    /// What opens the keyring.
    pub unsealed_by: String,
    /// Keys that are in use.
    pub held: u64,
    /// Keys that the keyring may hold.
    pub limit: u64,
}

/// How near something is to its limit.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerLimit {
    /// What: `connections`, `devices`, `keys`.
    pub name: String,
    /// So much is used.
    pub used: u64,
    /// Of so much.
    pub limit: u64,
}

/// What was found, why it matters and what helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerFinding {
    /// How good it is.
    pub level: ServerGrade,
    /// What was looked at.
    pub title: String,
    /// What was found.
    pub text: String,
    /// A command or a step that helps; null: nothing is to be done.
    pub fix: Option<String>,
}

/// Long work of the server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerWork {
    /// `backup`, `verify` or `rotate`.
    pub what: String,
    /// When it began, ms since 1970.
    pub begun_ms: u64,
    /// When it ended, ms since 1970; null: it is under way.
    pub ended_ms: Option<u64>,
    /// Why it failed; null: it did not.
    pub error: Option<String>,
}

/// Begin a backup to the configured place.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupBegin {}

/// Begin to verify the newest backup.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBegin {}

/// Begin to rotate the keys of the store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateBegin {}

//! Requests about the audit log of an organization, and about what may be allowed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::people::CheckpointLine;

/// Entries of the audit log, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditList {
    /// The organization.
    pub org: u32,
    /// `next` of the page before.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub after: Option<String>,
    /// How many, at most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntryLine {
    /// Its number in the organization.
    pub number: u64,
    /// When, Unix ms.
    pub at_ms: u64,
    /// Who: a name, or what kind of actor.
    pub actor: String,
    /// What was done, such as `user.suspend`.
    pub action: String,
    /// To what.
    pub object: String,
    /// done or refused.
    #[schemars(extend("enum" = ["done", "refused"]))]
    pub outcome: String,
    /// Where it came from; none: it was erased, or the operator did it.
    pub address: Option<String>,
    /// The number of the request, hexadecimal.
    pub request: Option<String>,
    /// What changed: field, old, new.
    pub changes: Vec<[String; 3]>,
}

/// All entries of the audit log, newest first, a JSON line each.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditExport {
    /// The organization.
    pub org: u32,
}

/// An export begins.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditExportBegun {
    /// The organization.
    pub org: u32,
}

/// A signed statement of how far the audit log reaches: kept elsewhere, it shows a cut end.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// The organization.
    pub org: u32,
}

/// How far the audit log reaches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuditHeadAnswer {
    /// The statement; none: there is no entry.
    pub checkpoint: Option<CheckpointLine>,
    /// What its signature is checked with (Ed25519), hexadecimal.
    pub public_key: String,
}

/// All permissions that there are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionList {}

/// A permission.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PermissionLine {
    /// Its name in roles and keys.
    pub name: String,
    /// What it allows.
    pub meaning: String,
    /// Can it be given for what is one's own only?
    pub ownable: bool,
    /// Does it need a proof of the last ten minutes?
    pub step_up: bool,
    /// May a key hold it?
    pub for_keys: bool,
}

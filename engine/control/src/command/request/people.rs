//! Requests about people, the audit log, and the upgrade that makes room for both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// Make room in a store of an older version for what came later: people, roles, the audit log and more. The older version
/// cannot go back afterwards. Nothing happens to a store that has it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeFinalize {}

/// What an upgrade made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FinalizedStore {
    /// Kinds of records that there is room for now, and was not.
    pub made: Vec<String>,
}

/// Is the audit log whole? The first entry that is not as it was written is named.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditVerify {
    /// The organization; all, if there is none.
    #[serde(default)]
    pub org: Option<u32>,
    /// Checkpoints that were taken before, from the log or from an earlier answer: they show a cut or rewritten end.
    #[serde(default)]
    #[schemars(length(max = limits::AUDIT_CHECKPOINTS))]
    pub checkpoints: Vec<CheckpointLine>,
}

/// A signed statement of how far an audit log reached.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointLine {
    /// The organization.
    pub org: u32,
    /// The last entry.
    pub number: u64,
    /// Its digest, hexadecimal.
    pub digest: String,
    /// When it was signed, Unix ms.
    pub at_ms: u64,
    /// Ed25519, hexadecimal.
    pub signature: String,
}

/// An audit log that is whole.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedAudit {
    /// The organization.
    pub org: u32,
    /// The first entry; older ones went with age.
    pub first: u64,
    /// The last entry; none if there is no entry.
    pub last: Option<u64>,
    /// Entries whose names and addresses were erased.
    pub faceless: u64,
    /// A statement of this: keep it elsewhere.
    pub checkpoint: Option<CheckpointLine>,
}

/// Make a person who may sign in. For the first one, and where there is no mail.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCreate {
    /// Their organization.
    pub org: u32,
    /// Their role: admin, staff, user, viewer, installer, or a number.
    pub role: String,
    /// Their e-mail address.
    pub email: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// Their password; none of those that everybody tries first.
    #[schemars(length(min = 8, max = 128))]
    pub password: String,
}

impl std::fmt::Debug for UserCreate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserCreate(org {}, role {})", self.org, self.role)
    }
}

/// A person who was made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeUser {
    /// Their organization.
    pub org: u32,
    /// Their number there.
    pub user: u32,
}

/// May somebody do something in an organization, and why?
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessWhy {
    /// Their e-mail address.
    pub email: String,
    /// The organization.
    pub org: u32,
    /// What they want to do, such as `device.view`.
    pub permission: String,
}

/// The decision in words.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccessReasons {
    /// A sentence each.
    pub reasons: Vec<String>,
}

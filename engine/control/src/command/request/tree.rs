//! Requests about organizations as people see them: a tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// One organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgShow {
    /// The organization.
    pub org: u32,
}

/// An organization as people see it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OrgSheet {
    /// Its number.
    pub id: u32,
    /// The one above it, if whoever asks may see that.
    pub parent: Option<u32>,
    /// For people.
    pub name: String,
    /// business, branch, personal or partner.
    #[schemars(extend("enum" = ["business", "branch", "personal", "partner"]))]
    pub kind: String,
    /// active or suspended.
    #[schemars(extend("enum" = ["active", "suspended"]))]
    pub state: String,
    /// How many are above it.
    pub depth: u8,
    /// Devices in it.
    pub devices: u64,
    /// Members of it.
    pub users: u64,
    /// What it demands.
    pub policy: PolicySheet,
    /// An IANA name such as `Europe/Berlin`; empty: UTC.
    pub time_zone: String,
    /// Such as `de`; empty: English.
    pub locale: String,
}

/// What an organization demands of its people and keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySheet {
    /// Nobody signs in without a second factor.
    #[serde(default)]
    pub factor: bool,
    /// Longest session, hours; 0 for the server's setting.
    #[serde(default)]
    #[schemars(range(max = 720))]
    pub session_hours: u16,
    /// Its devices may log in without TLS.
    #[serde(default)]
    pub plain: bool,
    /// Addresses and networks that its people may sign in from; everywhere without any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub sign_in_from: Vec<String>,
    /// Addresses and networks that its keys may be used from; everywhere without any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub keys_from: Vec<String>,
    /// Requests of all of its keys in a minute; 0 for the server's setting.
    #[serde(default)]
    #[schemars(range(max = 1_000_000))]
    pub requests_per_minute: u32,
}

/// Organizations below one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgChildren {
    /// The organization.
    pub org: u32,
    /// Itself and all below it, instead of those right below it.
    #[serde(default)]
    pub below: bool,
    /// `next` of the page before.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub after: Option<String>,
    /// How many, at most.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
}

/// What kind of organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrgKindName {
    /// A company.
    #[default]
    #[serde(alias = "customer")]
    Business,
    /// A part of the one above it.
    Branch,
    /// One person's.
    Personal,
    /// Someone who sells, installs or services devices of the one above it.
    Partner,
}

/// Make an organization below another.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgCreate {
    /// The one above.
    pub org: u32,
    /// For people.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// business (also `customer`), branch, personal or partner.
    #[serde(default)]
    pub kind: OrgKindName,
    /// What it demands.
    #[serde(default)]
    pub policy: Option<PolicySheet>,
    /// An IANA name such as `Europe/Berlin`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
}

/// Change an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgChange {
    /// The organization.
    pub org: u32,
    /// For people.
    #[serde(default)]
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: Option<String>,
    /// What it demands; all of it is replaced.
    #[serde(default)]
    pub policy: Option<PolicySheet>,
    /// An IANA name such as `Europe/Berlin`.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub time_zone: Option<String>,
    /// Such as `de`.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub locale: Option<String>,
}

/// Delete an organization with all that it has, for ever: its key is destroyed. None may be below it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgDelete {
    /// The organization.
    pub org: u32,
}

/// Move an organization with all below it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgMove {
    /// The organization.
    pub org: u32,
    /// The one that it will stand below.
    pub parent: u32,
}

/// Suspend an organization with all below it: only people from above may do anything there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgSuspend {
    /// The organization.
    pub org: u32,
}

/// Let an organization be used again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgResume {
    /// The organization.
    pub org: u32,
}

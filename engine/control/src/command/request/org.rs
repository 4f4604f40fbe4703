//! Requests about organizations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// All organizations.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgList {}

/// Make an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgAdd {
    /// For people.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
}

/// An organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct OrgLine {
    /// Its number.
    pub org: u32,
    /// Its name.
    pub name: String,
    /// When it was made, Unix ms.
    pub created_ms: u64,
    /// Days that raw history stays; 0: what the configuration says.
    pub raw_days: u16,
}

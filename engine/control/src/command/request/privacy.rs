//! Requests for one's data, and that it is erased.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits;

/// All data of oneself as an archive (ustar): profile, memberships, sessions, keys, what was agreed to, what one did by the audit
/// log, and one's own devices with values, history and events. JSON, JSON lines and CSV; no secret is among it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeExport {}

/// All data of an organization as an archive (ustar): people, memberships, roles, keys, templates, devices with values, history
/// and events, and the audit log. JSON, JSON lines and CSV; no secret is among it, and no organization below.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgExport {
    /// The organization.
    pub org: u32,
}

/// An export that has begun: the archive follows. An archive that is cut off was not whole.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PrivacyExportBegun {
    /// The name of the archive.
    pub file: String,
}

/// Erase oneself: account, sessions, keys and consents go at once, devices that one owns pass to their organization, and names and
/// addresses leave the audit log, which stays whole. The last Admin of an organization hands over first. Backups hold a
/// person until they age out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeErase {}

/// Erase an organization with all that is its: its key is destroyed, here and in the backups, so nothing of it can be read
/// anywhere any more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrgErase {
    /// The organization; it has none below.
    pub org: u32,
    /// Its name, to show that it is meant.
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
}

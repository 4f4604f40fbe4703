//! Requests about organizations.

use linchpin_protocol::model::OrgId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlatformOrder;
use crate::command::plain::Plain;
use crate::limits;

/// One organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformOrgShow {
    /// Its number.
    pub org_id: Plain<OrgId>,
}

/// The organization of the asker.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformProfile {}

/// An organization. A description, a telephone number, an address and a unit system are not stored, and not in answers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformOrg {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The one above it, if whoever asks may see that.
    pub parent_organization_id: Option<u32>,
    /// It is not suspended.
    pub is_active: bool,
    /// Its time zone, such as `Europe/Berlin`.
    pub tz: String,
}

/// By what organizations are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlatformOrgSort {
    /// By number.
    #[default]
    #[serde(rename = "Organization Id")]
    Id,
    /// By name, without regard to the case of letters.
    Name,
    /// By how many devices are in it.
    #[serde(rename = "Device Count")]
    Devices,
    /// By how many members it has.
    #[serde(rename = "User Count")]
    Users,
    /// By how many organizations are right below it.
    #[serde(rename = "Sub Organizations")]
    Children,
}

paged! {
    /// The organization of the asker and those below it, by a part of their names.
    PlatformOrgSearch {
        /// What the name contains.
        #[schemars(length(max = 255))]
        query: String,
        /// By what they are sorted.
        #[serde(default)]
        sort_by: PlatformOrgSort,
        /// In which direction.
        #[serde(default)]
        sort_order: PlatformOrder,
    }
}

/// What kind of organization is made. The first organization is the only ROOT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PlatformOrgType {
    /// A company.
    Business,
    /// One person's.
    Personal,
    /// A part of the one above it.
    Branch,
    /// A partner.
    Distributor,
    /// A partner.
    Contractor,
    /// A partner.
    Installer,
    /// A partner.
    Reseller,
}

/// Make an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformOrgCreate {
    /// Its name.
    #[schemars(length(min = 1, max = limits::NAME_BYTES))]
    pub name: String,
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: PlatformOrgType,
    /// The one above it; the asker's without it.
    #[serde(default)]
    pub parent_id: Option<Plain<OrgId>>,
    /// Its time zone, such as `Europe/Berlin`; UTC without it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub tz: Option<String>,
}

/// Delete an organization with its devices and people, for ever. It needs a proof of the last minutes of a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformOrgDelete {
    /// Its number.
    pub org_id: Plain<OrgId>,
}

//! Requests for pages of devices.

use linchpin_protocol::model::OrgId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::size;
use crate::command::plain::Plain;

/// Devices of the organization of the asker, a page at a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDevices {
    /// Which page, from 0.
    #[serde(default)]
    #[schemars(range(max = 10_000))]
    pub page: usize,
    /// Devices of a page.
    #[serde(default = "size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub size: usize,
    /// Also those of organizations below.
    #[serde(default)]
    pub include_sub_org_devices: bool,
    /// Another organization than the asker's.
    #[serde(default)]
    pub org_id: Option<Plain<OrgId>>,
}

/// A page of something.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformPage<T> {
    /// What is on it.
    pub content: Vec<T>,
    /// How many there are on all pages.
    pub total_elements: usize,
}

/// A device in a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDeviceLine {
    /// Its id.
    pub id: u32,
    /// Number of its template.
    pub template_id: Option<u32>,
    /// Its organization.
    pub org_id: u32,
    /// Its name.
    pub name: String,
    /// When it was made, Unix ms.
    pub activated_at: u64,
    /// Its owner.
    pub owner_user_id: Option<u32>,
}

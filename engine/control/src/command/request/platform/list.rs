//! Requests for pages of devices.

use linchpin_protocol::model::OrgId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlatformOrder;
use crate::command::plain::Plain;

paged! {
    /// Devices of the organization of the asker, a page at a time.
    PlatformDevices {
        /// Also those of organizations below.
        #[serde(default)]
        include_sub_org_devices: bool,
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

/// By what devices are sorted; of equal ones the smaller id comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlatformSort {
    /// By id.
    #[default]
    #[serde(rename = "Device Id")]
    Id,
    /// By name, without regard to the case of letters.
    Name,
    /// By when it was made.
    #[serde(rename = "Activated At")]
    Activated,
    /// By when it was last heard. A connected device counts as heard now.
    #[serde(rename = "Last Reported At")]
    Reported,
    /// By the name of its template.
    #[serde(rename = "Template Name")]
    Template,
    /// Online, offline, never here.
    Status,
}

paged! {
    /// Devices by words that their name, id, template's name or tags contain.
    PlatformDeviceSearch {
        /// The words, in any order and case.
        #[schemars(length(max = 255))]
        query: String,
        /// By what they are sorted.
        #[serde(default)]
        sort_by: PlatformSort,
        /// In which direction.
        #[serde(default)]
        sort_order: PlatformOrder,
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

paged! {
    /// Devices that somebody owns, by their address. Whoever asks sees the members of the organization.
    PlatformByOwner {
        /// The e-mail address of a member.
        #[schemars(length(max = 254))]
        owner_email: String,
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

paged! {
    /// Devices of the organization in which somebody is at home, by their address.
    PlatformByUserOrg {
        /// The e-mail address of somebody whose home is the organization or one below it.
        #[schemars(length(max = 254))]
        user_email: String,
        /// Where they are looked for instead of the asker's organization.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

paged! {
    /// Devices, those that were made last first.
    PlatformLastActivated {
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
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

impl<T> PlatformPage<T> {
    /// The lines of a page, of all that were found.
    pub(in crate::command) fn of<F>(found: &[F], (page, size): (usize, usize), line: impl Fn(&F) -> T) -> Self {
        let content = found.iter().skip(page * size).take(size).map(line).collect();
        Self { content, total_elements: found.len() }
    }
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

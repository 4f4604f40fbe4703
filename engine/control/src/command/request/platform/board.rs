//! Requests about boards that are set up, and static tokens.

use linchpin_protocol::model::{DeviceId, OrgId, Token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;

/// Make a device for a board that is being set up: it takes the template that its firmware names. Without a login it vanishes
/// after an hour.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformProvision {
    /// The organization.
    pub org_id: Plain<OrgId>,
    /// Who owns it: somebody whose home is the organization.
    pub owner_id: u32,
}

/// What the board logs in with.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformProvisioned {
    /// A secret.
    pub token: Plain<Token>,
    /// The device.
    pub device_id: u32,
}

/// Send a board to the setup of its Wi-Fi. Boards on MQTT take it; the Blynk wire has no such order, which is answered 409.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformReconfigure {
    /// The device.
    pub device_id: Plain<DeviceId>,
}

/// Whether it was there to hear it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformReconfigured {
    /// It is not connected: nothing was sent.
    pub device_is_offline: bool,
}

paged! {
    /// Static tokens of an organization, the oldest first.
    PlatformStatics {
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

/// A pair of static tokens. The two secrets were shown when it was made, and are not among it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformStatic {
    /// Its number.
    pub id: u32,
    /// The organization.
    pub org_id: u32,
    /// The number of the template of its device; null: there is none such any more.
    pub product_id: Option<u32>,
    /// When it was made, Unix ms.
    pub created_at: u64,
    /// UNCLAIMED, CLAIMED or WITHDRAWN.
    #[schemars(extend("enum" = ["UNCLAIMED", "CLAIMED", "WITHDRAWN"]))]
    pub status: String,
    /// Who owns the device now; 0: it is not claimed, or nobody does.
    pub owner_id: u32,
    /// The device; 0: it is not claimed.
    pub device_id: u32,
    /// Where the device is now; 0: it is not claimed, or gone.
    pub claimed_org_id: u32,
}

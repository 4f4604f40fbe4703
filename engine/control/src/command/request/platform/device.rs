//! Requests about one device.

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId, Token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlatformDeviceLine, PlatformMetaField, PlatformValue};
use crate::command::plain::Plain;

/// What a device's firmware said of itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformHardware {
    /// Version of the firmware.
    pub version: Option<String>,
    /// Its kind.
    pub fw_type: Option<String>,
    /// Version of the library.
    pub blynk_version: Option<String>,
    /// The board.
    pub board_type: Option<String>,
    /// When it was built.
    pub build: Option<String>,
    /// The template that it names.
    pub template_id: Option<String>,
}

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDeviceShow {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// One device without its values.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformBaseShow {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// How a device is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformLifecycle {
    /// Online or Offline.
    pub name: String,
}

/// A device without its values. Its token is among it only for those who may see tokens, which is written down.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDeviceBase {
    /// As in lists.
    #[serde(flatten)]
    pub line: PlatformDeviceLine,
    /// What it logs in with: a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Plain<Token>>,
    /// How it is.
    pub lifecycle_status: PlatformLifecycle,
    /// When it came, Unix ms; 0: it is not here.
    pub connect_time: u64,
    /// When it went, Unix ms; 0: it is here, or never was.
    pub disconnect_time: u64,
    /// What its firmware said.
    pub hardware_info: PlatformHardware,
    /// Address of its connection.
    pub ip: Option<String>,
}

/// A device in full.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDevice {
    /// Without its values.
    #[serde(flatten)]
    pub base: PlatformDeviceBase,
    /// Latest values.
    pub data_stream_values: Vec<PlatformValue>,
    /// Metadata.
    pub meta_field_values: Vec<PlatformMetaField>,
}

/// Make a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDeviceCreate {
    /// Its template.
    pub template_id: Plain<TemplateId>,
    /// Another organization than the asker's.
    #[serde(default)]
    pub org_id: Option<Plain<OrgId>>,
    /// Its name.
    #[schemars(length(min = 1, max = 50))]
    pub name: String,
    /// Who owns it; the asker without it.
    #[serde(default)]
    pub owner_id: Option<u32>,
}

/// Change a device's name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDeviceEdit {
    /// Its id.
    pub device_id: Plain<DeviceId>,
    /// Its name.
    #[schemars(length(min = 1, max = 50))]
    pub name: String,
}

/// Remove a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDeviceDelete {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// Erase what a device has reported.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformClear {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// Take a device from its owner.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformOwnerRemove {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// Give a device to a person of its organization, or to another organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformTransfer {
    /// Its id.
    pub device_id: Plain<DeviceId>,
    /// The person; the organization is not looked at then.
    #[serde(default)]
    pub new_user_id: Option<u32>,
    /// The organization.
    #[serde(default)]
    pub new_org_id: Option<Plain<OrgId>>,
}

/// Is a device connected?
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformOnline {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// Whether it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlatformConnected {
    /// It is.
    pub connected: bool,
}

/// Tags of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformTags {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// A tag.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PlatformTag {
    /// Its text.
    pub name: String,
}

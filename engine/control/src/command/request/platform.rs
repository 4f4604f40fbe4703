//! Requests of Blynk's Platform API: its names and shapes, the same functions behind them.

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, OrgId, Pin, TemplateId, Token};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::plain::Plain;

const fn size() -> usize {
    50
}

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

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformDeviceShow {
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

/// A latest value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformValue {
    /// The datastream.
    pub data_stream_id: u32,
    /// Such as `v1`.
    pub pin: String,
    /// Its name.
    pub data_stream_label: String,
    /// Its alias.
    pub data_stream_alias: String,
    /// A number or a text.
    pub value: Value,
    /// When it was written, Unix ms.
    pub updated_at: u64,
}

/// A field of the metadata.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformMetaField {
    /// The field of the template; 0: the template has none of this name.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its value, with its type.
    pub value: Value,
}

/// A device in full. Its token is among it only for those who may see tokens, which is written down.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformDevice {
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

/// Latest values of a device by pin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformValues {
    /// Its id.
    pub device_id: Plain<DeviceId>,
    /// Only these pins.
    #[serde(default)]
    pub pins: Vec<Plain<Pin>>,
}

/// Write a value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformValueSet {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// The datastream, by its id in the template.
    pub data_stream_id: u32,
    /// A number or a text.
    pub value: Value,
}

/// Write several values; none is written if one of the datastreams does not exist.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformValuesSet {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// Values by the ids of their datastreams.
    pub values: BTreeMap<String, Value>,
}

/// Raw points of a pin, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformHistory {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// Such as `v1`.
    pub pin: Plain<Pin>,
    /// Which page, from 0.
    #[serde(default)]
    #[schemars(range(max = 100_000))]
    pub page: usize,
    /// Points of a page.
    #[serde(default = "size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub size: usize,
    /// From this moment on, Unix ms.
    #[serde(default)]
    pub from: Option<u64>,
    /// Up to this moment, Unix ms.
    #[serde(default)]
    pub to: Option<u64>,
}

/// A point.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformPoint {
    /// When, Unix ms.
    pub created_at: u64,
    /// The value.
    pub value: f64,
}

/// Metadata of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformMetaFields {
    /// Its id.
    pub device_id: Plain<DeviceId>,
}

/// Set a field of the metadata.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformMetaFieldSet {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// The field of the template.
    pub meta_field_id: u32,
    /// A text or a number.
    pub new_value: Value,
}

/// Templates that the asker's organization sees.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformTemplates {
    /// Which page, from 0.
    #[serde(default)]
    pub page: usize,
    /// Templates of a page.
    #[serde(default = "size")]
    #[schemars(range(min = 1, max = 1_000))]
    pub size: usize,
}

/// A template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformTemplate {
    /// Its number.
    pub id: u32,
    /// The id that firmware carries.
    pub template_id: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}

//! Requests about values, their history, and metadata.

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, Pin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::size;
use crate::command::plain::Plain;
use crate::limits;

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

/// Set how a datastream of a device is shown.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformPropertySet {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// The datastream, by its id in the template.
    pub data_stream_id: u32,
    /// The property of its widgets, such as `color`.
    #[schemars(length(min = 1, max = 32))]
    pub property: String,
    /// A number or a text.
    pub value: Value,
}

/// A point of the past.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlatformPastPoint {
    /// A number or a text.
    pub value: Value,
    /// When, Unix ms; within a month.
    pub ts: u64,
}

/// Put points of the past into the history of a datastream: all of them or none. The device hears nothing of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformImport {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// The datastream, by its id in the template.
    pub data_stream_id: u32,
    /// The points.
    #[schemars(length(min = 1, max = limits::IMPORT_POINTS))]
    pub values: Vec<PlatformPastPoint>,
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

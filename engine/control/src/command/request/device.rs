//! Requests about devices.

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, OrgId, Pin, TemplateId, Token};
use linchpin_shard::limits as shard;
use linchpin_storage::{Granularity, Period, Source, TimeFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;
use crate::limits;

const fn one() -> u32 {
    1
}

const fn a_hundred() -> u32 {
    100
}

const fn fifty() -> u32 {
    50
}

const fn longest_tap() -> u32 {
    shard::TAP_S
}

/// Devices in the order of their ids, a page at a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceList {
    /// Only ids above this one; 0: from the first.
    #[serde(default)]
    pub after: u32,
    /// At most so many.
    #[serde(default = "a_hundred")]
    #[schemars(range(min = 1, max = shard::LIST_ROWS))]
    pub limit: u32,
}

/// A device in a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeviceLine {
    /// Its id.
    pub id: u32,
    /// Its name; may be empty.
    pub name: String,
    /// Its template.
    pub template: Option<String>,
    /// Has it a connection that is logged in?
    pub online: bool,
    /// When it was last heard, Unix s; null: not since the start.
    pub last_seen_s: Option<u64>,
}

/// One device with its latest values.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceShow {
    /// Its id.
    pub device: Plain<DeviceId>,
}

/// Everything that the server knows of a device now.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeviceFull {
    /// As in the list.
    #[serde(flatten)]
    pub line: DeviceLine,
    /// Latest values in the order of their pins.
    pub values: Vec<ValueLine>,
    /// Properties of widgets.
    pub properties: Vec<PropertyLine>,
    /// Metadata by name.
    pub metadata: BTreeMap<String, String>,
    /// What the firmware said of itself.
    pub firmware: BTreeMap<String, String>,
    /// The last events, the oldest first.
    pub events: Vec<EventLine>,
    /// Address of its connection.
    pub peer: Option<String>,
    /// Code of the end of its previous connection.
    pub last_end: Option<String>,
}

/// The latest value of a pin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ValueLine {
    /// Such as `V7`.
    pub pin: String,
    /// Parts of a value have NULs between them.
    pub value: String,
    /// When it was written, Unix ms.
    pub at_ms: u64,
}

/// A property of the widgets of a pin.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PropertyLine {
    /// Such as `V7`.
    pub pin: String,
    /// Such as `color`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An event of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventLine {
    /// Its code.
    pub code: String,
    /// Its description.
    pub text: String,
    /// When it was logged, Unix ms.
    pub at_ms: u64,
}

/// Make devices with new tokens.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceAdd {
    /// How many.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = limits::ADD_DEVICES))]
    pub count: u32,
    /// Their organization; the server's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Plain<OrgId>>,
    /// Their template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Plain<TemplateId>>,
    /// Their name; several get a number behind it.
    #[serde(default)]
    pub name: String,
}

/// A device with its token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MadeDevice {
    /// Its id.
    pub id: u32,
    /// What it logs in with: a secret.
    pub token: Plain<Token>,
    /// Its template.
    pub template: Option<String>,
}

/// The token of a device: what goes into its sketch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceToken {
    /// Its id.
    pub device: Plain<DeviceId>,
}

/// Remove a device: its connection ends with E0307; its token, values and history are gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRemove {
    /// Its id.
    pub device: Plain<DeviceId>,
}

/// It is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RemovedDevice {
    /// Its id, which is not given out again.
    pub removed: u32,
}

/// Write a value to a pin, as an app would.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceWrite {
    /// Its id.
    pub device: Plain<DeviceId>,
    /// Such as `V7`.
    pub pin: Plain<Pin>,
    /// The value.
    pub value: String,
}

/// What became of something that was sent to a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// False: the device is offline. A value is stored for its next sync, anything else was not sent.
    pub delivered: bool,
}

/// Send a device something else than a value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicePush {
    /// Its id.
    pub device: Plain<DeviceId>,
    /// What to send.
    pub what: Pushed,
    /// With `ota`: where the firmware is, `http://` or `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// With `debug`: the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pushed {
    /// Get new firmware.
    Ota,
    /// Start again.
    Reboot,
    /// A line for its debug output.
    Debug,
    /// An answer, which shows that it is there: only devices that speak MQTT give one.
    Ping,
}

/// How connections ended lately, newest first, and what to do about it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceDiary {
    /// Only of this device, those before the start of the server too; of everybody without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Plain<DeviceId>>,
    /// At most so many.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = shard::DIARY_ROWS))]
    pub limit: u32,
}

/// The end of a connection. Of one before the start of the server the peer, its time and its frames are not known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DiaryLine {
    /// When, Unix s.
    pub at_s: u64,
    /// How long it had stood, s.
    pub lasted_s: Option<u32>,
    /// Frames that it had brought.
    pub frames: Option<u32>,
    /// The device, if it had logged in.
    pub device: Option<u32>,
    /// Address of the client.
    pub peer: Option<String>,
    /// Code of the end, such as `E0103`; docs/errors.md lists them.
    pub end: String,
    /// What happened.
    pub what: Option<String>,
    /// What to do.
    pub fix: Option<String>,
    /// What the firmware had said of itself.
    pub firmware: BTreeMap<String, String>,
}

/// History of a device as text, piece by piece, however long it is. Words are those of `/external/api/data/get`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceExport {
    /// Its id.
    pub device: Plain<DeviceId>,
    /// Only these pins; all without it.
    #[serde(default)]
    #[schemars(length(max = linchpin_storage::limits::LATEST_PINS))]
    pub pins: Vec<Plain<Pin>>,
    /// How far back.
    #[serde(default = "DeviceExport::period")]
    pub period: Plain<Period>,
    /// From this moment on instead, Unix ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Up to this moment, Unix ms; now without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
    /// How fine.
    #[serde(default = "DeviceExport::granularity")]
    pub granularity: Plain<Granularity>,
    /// Which value of a row.
    #[serde(default = "DeviceExport::source")]
    pub source: Plain<Source>,
    /// How times look, in UTC.
    #[serde(default = "DeviceExport::format")]
    pub format: Plain<TimeFormat>,
    /// What the text is.
    #[serde(default)]
    pub output: ExportedAs,
}

impl DeviceExport {
    pub(super) const fn period() -> Plain<Period> {
        Plain(Period::Month)
    }

    pub(super) const fn granularity() -> Plain<Granularity> {
        Plain(Granularity::Raw)
    }

    pub(super) const fn source() -> Plain<Source> {
        Plain(Source::Average)
    }

    pub(super) const fn format() -> Plain<TimeFormat> {
        Plain(TimeFormat::Iso)
    }
}

/// What an export is written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExportedAs {
    /// Lines with commas.
    #[default]
    Csv,
    /// One JSON value.
    Json,
}

/// Pieces follow.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExportBegun {
    /// Pins that are exported.
    pub pins: Vec<String>,
}

/// Part of the text; all pieces behind each other are the export.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExportPiece {
    /// The text.
    pub piece: String,
}

/// Show the frames of a device as they come and go, without its secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceTap {
    /// Its id.
    pub device: Plain<DeviceId>,
    /// For how long at most, s.
    #[serde(default = "longest_tap")]
    #[schemars(range(min = 1, max = shard::TAP_S))]
    pub seconds: u32,
}

/// Frames follow, until the asker sends anything or goes away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TapBegun {
    /// For how long, s.
    pub seconds: u32,
}

/// A frame of a device, or a packet of MQTT, which has the id 0. It has a status (of an answer), or a length and fields.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// `to-device` or `from-device`.
    pub direction: String,
    /// Name of the command, such as `HARDWARE`; its number if it has none.
    pub command: String,
    /// Number of the message.
    pub id: u16,
    /// Status of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Length of the body, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub len_bytes: Option<u16>,
    /// Parts of the body; tokens are hidden, long bodies are cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

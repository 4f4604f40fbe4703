//! Requests about templates as objects of organizations, and about events: over HTTP, for whoever may.

use linchpin_protocol::model::{DeviceId, OrgId, Pin, TemplateId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TopicLine;
use crate::command::plain::Plain;
use crate::limits;

/// Templates that an organization sees: its own, and those that organizations above give it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetList {
    /// The organization.
    pub org: Plain<OrgId>,
}

/// A template in a list.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SheetSummary {
    /// The id that firmware carries.
    pub id: String,
    /// The organization that it belongs to.
    pub org: u32,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Counts its changes.
    pub version: u32,
    /// Devices that have it: of a template of the organization's own all, of one that an organization above gives it its own.
    pub devices: usize,
    /// When it was changed, Unix ms.
    pub changed_ms: u64,
    /// Is it given to the organizations below?
    pub published: bool,
    /// How many datastreams it has.
    pub streams: usize,
}

/// A whole template. Its version is its ETag.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetShow {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
}

/// What a datastream takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SheetKind {
    /// A whole number.
    Integer,
    /// A number.
    Double,
    /// Any text.
    String,
    /// One of its labels.
    Enumeration,
    /// Longitude and latitude.
    Location,
}

/// A value and the text that is shown for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetLabel {
    /// The value; of an enumeration the number of the choice, from 0.
    pub value: String,
    /// The text.
    pub text: String,
}

/// A datastream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetStream {
    /// Its id in the HTTP API; given by the server.
    #[serde(default)]
    pub id: u32,
    /// Such as `V7`.
    pub pin: Plain<Pin>,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// For programs.
    #[serde(default)]
    pub alias: String,
    /// Other names: firmware that has an old one goes on.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it takes.
    pub kind: SheetKind,
    /// Unit, for display.
    #[serde(default)]
    pub unit: Option<String>,
    /// Smallest number.
    #[serde(default)]
    pub min: Option<f64>,
    /// Largest number.
    #[serde(default)]
    pub max: Option<f64>,
    /// Digits behind the point that are shown.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// What reads get while nothing was written.
    #[serde(default)]
    pub default: Option<String>,
    /// The choice that takes the place of a foreign one.
    #[serde(default)]
    pub fallback: Option<u32>,
    /// Values with their texts.
    #[serde(default)]
    pub labels: Vec<SheetLabel>,
    /// A value that is older is shown as stale, s.
    #[serde(default)]
    pub stale_after_s: Option<u32>,
    /// Is it left out of the list of devices, and of a device's page for whoever sees no templates? For display only: its values
    /// are given to whoever sees the device.
    #[serde(default)]
    pub hidden: bool,
    /// May people write it?
    #[serde(default)]
    pub writable: bool,
    /// Is the latest value sent again when a device asks to sync everything?
    #[serde(default)]
    pub sync: bool,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SheetLevel {
    /// Good to know.
    Info,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
    /// A message of the device's own.
    Content,
}

/// An event that devices may log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetEvent {
    /// What devices send.
    pub code: String,
    /// For people.
    pub name: String,
    /// How bad it is.
    pub level: SheetLevel,
    /// The text where the device sends none.
    #[serde(default)]
    pub text: String,
    /// How many a device may log in 24 hours; 0: as many as the server allows, 100 of all events together. More are refused.
    #[serde(default)]
    pub per_day: u16,
}

/// What a metadata field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SheetFieldKind {
    /// Any text.
    Text,
    /// A number, with its unit.
    Number,
    /// A time of day or a range.
    Time,
    /// A person to turn to.
    Contact,
    /// A price.
    Cost,
    /// Longitude and latitude.
    Coordinates,
    /// On or off.
    Switch,
    /// One of a list of texts.
    List,
    /// Another device.
    Device,
    /// A time zone.
    TimeZone,
}

/// A field of the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetField {
    /// Its id; given by the server.
    #[serde(default)]
    pub id: u32,
    /// Its name, also on the wire.
    pub name: String,
    /// What it holds.
    pub kind: SheetFieldKind,
    /// Of a number its unit, of a list its texts, one a line.
    #[serde(default)]
    pub unit: Option<String>,
    /// Must it be filled in when a device is claimed?
    #[serde(default)]
    pub required: bool,
    /// What a new device has.
    #[serde(default)]
    pub default: String,
    /// May the device itself write it?
    #[serde(default)]
    pub by_device: bool,
}

/// Rules of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetConnection {
    /// Are its devices served over TLS only?
    #[serde(default)]
    pub tls_required: bool,
    /// How long a device may be away before it is shown as offline, s. One that is back before was never away: lists, counts and
    /// live sockets show it as online all the time. Its diary and `isHardwareConnected` say what its connections do.
    #[serde(default)]
    #[schemars(range(max = 31_536_000))]
    pub offline_wait_s: u32,
}

/// A template in full.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SheetAnswer {
    /// The id that firmware carries.
    pub id: String,
    /// The organization that it belongs to.
    pub org: u32,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Counts its changes.
    pub version: u32,
    /// Devices that have it.
    pub devices: usize,
    /// When it was changed, Unix ms.
    pub changed_ms: u64,
    /// Is it given to the organizations below?
    pub published: bool,
    /// Datastreams, in the order of their pins.
    pub streams: Vec<SheetStream>,
    /// Events.
    pub events: Vec<SheetEvent>,
    /// Fields of the metadata.
    pub metadata: Vec<SheetField>,
    /// Topics of MQTT of the firmware's own.
    pub topics: Vec<TopicLine>,
    /// Rules of connections.
    pub connection: SheetConnection,
    /// How the console shows its devices.
    pub layout: Value,
}

/// Make a template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetMake {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The id that firmware is to carry; the server chooses one without it.
    #[serde(default)]
    pub id: Option<Plain<TemplateId>>,
    /// For people.
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 1_024))]
    pub description: String,
    /// Datastreams.
    #[serde(default)]
    #[schemars(length(max = limits::DATASTREAMS))]
    pub streams: Vec<SheetStream>,
    /// Events.
    #[serde(default)]
    pub events: Vec<SheetEvent>,
    /// Fields of the metadata.
    #[serde(default)]
    pub metadata: Vec<SheetField>,
    /// Topics of MQTT of the firmware's own.
    #[serde(default)]
    pub topics: Vec<TopicLine>,
    /// Rules of connections.
    #[serde(default)]
    pub connection: SheetConnection,
    /// How the console shows its devices.
    #[serde(default)]
    pub layout: Value,
    /// A device without template whose pins become datastreams; it gets the template.
    #[serde(default)]
    pub from_device: Option<Plain<DeviceId>>,
}

/// Save a template: its next version. With `If-Match` only if nobody else has saved one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetSave {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: Option<String>,
    /// For people.
    #[serde(default)]
    #[schemars(length(max = 1_024))]
    pub description: Option<String>,
    /// All datastreams.
    #[serde(default)]
    #[schemars(length(max = limits::DATASTREAMS))]
    pub streams: Option<Vec<SheetStream>>,
    /// All events.
    #[serde(default)]
    pub events: Option<Vec<SheetEvent>>,
    /// All fields of the metadata.
    #[serde(default)]
    pub metadata: Option<Vec<SheetField>>,
    /// All topics.
    #[serde(default)]
    pub topics: Option<Vec<TopicLine>>,
    /// Rules of connections.
    #[serde(default)]
    pub connection: Option<SheetConnection>,
    /// How the console shows its devices.
    #[serde(default)]
    pub layout: Option<Value>,
    /// Why, for those who look at its versions.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub note: String,
    /// As it was answered; not looked at.
    #[serde(default)]
    pub id: Option<Value>,
    /// As it was answered; not looked at.
    #[serde(default)]
    pub version: Option<Value>,
    /// As it was answered; not looked at.
    #[serde(default)]
    pub devices: Option<Value>,
    /// As it was answered; not looked at.
    #[serde(default)]
    pub changed_ms: Option<Value>,
    /// As it was answered; not looked at.
    #[serde(default)]
    pub published: Option<Value>,
}

/// Remove a template that no device has.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetRemove {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
}

/// Versions of a template, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetVersions {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
}

/// A version of a template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SheetVersionLine {
    /// Its number.
    pub version: u32,
    /// When it was saved, Unix ms.
    pub at_ms: u64,
    /// By whom; null: by the operator.
    pub by: Option<String>,
    /// Why.
    pub note: String,
}

/// An older version of a template in full.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetVersionShow {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
    /// Which version.
    pub version: u32,
}

/// Save an older version again, as the next one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetRestore {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
    /// Which version.
    pub version: u32,
}

/// Give a template to the organizations below, or take it back; devices that have it go on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetPublish {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its id.
    pub template: Plain<TemplateId>,
    /// Give it?
    pub published: bool,
}

/// Events of an organization's devices, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HappeningList {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Of this device only.
    #[serde(default)]
    pub device: Option<Plain<DeviceId>>,
    /// Of the organizations below it too; not together with a device.
    #[serde(default)]
    pub below: bool,
    /// Only those that nobody has resolved.
    #[serde(default)]
    pub open: bool,
    /// From this moment on, Unix ms.
    #[serde(default)]
    pub from_ms: u64,
    /// Where to begin: `next` of the answer before.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = limits::PAGE))]
    pub limit: usize,
}

const fn fifty() -> usize {
    50
}

/// An event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HappeningLine {
    /// Names it.
    pub id: String,
    /// The device's organization.
    pub org: u32,
    /// The device.
    pub device: u32,
    /// Its name.
    pub device_name: String,
    /// When, Unix ms.
    pub at_ms: u64,
    /// info, warning, critical, content or system.
    #[schemars(extend("enum" = ["info", "warning", "critical", "content", "system"]))]
    pub level: String,
    /// Its code.
    pub code: String,
    /// What the template calls it.
    pub title: String,
    /// What the device said, else the template's text.
    pub text: String,
    /// When it was resolved, Unix ms.
    pub resolved_ms: Option<u64>,
    /// By whom; null: by the device, or the operator.
    pub resolved_by: Option<String>,
    /// What they noted.
    pub note: Option<String>,
}

/// Say that somebody has seen to an event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HappeningResolve {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Names it.
    pub event: String,
    /// What was done, for people.
    #[serde(default)]
    #[schemars(length(max = limits::EVENT_NOTE_BYTES))]
    pub note: Option<String>,
}

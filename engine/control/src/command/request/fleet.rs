//! Requests about devices as objects of organizations: over HTTP, for whoever may.

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, OrgId, Pin, TemplateId, Token};
use linchpin_storage::{Granularity, Period, Source, TimeFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{DeviceExport, ExportedAs};
use crate::command::plain::Plain;
use crate::fleet::DeviceSort;
use crate::limits;

/// A field that is there, be it null: null takes away what was set, a field that is not there leaves it.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

const fn page() -> usize {
    500
}

const fn chart_points() -> usize {
    600
}

/// Devices of an organization, filtered and sorted by the server, in columns.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetList {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Words that name, id, template's name or tags contain.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub q: String,
    /// Which states.
    #[serde(default)]
    pub show: Option<FleetShow>,
    /// Of this template only; empty: of any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub template: String,
    /// With all of these tags.
    #[serde(default)]
    pub tag: Vec<String>,
    /// With these fields of the metadata, each as `NAME=VALUE`.
    #[serde(default)]
    pub meta: Vec<String>,
    /// Owned by this person of the organization.
    #[serde(default)]
    pub owner: Option<u32>,
    /// Only these.
    #[serde(default)]
    #[schemars(length(max = 1_000))]
    pub ids: Vec<Plain<DeviceId>>,
    /// In which order.
    #[serde(default)]
    pub sort: Option<DeviceSort>,
    /// Which way.
    #[serde(default)]
    pub order: Option<SortOrder>,
    /// Also of the organizations below.
    #[serde(default)]
    pub below: bool,
    /// Where to begin: `next` of the answer before.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = limits::DEVICE_PAGE))]
    pub limit: usize,
}

/// Which states of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FleetShow {
    /// All.
    All,
    /// Connected.
    Online,
    /// Were here and are not.
    Offline,
    /// Never were here.
    Never,
    /// Their last connection ended in a way that somebody should look at.
    Trouble,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SortOrder {
    /// As the sort says.
    Asc,
    /// The other way round.
    Desc,
}

/// Columns of equal length: a device each.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FleetColumns {
    /// Id.
    pub id: Vec<u32>,
    /// Organization.
    pub org: Vec<u32>,
    /// Name.
    pub name: Vec<String>,
    /// Template.
    pub template: Vec<Option<String>>,
    /// Its name.
    pub template_name: Vec<Option<String>>,
    /// Connected; null: never was here.
    pub online: Vec<Option<bool>>,
    /// When it came or went, Unix ms; of one that never was here when it was made.
    pub since_ms: Vec<u64>,
    /// When it was last heard, Unix ms.
    pub seen_ms: Vec<Option<u64>>,
    /// Tags.
    pub tags: Vec<Vec<String>>,
    /// The number of the code of its last end, if somebody should look at it.
    pub trouble: Vec<Option<u16>>,
    /// The pin of the value beside it.
    pub pin: Vec<Option<String>>,
    /// A latest value: of the template's first datastream, else of the first pin that has one.
    pub value: Vec<Option<String>>,
    /// When it was written, Unix ms.
    pub value_ms: Vec<Option<u64>>,
    /// Its unit.
    pub unit: Vec<Option<String>>,
}

/// How many devices fit, by state.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FleetCounts {
    /// Connected.
    pub online: usize,
    /// Were here and are not.
    pub offline: usize,
    /// Never were here.
    pub never: usize,
    /// To be looked at.
    pub trouble: usize,
}

/// A page of devices.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FleetPage {
    /// The devices.
    pub columns: FleetColumns,
    /// How many there are in all.
    pub total: usize,
    /// By state, whatever `show` says.
    pub counts: FleetCounts,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// Make a device in an organization.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetMake {
    /// The organization.
    pub org: Plain<OrgId>,
    /// Its name.
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: String,
    /// Its template; one that the organization sees.
    #[serde(default)]
    pub template: Option<Plain<TemplateId>>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Fields of its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Let the server play it: a virtual device, which connects to the plain port as boards do.
    #[serde(default, rename = "virtual")]
    pub is_virtual: bool,
}

/// A device that was made, with what its sketch needs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetMade {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What it logs in with: a secret.
    pub token: Plain<Token>,
    /// Where the server is.
    pub host: String,
    /// The plain port.
    pub port: u16,
    /// The port with TLS.
    pub port_tls: u16,
}

/// One device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetShowOne {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// A device as people see it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetSheet {
    /// Its id.
    pub id: u32,
    /// Its organization.
    pub org: u32,
    /// The organization's name.
    pub org_name: String,
    /// Its name.
    pub name: String,
    /// Its template.
    pub template: Option<String>,
    /// The template's name.
    pub template_name: Option<String>,
    /// Number of its owner, at home in `owner_org`.
    pub owner: Option<u32>,
    /// The owner's home.
    pub owner_org: Option<u32>,
    /// The owner's name, for those who see people.
    pub owner_name: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Connected; null: never was here.
    pub online: Option<bool>,
    /// When it came or went, Unix ms.
    pub since_ms: u64,
    /// When it was last heard, Unix ms.
    pub seen_ms: Option<u64>,
    /// When it was made, Unix ms.
    pub created_ms: u64,
    /// Address of its connection.
    pub address: Option<String>,
    /// How it is connected; not known yet.
    pub transport: Option<String>,
    /// The board, as the firmware says.
    pub board: Option<String>,
    /// The firmware's version, as it says.
    pub firmware: Option<String>,
    /// The library's version, as it says.
    pub library: Option<String>,
    /// What the asker may do with it.
    pub may: Vec<String>,
}

/// Change a device. What is not given stays; what is null is taken away.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetChange {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// Its name.
    #[serde(default)]
    #[schemars(length(max = limits::NAME_BYTES))]
    pub name: Option<String>,
    /// Its template.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub template: Option<Option<Plain<TemplateId>>>,
    /// Who owns it: somebody of the organization.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub owner: Option<Option<u32>>,
    /// All its tags.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// All its metadata.
    #[serde(default)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Remove a device with all that is stored of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetRemove {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// Change many devices: all of them are looked at first, and none is changed if one cannot be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetBatch {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The devices.
    #[schemars(length(min = 1, max = limits::BATCH_DEVICES))]
    pub devices: Vec<Plain<DeviceId>>,
    /// Tags that they get besides.
    #[serde(default)]
    pub add_tags: Vec<String>,
    /// Tags that they lose.
    #[serde(default)]
    pub remove_tags: Vec<String>,
    /// The organization that they go to.
    #[serde(default)]
    pub move_to: Option<Plain<OrgId>>,
    /// Remove them.
    #[serde(default)]
    pub remove: bool,
}

/// How many devices were changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetBatchDone {
    /// So many.
    pub done: usize,
}

/// Make many devices from lines of CSV with a header. `name` and `template` name the columns of these; `tags` holds words with
/// semicolons between; any other column is a field of the metadata.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetBulk {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The lines.
    pub csv: String,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetBulkLine {
    /// Which line of the text, the header being 1.
    pub line: usize,
    /// The device that was made.
    pub id: Option<u32>,
    /// Its token: a secret.
    pub token: Option<Plain<Token>>,
    /// Why it was not made.
    pub error: Option<String>,
}

/// Latest values of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetValues {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// A latest value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetValue {
    /// Such as `V7`.
    pub pin: String,
    /// Parts have NULs between them; null: nothing was written yet.
    pub value: Option<String>,
    /// When it was written, Unix ms.
    pub at_ms: Option<u64>,
    /// How its widgets look, by name.
    pub properties: BTreeMap<String, String>,
}

/// Write a value to a pin of a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetWrite {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// Such as `V7`.
    pub pin: Plain<Pin>,
    /// The value.
    pub value: String,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WriteResult {
    /// The connected device was sent it.
    Delivered,
    /// The device is not connected: it gets it at its next sync.
    Kept,
    /// It was not written.
    Refused,
}

/// The answer to a write.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetWritten {
    /// What became of it.
    pub result: WriteResult,
    /// Why it was refused.
    pub code: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
}

/// History of pins for a chart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetChart {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// The pins, a line each.
    #[schemars(length(min = 1, max = 16))]
    pub pins: Vec<Plain<Pin>>,
    /// From this moment on, Unix ms; from the first without it.
    #[serde(default)]
    pub from_ms: Option<u64>,
    /// Up to this moment, Unix ms; now without it.
    #[serde(default)]
    pub to_ms: Option<u64>,
    /// At most so many points a line.
    #[serde(default = "chart_points")]
    #[schemars(range(min = 1, max = limits::CHART_POINTS))]
    pub points: usize,
}

/// A line of a chart: columns of equal length.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct FleetSeries {
    /// Such as `V7`.
    pub pin: String,
    /// When the last value of each point was written, Unix ms.
    pub at_ms: Vec<u64>,
    /// Least.
    pub min: Vec<f64>,
    /// Greatest.
    pub max: Vec<f64>,
    /// The last.
    pub last: Vec<f64>,
}

/// A chart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetCharted {
    /// Where it begins, Unix ms.
    pub from_ms: u64,
    /// Where it ends, Unix ms.
    pub to_ms: u64,
    /// A line a pin.
    pub series: Vec<FleetSeries>,
}

/// Erase what a device has reported: values, history, events. The device stays.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetErase {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// When a device came and went, and why, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetDiary {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// A line of a device's diary.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetDiaryLine {
    /// When, Unix ms.
    pub at_ms: u64,
    /// online, offline, refused or note.
    #[schemars(extend("enum" = ["online", "offline", "refused", "note"]))]
    pub kind: String,
    /// The number of the code of the end; 0: none.
    pub code: u16,
    /// What happened.
    pub sentence: String,
    /// What to do.
    pub fix: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// How long the connection had stood, ms.
    pub lasted_ms: Option<u64>,
}

/// The token of a device. It is written down who saw it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetTokenShow {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// Give a device another token: the old one opens nothing once this is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetTokenReplace {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// A token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetToken {
    /// What the device logs in with: a secret.
    pub token: Plain<Token>,
}

/// With whom a device is shared.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareList {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// Share a device with a person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareSet {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// The person's number at home.
    pub user: u32,
    /// The person's home; the organization without it.
    #[serde(default)]
    pub home: Option<Plain<OrgId>>,
    /// What they may do with it: names of permissions.
    pub permissions: Vec<String>,
    /// Until when, Unix ms; for ever without it.
    #[serde(default)]
    pub until_ms: Option<u64>,
}

/// Share a device with a person no more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareEnd {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// The person's number at home.
    pub user: u32,
    /// The person's home; the organization without it.
    #[serde(default)]
    pub home: Option<Plain<OrgId>>,
}

/// A share.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ShareLine {
    /// The person's number at home.
    pub user: u32,
    /// The person's home.
    pub home: u32,
    /// The person's name, for those who see people.
    pub name: String,
    /// The person's address, for those who see people.
    pub email: String,
    /// What they may do.
    pub permissions: Vec<String>,
    /// Until when, Unix ms; null: for ever.
    pub until_ms: Option<u64>,
}

/// Give a device to another organization. It keeps its id, token, values and history.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetMove {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// The organization that it goes to.
    pub to: Plain<OrgId>,
}

/// Take a device from its owner: it belongs to the organization alone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetUnclaim {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
}

/// Tags of an organization's devices.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetTags {
    /// The organization.
    pub org: Plain<OrgId>,
}

/// Logins with unknown tokens, by address: for those who manage the server.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttemptList {
    /// The organization; only the first one sees any.
    pub org: Plain<OrgId>,
}

/// Logins that were refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AttemptLine {
    /// When the last one was, Unix ms.
    pub at_ms: u64,
    /// The address.
    pub address: String,
    /// The number of the code.
    pub code: u16,
    /// How many.
    pub count: u32,
}

/// History of a device as a file. Words are those of `/external/api/data/get`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetHistory {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// Only these pins; all without it.
    #[serde(default)]
    #[schemars(length(max = linchpin_storage::limits::LATEST_PINS))]
    pub pins: Vec<Plain<Pin>>,
    /// How far back.
    #[serde(default = "DeviceExport::period")]
    pub period: Plain<Period>,
    /// From this moment on instead, Unix ms.
    #[serde(default)]
    pub from_ms: Option<u64>,
    /// Up to this moment, Unix ms; now without it.
    #[serde(default)]
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

/// The frames of a device as they come and go, without its secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetWire {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device.
    pub device: Plain<DeviceId>,
    /// For how long at most, s.
    #[serde(default = "a_minute")]
    #[schemars(range(min = 1, max = linchpin_shard::limits::TAP_S))]
    pub seconds: u32,
}

const fn a_minute() -> u32 {
    60
}

/// The devices of an organization as lines of CSV.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetExport {
    /// The organization.
    pub org: Plain<OrgId>,
    /// `csv`, the only one.
    #[serde(default)]
    pub format: Option<String>,
    /// Words that name, id, template's name or tags contain.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub q: String,
    /// Which states.
    #[serde(default)]
    pub show: Option<FleetShow>,
    /// Of this template only; empty: of any.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub template: String,
    /// With all of these tags.
    #[serde(default)]
    pub tag: Vec<String>,
    /// Only these.
    #[serde(default)]
    #[schemars(length(max = limits::DEVICE_PAGE))]
    pub ids: Vec<Plain<DeviceId>>,
    /// Also of the organizations below.
    #[serde(default)]
    pub below: bool,
}

/// Lines follow.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetExported {
    /// How many devices.
    pub devices: usize,
}

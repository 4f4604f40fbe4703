//! What the page of a device needs of its template: for whoever sees the device, though they see no templates.

use linchpin_protocol::model::{DeviceId, OrgId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{SheetField, SheetStream};
use crate::command::plain::Plain;

/// What the template of a device says of what is shown: for whoever sees the device. The template's version is the ETag.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FleetTemplate {
    /// The organization.
    pub org: Plain<OrgId>,
    /// The device; one without a template has none to show: 404.
    pub device: Plain<DeviceId>,
}

/// A template as the page of a device shows it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FleetTemplateShown {
    /// The id that firmware carries.
    pub id: String,
    /// For people.
    pub name: String,
    /// Datastreams, in the order of their pins; hidden ones only for those who see templates.
    pub streams: Vec<SheetStream>,
    /// Fields of the metadata.
    pub metadata: Vec<SheetField>,
    /// How the console shows the device; null for whoever may not see dashboards.
    pub layout: Option<Value>,
}

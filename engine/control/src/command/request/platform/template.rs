//! Requests about templates.

use linchpin_protocol::model::{OrgId, TemplateId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::plain::Plain;

paged! {
    /// Templates that an organization sees.
    PlatformTemplates {
        /// Another organization than the asker's.
        #[serde(default)]
        org_id: Option<Plain<OrgId>>,
    }
}

/// A template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformTemplate {
    /// Its number.
    pub id: u32,
    /// The id that firmware carries.
    pub template_id: String,
    /// The same, as a list.
    pub template_ids: Vec<String>,
    /// The organization that it belongs to.
    pub org_id: u32,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
}

macro_rules! of_template {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            /// Its number, or the id that firmware carries.
            pub template_id: Plain<TemplateId>,
        }
    )*};
}

of_template! {
    /// One template.
    PlatformTemplateShow
    /// Datastreams of a template.
    PlatformStreams
    /// Events of a template.
    PlatformEvents
    /// Fields of the metadata of a template.
    PlatformFields
}

/// A datastream.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformStream {
    /// Its id in the template.
    pub id: u32,
    /// Its name.
    pub label: String,
    /// Its alias.
    pub alias: String,
    /// Its unit as it is written; empty: none.
    pub units: String,
    /// INT, DOUBLE, STRING, ENUM or LOCATION.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["INT", "DOUBLE", "STRING", "ENUM", "LOCATION"]))]
    pub kind: String,
    /// What reads get while nothing was written; null: nothing.
    pub default_value: Value,
    /// The number of its pin.
    pub pin: u8,
    /// VIRTUAL, DIGITAL or ANALOG.
    #[schemars(extend("enum" = ["VIRTUAL", "DIGITAL", "ANALOG"]))]
    pub pin_type: String,
    /// Is its pin an analog one?
    pub is_analog_pin: bool,
    /// Is the latest value sent again when a device asks for it?
    pub is_sync: bool,
}

/// An event that devices may log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformEvent {
    /// Its place in the template, from 1.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What devices send.
    pub event_code: String,
    /// INFORMATION, WARNING, CRITICAL or CONTENT.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["INFORMATION", "WARNING", "CRITICAL", "CONTENT"]))]
    pub kind: String,
}

/// A field that devices of a template have.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformField {
    /// Its id in the template.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What it holds, such as `Text`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What a new device has.
    pub default_value: String,
}

//! Requests about events of devices, and about when they came and went.

use linchpin_protocol::limits::MAX_EVENT_CODE_BYTES;
use linchpin_protocol::model::DeviceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::plain::Plain;

/// Log an event of a device, as the device does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformTrigger {
    /// The device.
    pub device_id: Plain<DeviceId>,
    /// The event's code in the template.
    #[schemars(length(min = 1, max = MAX_EVENT_CODE_BYTES))]
    pub event_code: String,
    /// What is said of it, at most 300 characters; without it the text of the template.
    #[serde(default)]
    #[schemars(length(max = 1_200))]
    pub event_description: String,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PlatformEventType {
    /// Good to know; those of the system too.
    Information,
    /// Look at it.
    Warning,
    /// Act now.
    Critical,
    /// A message of the device's own.
    Content,
}

paged! {
    /// Events of a device, the newest first.
    PlatformTimeline {
        /// The device.
        device_id: Plain<DeviceId>,
        /// Only of this kind.
        #[serde(default)]
        event_type: Option<PlatformEventType>,
    }
}

/// An event that a device has logged.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformTimelineLine {
    /// Names it, as `event.resolve` does: a text.
    pub id: String,
    /// The organization.
    pub org_id: u32,
    /// Its code.
    pub event_code: String,
    /// Its name in the template; else its code.
    pub event_name: String,
    /// Its kind.
    pub event_type: PlatformEventType,
    /// What is said of it.
    pub description: String,
    /// When, Unix ms.
    pub ts: u64,
    /// Has somebody seen to it?
    pub is_resolved: bool,
    /// When, Unix ms; null: nobody has.
    pub resolved_at: Option<u64>,
    /// What they wrote.
    pub resolved_comment: Option<String>,
}

paged! {
    /// When a device came and went, and why, the newest first: its diary. Who wrote which value is not recorded.
    PlatformLogs {
        /// The device.
        device_id: Plain<DeviceId>,
    }
}

/// A line of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformLog {
    /// When, Unix ms.
    pub created_at: u64,
    /// It came; else it went, or was refused.
    pub is_online: bool,
    /// What happened.
    pub message: String,
    /// The number of the code of the end; 0: none.
    pub code: u16,
    /// The address that it came from.
    pub ip: Option<String>,
}

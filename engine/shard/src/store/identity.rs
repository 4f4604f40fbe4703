//! What only the store knows of a device: how people call it and whose it is. A shard has no room for it and asks.

use linchpin_protocol::model::{DeviceId, OrgId};

use crate::ids::ConnRef;

/// A metadata field with a meaning of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservedField {
    /// `Device Name`: how people call it.
    DeviceName,
    /// `Device Owner`: the name of the person who has it.
    DeviceOwner,
}

impl ReservedField {
    /// By its name; case matters.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "Device Name" => Some(Self::DeviceName),
            "Device Owner" => Some(Self::DeviceOwner),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceName => "Device Name",
            Self::DeviceOwner => "Device Owner",
        }
    }
}

/// How the asker is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldWay {
    /// By a frame with the id of the request.
    Frame(u16),
    /// By a reply to an HTTP request.
    Http,
    /// By a message on the field's topic.
    Mqtt,
}

/// A question for a [`ReservedField`]. Plain data: the shard remembers nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldAsk {
    /// The connection that waits, on any shard.
    pub asker: ConnRef,
    /// How it is answered.
    pub way: FieldWay,
    /// The device's organization.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// What is asked.
    pub field: ReservedField,
}

//! Parameters of commands, checked.

use linchpin_protocol::model::{DeviceId, Pin, PinKind};
use serde_json::Value;

use crate::CommandError;

pub(crate) fn optional_u32(parameters: &Value, name: &str) -> Result<Option<u32>, CommandError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
            number.map(Some).ok_or_else(|| CommandError::parameter(name, "a whole number from 0 to 4294967295"))
        }
    }
}

pub(crate) fn optional_u64(parameters: &Value, name: &str) -> Result<Option<u64>, CommandError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| CommandError::parameter(name, "a whole number")),
    }
}

pub(crate) fn optional_text<'a>(parameters: &'a Value, name: &str) -> Result<Option<&'a str>, CommandError> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| CommandError::parameter(name, "a text")),
    }
}

pub(crate) fn device_id(parameters: &Value) -> Result<DeviceId, CommandError> {
    let id = optional_u32(parameters, "device")?.and_then(DeviceId::new);
    id.ok_or_else(|| CommandError::parameter("device", "a device id, 1 or more"))
}

/// `V7`, `D3`, `A0`.
pub(crate) fn pin(parameters: &Value) -> Result<Pin, CommandError> {
    let parsed = parameters.get("pin").and_then(Value::as_str).and_then(parse_pin);
    parsed.ok_or_else(|| CommandError::parameter("pin", "V0 to V255, D0 to D255 or A0 to A255"))
}

pub(crate) fn parse_pin(text: &str) -> Option<Pin> {
    let (letter, index) = text.as_bytes().split_first()?;
    PinKind::from_letter(letter.to_ascii_lowercase())?;
    Pin::parse(letter.to_ascii_lowercase(), index)
}

pub(crate) fn no_such_device(device: DeviceId) -> CommandError {
    CommandError::new("no-such-device", format!("there is no device {device}: `linchpin device list` shows them"))
}

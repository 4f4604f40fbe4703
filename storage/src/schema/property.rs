//! Properties of pins and metadata of a device: one record a device.

use linchpin_protocol::model::Pin;

use super::{DeviceKey, Family, Record, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The pin of a property; `None` for metadata of the device.
    pub pin: Option<Pin>,
    /// Such as `label`.
    pub name: Box<str>,
    /// As on the wire.
    pub value: Box<[u8]>,
}

/// What a device has set of its pins and of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(pub Vec<Attribute>);

/// Stands where a pin's number would.
const NO_PIN: u16 = u16::MAX;

pub(super) fn put_attributes(attributes: &[Attribute], out: &mut Vec<u8>) {
    out.put_varint(attributes.len() as u64);
    for attribute in attributes {
        out.put_u16(attribute.pin.map_or(NO_PIN, Pin::to_u16));
        out.put_bytes(attribute.name.as_bytes());
        out.put_bytes(&attribute.value);
    }
}

pub(super) fn take_attributes(fields: &mut Fields<'_>) -> Result<Properties, Shape> {
    let mut attributes = Vec::new();
    for _ in 0..fields.varint()? {
        let mut ahead = fields.clone();
        let pin = if ahead.u16()? == NO_PIN {
            *fields = ahead;
            None
        } else {
            Some(take::pin(fields)?)
        };
        attributes.push(Attribute { pin, name: fields.text()?.into(), value: fields.bytes()?.into() });
    }
    Ok(Properties(attributes))
}

impl Record for Properties {
    type Key = DeviceKey;
    const FAMILY: Family = Family::Property;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        put_attributes(&self.0, out);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let properties = take_attributes(&mut fields)?;
        fields.end()?;
        Ok(properties)
    }
}

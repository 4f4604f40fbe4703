//! Latest values: one record a device, whatever the number of its pins.

use std::collections::BTreeMap;

use linchpin_protocol::model::Pin;

use super::{DeviceKey, Family, Record, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// One latest value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatestValue {
    /// As on the wire, parts separated by NUL.
    pub value: Box<[u8]>,
    /// When it was written, ms since 1970.
    pub at_ms: u64,
}

/// All latest values of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest {
    /// The journal up to here is contained in this record, in its chunks and in its roll-ups.
    pub applied: u64,
    /// By pin.
    pub values: BTreeMap<Pin, LatestValue>,
}

impl Record for Latest {
    type Key = DeviceKey;
    const FAMILY: Family = Family::Latest;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.applied);
        out.put_varint(self.values.len() as u64);
        for (pin, latest) in &self.values {
            out.put_u16(pin.to_u16());
            out.put_u64(latest.at_ms);
            out.put_bytes(&latest.value);
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let applied = fields.u64()?;
        let mut values = BTreeMap::new();
        for _ in 0..fields.varint()? {
            let pin = take::pin(&mut fields)?;
            let at_ms = fields.u64()?;
            values.insert(pin, LatestValue { value: fields.bytes()?.into(), at_ms });
        }
        fields.end()?;
        Ok(Self { applied, values })
    }
}

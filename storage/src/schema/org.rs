//! Organizations.

use super::{Family, KeyBytes, OrgId, Record, RecordKey, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// An organization: whoever owns devices. Its records are sealed with a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// For people.
    pub name: Box<str>,
    /// The organization above it.
    pub parent: Option<OrgId>,
    /// When it was made, ms since 1970.
    pub created_ms: u64,
    /// Days that raw points are retained; 0 for the server's setting.
    pub raw_days: u16,
}

impl RecordKey for OrgId {
    fn bytes(&self) -> KeyBytes {
        KeyBytes::org(*self)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let org = take::org(&mut fields)?;
        fields.end()?;
        Ok(org)
    }
}

impl Record for Org {
    type Key = OrgId;
    const FAMILY: Family = Family::Org;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.name.as_bytes());
        out.put_u32(self.parent.map_or(0, OrgId::get));
        out.put_u64(self.created_ms);
        out.put_u16(self.raw_days);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let org = Self {
            name: fields.text()?.into(),
            parent: OrgId::new(fields.u32()?),
            created_ms: fields.u64()?,
            raw_days: fields.u16()?,
        };
        fields.end()?;
        Ok(org)
    }
}

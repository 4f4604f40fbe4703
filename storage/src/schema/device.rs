//! Devices. The sealed record holds the token, so that it can be shown to its owner again.

use linchpin_protocol::model::{DeviceId, TemplateId, Token};

use super::{Family, Record, key_in_org, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of everything that there is once for a device.
    DeviceKey, device: DeviceId, take::device, |key, device| key.u32(device.get())
);

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// For people; may be empty.
    pub name: Box<str>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// What it logs in with. Its digest is in the index.
    pub token: Token,
    /// When it was made, ms since 1970.
    pub created_ms: u64,
    /// The user who owns it; 0 for none.
    pub owner: u32,
}

impl Record for Device {
    type Key = DeviceKey;
    const FAMILY: Family = Family::Device;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.name.as_bytes());
        out.put_bytes(self.template.as_ref().map_or("", TemplateId::as_str).as_bytes());
        out.put_bytes(self.token.expose().as_bytes());
        out.put_u64(self.created_ms);
        out.put_u32(self.owner);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let name = fields.text()?.into();
        let template = match fields.bytes()? {
            b"" => None,
            id => Some(TemplateId::parse(id).map_err(|_| Shape)?),
        };
        let token = Token::parse(fields.bytes()?).map_err(|_| Shape)?;
        let device = Self { name, template, token, created_ms: fields.u64()?, owner: fields.u32()? };
        fields.end()?;
        Ok(device)
    }
}

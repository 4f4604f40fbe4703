//! Tokens that are made before their device: one to flash, one to print as a QR code and to claim the device with.

use linchpin_protocol::model::{DeviceId, TemplateId, Token};

use super::{Attribute, Family, Properties, Record, key_in_org, property};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a pair of tokens. The index holds numbers of 32 bits, so none is larger.
    StaticKey, number: u64, |fields| fields.u64(), |key, number| key.u64(number)
);

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticState {
    /// Nobody has claimed it.
    Unclaimed,
    /// It is this device.
    Claimed(DeviceId),
    /// It was taken back.
    Withdrawn,
}

/// A pair of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticToken {
    /// What the device logs in with.
    pub token: Token,
    /// Digest of what claims it, under which it stands in the index.
    pub claim: [u8; 32],
    /// The template of the device.
    pub template: TemplateId,
    /// Metadata that the device gets.
    pub metadata: Vec<Attribute>,
    /// What became of it.
    pub state: StaticState,
    /// When it was made, ms since 1970.
    pub made_ms: u64,
}

impl Record for StaticToken {
    type Key = StaticKey;
    const FAMILY: Family = Family::Static;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.token.expose().as_bytes());
        out.extend_from_slice(&self.claim);
        out.put_bytes(self.template.as_str().as_bytes());
        property::put_attributes(&self.metadata, out);
        let (state, device) = match self.state {
            StaticState::Unclaimed => (1, 0),
            StaticState::Claimed(device) => (2, device.get()),
            StaticState::Withdrawn => (3, 0),
        };
        out.put_u8(state);
        out.put_u32(device);
        out.put_u64(self.made_ms);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let token = Token::parse(fields.bytes()?).map_err(|_| Shape)?;
        let claim = fields.array()?;
        let template = TemplateId::parse(fields.bytes()?).map_err(|_| Shape)?;
        let Properties(metadata) = property::take_attributes(&mut fields)?;
        let state = match (fields.u8()?, DeviceId::new(fields.u32()?)) {
            (1, None) => StaticState::Unclaimed,
            (2, Some(device)) => StaticState::Claimed(device),
            (3, None) => StaticState::Withdrawn,
            _ => return Err(Shape),
        };
        let made_ms = fields.u64()?;
        fields.end()?;
        Ok(Self { token, claim, template, metadata, state, made_ms })
    }
}

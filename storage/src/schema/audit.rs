//! The audit log: each entry carries the digest of the one before it, so that none can be taken out of the middle. What
//! is too old goes from the front: a check of the chain begins with the first entry that is there.

use ring::digest;

use super::{Family, Record, key_in_org};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of an audit entry: numbers of an organization have no gaps.
    AuditKey, number: u64, |fields| fields.u64(), |key, number| key.u64(number)
);

/// Who did what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Digest of the entry before; zeros for the first.
    pub before: [u8; 32],
    /// When, ms since 1970.
    pub at_ms: u64,
    /// The user who acted; 0 for the server's operator.
    pub actor: u32,
    /// What was done, such as `device.create`.
    pub action: Box<str>,
    /// To what, by internal number, such as `device 42`. Never a secret.
    pub object: Box<str>,
    /// The address it came from; may be empty.
    pub address: Box<str>,
}

impl Audit {
    /// What the next entry carries as `before`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        super::encode(self, &mut bytes);
        let mut digest = [0; 32];
        digest.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
        digest
    }
}

impl Record for Audit {
    type Key = AuditKey;
    const FAMILY: Family = Family::Audit;
    const VERSION: u8 = 1;

    fn at_ms(&self, _key: &AuditKey) -> Option<u64> {
        Some(self.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.put_u64(self.at_ms);
        out.put_u32(self.actor);
        out.put_bytes(self.action.as_bytes());
        out.put_bytes(self.object.as_bytes());
        out.put_bytes(self.address.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let entry = Self {
            before: fields.array()?,
            at_ms: fields.u64()?,
            actor: fields.u32()?,
            action: fields.text()?.into(),
            object: fields.text()?.into(),
            address: fields.text()?.into(),
        };
        fields.end()?;
        Ok(entry)
    }
}

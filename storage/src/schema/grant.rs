//! Roles, who has them, and devices that are shared.

use super::{Family, Record, key_in_org, key_of, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a role; its organization and those below it that say nothing else have it.
    RoleKey, role: u16, |fields| fields.u16(), |key, role| key.u16(role)
);

/// What those who have it may do: bits that control numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRecord {
    /// For people.
    pub name: Box<str>,
    /// What they may do with what is theirs.
    pub own: u64,
    /// What they may do in the whole organization.
    pub org: u64,
    /// Grows with each change.
    pub epoch: u32,
}

impl Record for RoleRecord {
    type Key = RoleKey;
    const FAMILY: Family = Family::Role;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.name.as_bytes());
        out.put_u64(self.own);
        out.put_u64(self.org);
        out.put_u32(self.epoch);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let role = Self { name: fields.text()?.into(), own: fields.u64()?, org: fields.u64()?, epoch: fields.u32()? };
        fields.end()?;
        Ok(role)
    }
}

key_of!(
    /// The key of a membership: a person, by their home and number, in an organization.
    GrantKey {
        /// Where they have the role.
        org: org,
        /// The home of the person.
        user_org: org,
        /// The person there.
        user: u32,
    }
);

/// A person's membership of an organization; also of their home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: u16,
    /// Does it reach the organizations below too?
    pub below: bool,
    /// When it ends, ms since 1970; 0: never.
    pub until_ms: u64,
}

impl Record for Grant {
    type Key = GrantKey;
    const FAMILY: Family = Family::Grant;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u16(self.role);
        out.put_u8(u8::from(self.below));
        out.put_u64(self.until_ms);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let grant = Self { role: fields.u16()?, below: take::flag(&mut fields)?, until_ms: fields.u64()? };
        fields.end()?;
        Ok(grant)
    }
}

key_of!(
    /// The key of a share.
    ShareKey {
        /// The organization of the device.
        org: org,
        /// The device.
        device: device,
        /// The home of the person.
        user_org: org,
        /// The person there.
        user: u32,
    }
);

/// A device that a person may use besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareRecord {
    /// What they may do with it: bits as in a role.
    pub bits: u64,
    /// When it ends, ms since 1970; 0: never.
    pub until_ms: u64,
}

impl Record for ShareRecord {
    type Key = ShareKey;
    const FAMILY: Family = Family::Share;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.bits);
        out.put_u64(self.until_ms);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let share = Self { bits: fields.u64()?, until_ms: fields.u64()? };
        fields.end()?;
        Ok(share)
    }
}

//! Links that are good once: invitations, and mails that verify an address or reset a password.

use zeroize::Zeroizing;

use super::{Family, Older, OrgId, Record, key_in_org, take};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a link.
    InviteKey, number: u32, |fields| fields.u32(), |key, number| key.u32(number)
);

/// What the link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum InviteKind {
    /// Makes somebody a member.
    Member = 1,
    /// Shows that an address is its owner's.
    Verify = 2,
    /// Lets a new password be set.
    Reset = 3,
    /// Puts a new address in the place of the old one.
    Address = 4,
    /// Takes that back: sent to the old one.
    Stop = 5,
}

/// A link that is good once. Its secret goes to the mailbox only; here is a digest.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// What it does.
    pub kind: InviteKind,
    /// Digest of its secret, under which it stands in the index.
    pub digest: [u8; 32],
    /// Whom it was sent to.
    pub email: Box<str>,
    /// The role that it gives.
    pub role: u16,
    /// The epoch of that role then: a changed role is not given.
    pub role_epoch: u32,
    /// Does the role reach the organizations below too?
    pub below: bool,
    /// Who invited, by home and number; `None`: the operator.
    pub inviter: Option<(OrgId, u32)>,
    /// The person it is about; 0: nobody yet.
    pub user: u32,
    /// When it was made, ms since 1970.
    pub made_ms: u64,
    /// When it ends, ms since 1970.
    pub until_ms: u64,
    /// The text of the hash of a password that it sets; empty: none.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invite({:?}, role {}, until {})", self.kind, self.role, self.until_ms)
    }
}

fn take_first(fields: &mut Fields<'_>) -> Result<Invite, Shape> {
    let kind = match fields.u8()? {
        1 => InviteKind::Member,
        2 => InviteKind::Verify,
        3 => InviteKind::Reset,
        4 => InviteKind::Address,
        5 => InviteKind::Stop,
        _ => return Err(Shape),
    };
    let (digest, email) = (fields.array()?, fields.text()?.into());
    let (role, role_epoch, below) = (fields.u16()?, fields.u32()?, take::flag(fields)?);
    let (org, inviter) = (OrgId::new(fields.u32()?), fields.u32()?);
    Ok(Invite {
        kind,
        digest,
        email,
        role,
        role_epoch,
        below,
        inviter: org.map(|org| (org, inviter)),
        user: fields.u32()?,
        made_ms: fields.u64()?,
        until_ms: fields.u64()?,
        password: Zeroizing::default(),
    })
}

impl Record for Invite {
    type Key = InviteKey;
    const FAMILY: Family = Family::Invite;
    const VERSION: u8 = 2;
    /// Version 1 set no password.
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let invite = take_first(&mut fields)?;
        fields.end()?;
        Ok(invite)
    })];

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.kind as u8);
        out.extend_from_slice(&self.digest);
        out.put_bytes(self.email.as_bytes());
        out.put_u16(self.role);
        out.put_u32(self.role_epoch);
        out.put_u8(u8::from(self.below));
        out.put_u32(self.inviter.map_or(0, |(org, _)| org.get()));
        out.put_u32(self.inviter.map_or(0, |(_, user)| user));
        out.put_u32(self.user);
        out.put_u64(self.made_ms);
        out.put_u64(self.until_ms);
        out.put_bytes(self.password.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let mut invite = take_first(&mut fields)?;
        invite.password = Zeroizing::new(fields.text()?.to_owned());
        fields.end()?;
        Ok(invite)
    }
}

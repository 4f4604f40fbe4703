//! Sessions of people, and families of refresh tokens. Tokens themselves are nowhere: the index finds a session by a
//! digest, and the record holds that digest so that the entry goes with it.

use super::{Family, Record, key_of};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_of!(
    /// The key of a session; its low 32 bits stand in the index.
    SessionKey {
        /// The home of the person, or the organization of the client.
        org: org,
        /// The person; 0 for a client.
        user: u32,
        /// Random, never used twice.
        session: u64,
    }
);

/// What uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SessionKind {
    /// A browser, by a cookie.
    Browser = 1,
    /// A program that keeps a live socket open.
    Live = 2,
    /// A family of refresh tokens and the access tokens made with them.
    Refresh = 3,
}

/// What only a family of refresh tokens has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The client that it was given to.
    pub client: u32,
    /// Counts rotations: the token of this number may be used next.
    pub generation: u32,
    /// When the last was used, ms since 1970.
    pub rotated_ms: u64,
    /// Permissions over what is the actor's own, and over the organization: never more than the client has.
    pub bits: (u64, u64),
}

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonSession {
    /// What uses it.
    pub kind: SessionKind,
    /// Digest of its token, under which it stands in the index; zeros in a family, whose tokens name it.
    pub digest: [u8; 32],
    /// When it began, ms since 1970.
    pub made_ms: u64,
    /// When it was used last, ms since 1970; written once in a while only.
    pub seen_ms: u64,
    /// When it ends in any case, ms since 1970.
    pub until_ms: u64,
    /// How far the person has proven who they are: bits that control numbers.
    pub assurance: u8,
    /// When they last proved it, ms since 1970.
    pub proven_ms: u64,
    /// The epoch of the account when it began: a later one ends it.
    pub epoch: u32,
    /// What kind of program, such as `Firefox on Linux`; never the whole header.
    pub agent: Box<str>,
    /// Digest of the address that it began from.
    pub address: [u8; 16],
    /// Of a family.
    pub refresh: Option<Refresh>,
}

impl std::fmt::Debug for PersonSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonSession({:?}, until {})", self.kind, self.until_ms)
    }
}

impl Record for PersonSession {
    type Key = SessionKey;
    const FAMILY: Family = Family::Session;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.kind as u8);
        out.extend_from_slice(&self.digest);
        out.put_u64(self.made_ms);
        out.put_u64(self.seen_ms);
        out.put_u64(self.until_ms);
        out.put_u8(self.assurance);
        out.put_u64(self.proven_ms);
        out.put_u32(self.epoch);
        out.put_bytes(self.agent.as_bytes());
        out.extend_from_slice(&self.address);
        if let Some(refresh) = &self.refresh {
            out.put_u32(refresh.client);
            out.put_u32(refresh.generation);
            out.put_u64(refresh.rotated_ms);
            out.put_u64(refresh.bits.0);
            out.put_u64(refresh.bits.1);
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let kind = match fields.u8()? {
            1 => SessionKind::Browser,
            2 => SessionKind::Live,
            3 => SessionKind::Refresh,
            _ => return Err(Shape),
        };
        let mut session = Self {
            kind,
            digest: fields.array()?,
            made_ms: fields.u64()?,
            seen_ms: fields.u64()?,
            until_ms: fields.u64()?,
            assurance: fields.u8()?,
            proven_ms: fields.u64()?,
            epoch: fields.u32()?,
            agent: fields.text()?.into(),
            address: fields.array()?,
            refresh: None,
        };
        if kind == SessionKind::Refresh {
            session.refresh = Some(Refresh {
                client: fields.u32()?,
                generation: fields.u32()?,
                rotated_ms: fields.u64()?,
                bits: (fields.u64()?, fields.u64()?),
            });
        }
        fields.end()?;
        Ok(session)
    }
}

//! The audit log: each entry carries the digest of the one before it, so that none can be taken out of the middle. What
//! is too old goes from the front: a check of the chain begins with the first entry that is there.
//!
//! An entry has two sides. The chain's side holds numbers only and belongs to the system; the *face* holds what may be
//! personal (address, names, old and new values), is sealed by the organization's key, and can be erased: the chain has
//! its digest and stays whole.

use ring::digest;

use super::{Family, Older, OrgId, Record, key_in_org};
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of an audit entry and of its face: numbers of an organization have no gaps.
    AuditKey, number: u64, |fields| fields.u64(), |key, number| key.u64(number)
);

/// Who acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The server by itself.
    System,
    /// Whoever may use the admin socket or has the store in hand.
    Operator,
    /// A person, by home and number.
    Person(OrgId, u32),
    /// A program's key, by organization and number.
    Key(OrgId, u32),
    /// A device, by organization and number.
    Device(OrgId, u32),
    /// Nobody who is known: a sign-in that failed.
    Nobody,
}

impl Actor {
    fn put(self, out: &mut Vec<u8>) {
        let (kind, org, number) = match self {
            Self::System => (1, 0, 0),
            Self::Operator => (2, 0, 0),
            Self::Person(org, user) => (3, org.get(), user),
            Self::Key(org, client) => (4, org.get(), client),
            Self::Device(org, device) => (5, org.get(), device),
            Self::Nobody => (6, 0, 0),
        };
        out.put_u8(kind);
        out.put_u32(org);
        out.put_u32(number);
    }

    fn take(fields: &mut Fields<'_>) -> Result<Self, Shape> {
        Ok(match (fields.u8()?, OrgId::new(fields.u32()?), fields.u32()?) {
            (1, None, 0) => Self::System,
            (2, None, 0) => Self::Operator,
            (3, Some(org), user) => Self::Person(org, user),
            (4, Some(org), client) => Self::Key(org, client),
            (5, Some(org), device) => Self::Device(org, device),
            (6, None, 0) => Self::Nobody,
            _ => return Err(Shape),
        })
    }
}

/// What was acted on, by numbers: the kind is control's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditObject {
    /// What kind of thing; 0: the organization itself.
    pub kind: u8,
    /// Its organization; 0: none.
    pub org: u32,
    /// Its number there.
    pub number: u64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AuditOutcome {
    /// It was done.
    Done = 1,
    /// It was refused.
    Refused = 2,
}

/// Who did what: the chain's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Digest of the entry before; zeros for the first.
    pub before: [u8; 32],
    /// When, ms since 1970.
    pub at_ms: u64,
    /// Who acted.
    pub actor: Actor,
    /// What was done: control numbers the actions. 0 in entries of version 1.
    pub action: u16,
    /// On what.
    pub object: AuditObject,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// The request that it was part of; 0: none.
    pub request: u64,
    /// SHA-256 of its face; zeros: it has none. In entries of version 1 of the texts that they held.
    pub face: [u8; 32],
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    digest
}

impl AuditEntry {
    /// What the next entry carries as `before`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        super::encode(self, &mut bytes);
        sha256(&bytes)
    }
}

impl Record for AuditEntry {
    type Key = AuditKey;
    const FAMILY: Family = Family::Audit;
    const VERSION: u8 = 2;
    /// Version 1 named the actor by a number that every organization counts for itself, and held texts that could not be
    /// erased. No program ever wrote one outside of tests; read, it is an entry of the operator or of a person of the
    /// first organization.
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let (before, at_ms, actor) = (fields.array()?, fields.u64()?, fields.u32()?);
        let face = sha256(fields.0);
        for _ in 0..3 {
            fields.text()?;
        }
        fields.end()?;
        let actor = if actor == 0 { Actor::Operator } else { Actor::Person(OrgId::FIRST, actor) };
        let (object, outcome) = (AuditObject::default(), AuditOutcome::Done);
        Ok(Self { before, at_ms, actor, action: 0, object, outcome, request: 0, face })
    })];

    fn at_ms(&self, _key: &AuditKey) -> Option<u64> {
        Some(self.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.put_u64(self.at_ms);
        self.actor.put(out);
        out.put_u16(self.action);
        out.put_u8(self.object.kind);
        out.put_u32(self.object.org);
        out.put_u64(self.object.number);
        out.put_u8(self.outcome as u8);
        out.put_u64(self.request);
        out.extend_from_slice(&self.face);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (before, at_ms) = (fields.array()?, fields.u64()?);
        let (actor, action) = (Actor::take(&mut fields)?, fields.u16()?);
        let object = AuditObject { kind: fields.u8()?, org: fields.u32()?, number: fields.u64()? };
        let outcome = match fields.u8()? {
            1 => AuditOutcome::Done,
            2 => AuditOutcome::Refused,
            _ => return Err(Shape),
        };
        let entry =
            Self { before, at_ms, actor, action, object, outcome, request: fields.u64()?, face: fields.array()? };
        fields.end()?;
        Ok(entry)
    }
}

/// The other side of an entry: what may be personal. Never a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuditFace {
    /// Random, so that nobody finds an erased face by guessing what hashes to its digest.
    pub salt: [u8; 16],
    /// When, ms since 1970: as its entry, so that both go at the same age.
    pub at_ms: u64,
    /// The address that it came from; may be empty.
    pub address: Box<str>,
    /// What kind of program, such as `Firefox on Linux`; may be empty.
    pub agent: Box<str>,
    /// Who acted, as they were called then.
    pub actor: Box<str>,
    /// What was acted on, as it was called then.
    pub object: Box<str>,
    /// What changed: field, old, new.
    pub changes: Vec<(Box<str>, Box<str>, Box<str>)>,
}

impl std::fmt::Debug for AuditFace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditFace({} changes)", self.changes.len())
    }
}

impl AuditFace {
    /// What its entry carries as `face`.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut bytes = Vec::new();
        super::encode(self, &mut bytes);
        sha256(&bytes)
    }
}

impl Record for AuditFace {
    type Key = AuditKey;
    const FAMILY: Family = Family::AuditFace;
    const VERSION: u8 = 1;

    fn at_ms(&self, _key: &AuditKey) -> Option<u64> {
        Some(self.at_ms)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.salt);
        out.put_u64(self.at_ms);
        for text in [&self.address, &self.agent, &self.actor, &self.object] {
            out.put_bytes(text.as_bytes());
        }
        out.put_varint(self.changes.len() as u64);
        for (field, old, new) in &self.changes {
            out.put_bytes(field.as_bytes());
            out.put_bytes(old.as_bytes());
            out.put_bytes(new.as_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (salt, at_ms) = (fields.array()?, fields.u64()?);
        let mut text = || fields.text().map(Into::into);
        let (address, agent, actor, object) = (text()?, text()?, text()?, text()?);
        let count = fields.varint()?;
        if count > crate::limits::AUDIT_CHANGES as u64 {
            return Err(Shape);
        }
        let one = |fields: &mut Fields<'_>| Ok((fields.text()?.into(), fields.text()?.into(), fields.text()?.into()));
        let changes = (0..count).map(|_| one(&mut fields)).collect::<Result<_, Shape>>()?;
        fields.end()?;
        Ok(Self { salt, at_ms, address, agent, actor, object, changes })
    }
}

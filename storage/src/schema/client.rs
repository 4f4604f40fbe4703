//! API keys and OAuth clients: programs that act for an organization or a person.

use super::{AddressRange, Family, OrgId, Record, key_in_org, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

key_in_org!(
    /// The key of a client.
    ClientKey, client: u32, |fields| fields.u32(), |key, client| key.u32(client)
);

/// How it proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ClientKind {
    /// Its secret is sent with each request (`lpk_`).
    ApiKey = 1,
    /// Its secret is exchanged for an access token of an hour.
    OAuth = 2,
    /// As an API key, for one person: never more than they may do.
    Personal = 3,
}

/// A program's credential. The secret itself is nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// How it proves itself.
    pub kind: ClientKind,
    /// For people.
    pub name: Box<str>,
    /// Digest of its secret, under which it stands in the index.
    pub digest: [u8; 32],
    /// The person it acts for, by home and number; only of a personal key.
    pub person: Option<(OrgId, u32)>,
    /// Who made it, by home and number.
    pub made_by: Option<(OrgId, u32)>,
    /// What it may do with what is its person's own.
    pub own: u64,
    /// What it may do in the whole organization.
    pub org: u64,
    /// Grows when its permissions change or its secret rotates.
    pub epoch: u32,
    /// Was it switched off?
    pub is_off: bool,
    /// When it was made, ms since 1970.
    pub made_ms: u64,
    /// When it ends, ms since 1970; 0: never.
    pub until_ms: u64,
    /// When it was used last, ms since 1970; written once in a while only.
    pub used_ms: u64,
    /// Where from, newest first.
    pub used_from: Vec<Box<str>>,
    /// Where it may be used from; empty: wherever its organization allows.
    pub from: Box<[AddressRange]>,
    /// Requests a minute; 0 for the server's setting.
    pub requests_per_minute: u32,
}

impl std::fmt::Debug for ClientRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({:?}, {})", self.kind, self.name)
    }
}

fn put_person(person: Option<(OrgId, u32)>, out: &mut Vec<u8>) {
    out.put_u32(person.map_or(0, |(org, _)| org.get()));
    out.put_u32(person.map_or(0, |(_, user)| user));
}

fn take_person(fields: &mut Fields<'_>) -> Result<Option<(OrgId, u32)>, Shape> {
    let (org, user) = (OrgId::new(fields.u32()?), fields.u32()?);
    Ok(org.map(|org| (org, user)))
}

impl Record for ClientRecord {
    type Key = ClientKey;
    const FAMILY: Family = Family::Client;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.kind as u8);
        out.put_bytes(self.name.as_bytes());
        out.extend_from_slice(&self.digest);
        put_person(self.person, out);
        put_person(self.made_by, out);
        out.put_u64(self.own);
        out.put_u64(self.org);
        out.put_u32(self.epoch);
        out.put_u8(u8::from(self.is_off));
        out.put_u64(self.made_ms);
        out.put_u64(self.until_ms);
        out.put_u64(self.used_ms);
        out.put_varint(self.used_from.len() as u64);
        self.used_from.iter().for_each(|address| out.put_bytes(address.as_bytes()));
        AddressRange::put(&self.from, out);
        out.put_u32(self.requests_per_minute);
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let kind = match fields.u8()? {
            1 => ClientKind::ApiKey,
            2 => ClientKind::OAuth,
            3 => ClientKind::Personal,
            _ => return Err(Shape),
        };
        let (name, digest) = (fields.text()?.into(), fields.array()?);
        let (person, made_by) = (take_person(&mut fields)?, take_person(&mut fields)?);
        let (own, org, epoch) = (fields.u64()?, fields.u64()?, fields.u32()?);
        let is_off = take::flag(&mut fields)?;
        let (made_ms, until_ms, used_ms) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let count = fields.varint()?;
        if count > limits::CLIENT_ADDRESSES as u64 {
            return Err(Shape);
        }
        let used_from = (0..count).map(|_| fields.text().map(Into::into)).collect::<Result<_, _>>()?;
        let from = AddressRange::take(&mut fields)?;
        let requests_per_minute = fields.u32()?;
        fields.end()?;
        Ok(Self {
            kind,
            name,
            digest,
            person,
            made_by,
            own,
            org,
            epoch,
            is_off,
            made_ms,
            until_ms,
            used_ms,
            used_from,
            from,
            requests_per_minute,
        })
    }
}

//! Organizations.

use std::net::{IpAddr, Ipv6Addr};

use super::{Family, KeyBytes, Older, OrgId, Record, RecordKey, take};
use crate::limits;
use crate::schema::bytes::{Fields, Put as _, Shape};

/// What an organization is for. Nothing is decided by it: it is shown, and filters lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OrgKind {
    /// A company, or the server's own.
    #[default]
    Business = 1,
    /// A part of the one above it.
    Branch = 2,
    /// One person's.
    Personal = 3,
    /// Someone who sells, installs or services devices of the one above it.
    Partner = 4,
}

/// May it be used?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum OrgState {
    /// Yes.
    #[default]
    Active = 1,
    /// Nobody signs in and nothing is changed; its devices are told to come back later.
    Suspended = 2,
}

/// A range of addresses: a prefix of IPv6, in which IPv4 is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    bits: u128,
    prefix: u8,
}

impl AddressRange {
    /// The addresses that share so many bits with this one; `None`: more than an address has.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let prefix = match address {
            IpAddr::V4(_) => prefix.checked_add(96).filter(|prefix| *prefix <= 128)?,
            IpAddr::V6(_) => Some(prefix).filter(|prefix| *prefix <= 128)?,
        };
        Some(Self { bits: Self::bits(address) & Self::mask(prefix), prefix })
    }

    fn bits(address: IpAddr) -> u128 {
        match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        }
    }

    const fn mask(prefix: u8) -> u128 {
        if prefix == 0 { 0 } else { u128::MAX << (128 - prefix) }
    }

    /// Is this address in it?
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::bits(address) & Self::mask(self.prefix) == self.bits
    }

    /// `ADDRESS/PREFIX`, or an address alone.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((address, prefix)) => Self::new(address.parse().ok()?, prefix.parse().ok()?),
            None => {
                let address: IpAddr = text.parse().ok()?;
                Self::new(address, if address.is_ipv4() { 32 } else { 128 })
            }
        }
    }

    pub(crate) fn put(ranges: &[Self], out: &mut Vec<u8>) {
        out.put_varint(ranges.len() as u64);
        for range in ranges {
            out.extend_from_slice(&range.bits.to_be_bytes());
            out.put_u8(range.prefix);
        }
    }

    pub(crate) fn take(fields: &mut Fields<'_>) -> Result<Box<[Self]>, Shape> {
        let count = fields.varint()?;
        if count > limits::ADDRESS_RANGES as u64 {
            return Err(Shape);
        }
        let one = |fields: &mut Fields<'_>| {
            let (bits, prefix) = (u128::from_be_bytes(fields.array()?), fields.u8()?);
            if prefix > 128 || bits & !Self::mask(prefix) != 0 {
                return Err(Shape);
            }
            Ok(Self { bits, prefix })
        };
        (0..count).map(|_| one(fields)).collect()
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = Ipv6Addr::from_bits(self.bits);
        match address.to_ipv4_mapped() {
            Some(address) if self.prefix >= 96 => write!(f, "{address}/{}", self.prefix - 96),
            _ => write!(f, "{address}/{}", self.prefix),
        }
    }
}

/// What an organization demands of its people and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrgPolicy {
    /// Nobody signs in without a second factor.
    pub second_factor: bool,
    /// Its devices may log in without TLS.
    pub plain_allowed: bool,
    /// Longest session, hours; 0 for the server's setting.
    pub session_hours: u16,
    /// Where its people may sign in from; empty: everywhere.
    pub sign_in_from: Box<[AddressRange]>,
    /// Where its API keys may be used from; empty: everywhere.
    pub keys_from: Box<[AddressRange]>,
    /// Requests of all of its keys in a minute; 0 for the server's setting.
    pub requests_per_minute: u32,
}

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
    /// How many are above it.
    pub depth: u8,
    /// What it is for.
    pub kind: OrgKind,
    /// May it be used?
    pub state: OrgState,
    /// Grows whenever what its people may do changes as a whole.
    pub epoch: u32,
    /// What it demands.
    pub policy: OrgPolicy,
    /// An IANA name such as `Europe/Berlin`; empty: UTC.
    pub time_zone: Box<str>,
    /// Such as `de`; empty: English.
    pub locale: Box<str>,
}

impl Org {
    /// An active one below another, or at the top.
    #[must_use]
    pub fn new(name: &str, above: Option<(OrgId, u8)>, created_ms: u64) -> Self {
        Self {
            name: name.into(),
            parent: above.map(|(parent, _)| parent),
            created_ms,
            raw_days: 0,
            depth: above.map_or(0, |(_, depth)| depth.saturating_add(1)),
            kind: OrgKind::default(),
            state: OrgState::default(),
            epoch: 0,
            policy: OrgPolicy::default(),
            time_zone: Box::default(),
            locale: Box::default(),
        }
    }
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

fn put_first(org: &Org, out: &mut Vec<u8>) {
    out.put_bytes(org.name.as_bytes());
    out.put_u32(org.parent.map_or(0, OrgId::get));
    out.put_u64(org.created_ms);
    out.put_u16(org.raw_days);
}

fn take_first(fields: &mut Fields<'_>) -> Result<Org, Shape> {
    let (name, parent, created_ms) = (fields.text()?, OrgId::new(fields.u32()?), fields.u64()?);
    Ok(Org { parent, raw_days: fields.u16()?, ..Org::new(name, None, created_ms) })
}

impl Record for Org {
    type Key = OrgId;
    const FAMILY: Family = Family::Org;
    const VERSION: u8 = 2;
    const OLDER: &'static [Older<Self>] = &[(1, |bytes| {
        let mut fields = Fields(bytes);
        let org = take_first(&mut fields)?;
        fields.end()?;
        Ok(org)
    })];
    const BEFORE: Option<(Family, super::Before<Self>)> = Some((
        Family::Outbox,
        (1, |org, out| {
            put_first(org, out);
            let plain =
                Self { parent: org.parent, raw_days: org.raw_days, ..Self::new(&org.name, None, org.created_ms) };
            plain == *org
        }),
    ));

    fn encode(&self, out: &mut Vec<u8>) {
        put_first(self, out);
        out.put_u8(self.depth);
        out.put_u8(self.kind as u8);
        out.put_u8(self.state as u8);
        out.put_u32(self.epoch);
        let policy = &self.policy;
        out.put_u8(u8::from(policy.second_factor) | u8::from(policy.plain_allowed) << 1);
        out.put_u16(policy.session_hours);
        AddressRange::put(&policy.sign_in_from, out);
        AddressRange::put(&policy.keys_from, out);
        out.put_u32(policy.requests_per_minute);
        out.put_bytes(self.time_zone.as_bytes());
        out.put_bytes(self.locale.as_bytes());
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let first = take_first(&mut fields)?;
        let depth = fields.u8()?;
        let kind = match fields.u8()? {
            1 => OrgKind::Business,
            2 => OrgKind::Branch,
            3 => OrgKind::Personal,
            4 => OrgKind::Partner,
            _ => return Err(Shape),
        };
        let state = match fields.u8()? {
            1 => OrgState::Active,
            2 => OrgState::Suspended,
            _ => return Err(Shape),
        };
        let epoch = fields.u32()?;
        let flags = fields.u8()?;
        if flags > 3 {
            return Err(Shape);
        }
        let policy = OrgPolicy {
            second_factor: flags & 1 != 0,
            plain_allowed: flags & 2 != 0,
            session_hours: fields.u16()?,
            sign_in_from: AddressRange::take(&mut fields)?,
            keys_from: AddressRange::take(&mut fields)?,
            requests_per_minute: fields.u32()?,
        };
        let (time_zone, locale) = (fields.text()?.into(), fields.text()?.into());
        fields.end()?;
        Ok(Self { depth, kind, state, epoch, policy, time_zone, locale, ..first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses_and_no_others() {
        let range = AddressRange::parse("192.0.2.128/25").expect("a range");
        assert_eq!(range.to_string(), "192.0.2.128/25");
        for (address, inside) in
            [("192.0.2.129", true), ("192.0.2.127", false), ("::ffff:192.0.2.200", true), ("2001:db8::1", false)]
        {
            assert_eq!(range.contains(address.parse().expect("an address")), inside, "{address}");
        }
        let six = AddressRange::parse("2001:db8::/32").expect("a range");
        assert!(
            six.contains("2001:db8:ffff::1".parse().expect("v6")) && !six.contains("2001:db9::".parse().expect("v6"))
        );
        assert!(AddressRange::parse("0.0.0.0/0").expect("all of v4").contains("8.8.8.8".parse().expect("v4")));
        for bad in ["192.0.2.1/33", "::/129", "x", "192.0.2.1/", "192.0.2.1/-1"] {
            assert_eq!(AddressRange::parse(bad), None, "{bad}");
        }
    }
}

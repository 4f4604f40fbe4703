//! RocksDB's keys: internal integers, big-endian, so that their order is that of the numbers.

use std::fmt;

pub use linchpin_protocol::model::OrgId;
use linchpin_protocol::model::{DeviceId, Pin};

use crate::limits;

/// Column families. The numbers are part of what is authenticated: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// Counters and marks of the store itself.
    Meta = 1,
    /// Organizations.
    Org = 2,
    /// Templates.
    Template = 3,
    /// Devices, with their tokens.
    Device = 4,
    /// Users.
    User = 5,
    /// Keyed digests of tokens and e-mail addresses.
    Index = 6,
    /// Latest values, one record a device.
    Latest = 7,
    /// Properties and metadata, one record a device.
    Property = 8,
    /// Events.
    Event = 9,
    /// When devices came and went.
    Diary = 10,
    /// Audit entries.
    Audit = 11,
    /// Telemetry that is not in chunks yet.
    Journal = 12,
    /// Chunks of raw points, partitioned by time.
    Raw = 13,
    /// Roll-ups by minute, partitioned by time.
    Minute = 14,
    /// Roll-ups by hour, partitioned by time.
    Hour = 15,
    /// Roll-ups by day, partitioned by time.
    Day = 16,
    /// Roles that an organization has made or changed.
    Role = 17,
    /// Who has which role in an organization.
    Grant = 18,
    /// Devices that are shared with a person.
    Share = 19,
    /// Sessions of people and families of refresh tokens.
    Session = 20,
    /// API keys and OAuth clients.
    Client = 21,
    /// Invitations, and links that verify or reset.
    Invite = 22,
    /// Tokens that are printed before their device is claimed.
    Static = 23,
    /// Older versions of templates.
    TemplateVersion = 24,
    /// What a person has agreed to.
    Consent = 25,
    /// The personal side of audit entries, which can be erased.
    AuditFace = 26,
    /// Mail that is to be sent.
    Outbox = 27,
    /// What devices upload, and exports that wait to be fetched.
    File = 28,
    /// Pieces of them.
    FilePiece = 29,
    /// Accounts with authorities, and orders of certificates.
    Acme = 30,
    /// Certificates that were ordered, with their keys.
    Certificate = 31,
}

impl Family {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 31] = [
        Self::Meta,
        Self::Org,
        Self::Template,
        Self::Device,
        Self::User,
        Self::Index,
        Self::Latest,
        Self::Property,
        Self::Event,
        Self::Diary,
        Self::Audit,
        Self::Journal,
        Self::Raw,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Role,
        Self::Grant,
        Self::Share,
        Self::Session,
        Self::Client,
        Self::Invite,
        Self::Static,
        Self::TemplateVersion,
        Self::Consent,
        Self::AuditFace,
        Self::Outbox,
        Self::File,
        Self::FilePiece,
        Self::Acme,
        Self::Certificate,
    ];

    /// The one with this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| *family as u8 == number)
    }

    /// Its name in RocksDB, and the front of the names of its partitions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Org => "org",
            Self::Template => "template",
            Self::Device => "device",
            Self::User => "user",
            Self::Index => "index",
            Self::Latest => "latest",
            Self::Property => "property",
            Self::Event => "event",
            Self::Diary => "diary",
            Self::Audit => "audit",
            Self::Journal => "journal",
            Self::Raw => "raw",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Role => "role",
            Self::Grant => "grant",
            Self::Share => "share",
            Self::Session => "session",
            Self::Client => "client",
            Self::Invite => "invite",
            Self::Static => "static",
            Self::TemplateVersion => "template_version",
            Self::Consent => "consent",
            Self::AuditFace => "audit_face",
            Self::Outbox => "outbox",
            Self::File => "file",
            Self::FilePiece => "file_piece",
            Self::Acme => "acme",
            Self::Certificate => "certificate",
        }
    }

    /// Days of one partition; 0 for families that are not partitioned. A partition is dropped as a whole.
    #[must_use]
    pub const fn partition_days(self) -> u64 {
        match self {
            Self::Raw => 7,
            Self::Minute => 28,
            Self::Hour => 364,
            Self::Day => 3_640,
            _ => 0,
        }
    }

    /// The partition that this moment falls into.
    #[must_use]
    pub const fn partition_of(self, at_ms: u64) -> u32 {
        match self.partition_days() {
            0 => 0,
            // Numbers begin at 1: 0 says "not partitioned".
            days => (at_ms / (days * 86_400_000)) as u32 + 1,
        }
    }

    /// The family and partition of a column family's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<(Self, u32)> {
        let (front, number) = match name.split_once('-') {
            Some((front, number)) => (front, number.parse().ok().filter(|n| *n > 0)?),
            None => (name, 0),
        };
        let family = Self::ALL.into_iter().find(|family| family.name() == front)?;
        ((family.partition_days() > 0) == (number > 0)).then_some((family, number))
    }

    /// The name of its column family.
    #[must_use]
    pub fn column(self, partition: u32) -> String {
        if partition == 0 { self.name().to_owned() } else { format!("{}-{partition}", self.name()) }
    }

    /// Are its values sealed? Index entries have a MAC instead: a million of them are checked at each start.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        !matches!(self, Self::Index)
    }

    /// Whose key seals the record of this key: an organization's number, or 0 for the system. Audit entries belong to
    /// the system, so that their chain still verifies when an organization is erased.
    pub(crate) fn owner(self, key: &[u8]) -> Option<u32> {
        let number = |at: usize| key.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
        match self {
            Self::Meta | Self::Index | Self::Audit | Self::Acme | Self::Certificate => Some(0),
            Self::Journal | Self::Outbox => number(8),
            _ => number(0),
        }
    }
}

/// A key of RocksDB without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyBytes {
    bytes: [u8; limits::KEY_BYTES],
    len: u8,
}

impl KeyBytes {
    pub(crate) const EMPTY: Self = Self { bytes: [0; limits::KEY_BYTES], len: 0 };

    /// Append; all keys of the schema fit.
    #[must_use]
    pub(crate) fn with(mut self, field: &[u8]) -> Self {
        let at = usize::from(self.len);
        self.bytes[at..at + field.len()].copy_from_slice(field);
        self.len += field.len() as u8;
        self
    }

    pub(crate) fn u16(self, number: u16) -> Self {
        self.with(&number.to_be_bytes())
    }

    pub(crate) fn u32(self, number: u32) -> Self {
        self.with(&number.to_be_bytes())
    }

    pub(crate) fn u64(self, number: u64) -> Self {
        self.with(&number.to_be_bytes())
    }

    pub(crate) fn org(org: OrgId) -> Self {
        Self::EMPTY.u32(org.get())
    }

    pub(crate) fn device(org: OrgId, device: DeviceId) -> Self {
        Self::org(org).u32(device.get())
    }

    pub(crate) fn pin(org: OrgId, device: DeviceId, pin: Pin) -> Self {
        Self::device(org, device).u16(pin.to_u16())
    }

    /// The first key behind all that begin like this one; `None` behind the last.
    pub(crate) fn behind(mut self) -> Option<Self> {
        while let Some(last) = usize::from(self.len).checked_sub(1) {
            if self.bytes[last] < u8::MAX {
                self.bytes[last] += 1;
                return Some(self);
            }
            self.bytes[last] = 0;
            self.len -= 1;
        }
        None
    }
}

impl AsRef<[u8]> for KeyBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(self.as_ref()))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_the_order_of_their_numbers() {
        let key = |org, device| KeyBytes::device(OrgId::new(org).expect("1"), DeviceId::new(device).expect("1"));
        assert!(key(1, 2) < key(1, 256) && key(1, 256) < key(2, 1));
        assert_eq!(key(1, 2).as_ref(), [0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(KeyBytes::EMPTY.u16(0x00ff).behind().map(|key| key.as_ref().to_vec()), Some(vec![1]));
        assert_eq!(KeyBytes::EMPTY.u16(0xffff).behind(), None);
    }

    #[test]
    fn column_families_have_names_that_say_their_partition() {
        for family in Family::ALL {
            let partition = family.partition_of(1_800_000_000_000);
            assert_eq!(Family::parse(&family.column(partition)), Some((family, partition)));
        }
        for bad in ["default", "raw", "raw-0", "org-3", "raw-x"] {
            assert_eq!(Family::parse(bad), None, "{bad}");
        }
    }
}

//! Records: one file a kind of record, its bytes and its key. Maps of the bytes: docs/storage.md.

mod account;
mod acme;
mod audit;
pub(crate) mod bytes;
pub(crate) mod chunk;
mod client;
mod consent;
mod device;
mod event;
mod families;
mod file;
#[cfg(test)]
pub(crate) mod formats;
mod grant;
pub(crate) mod index;
mod invite;
pub(crate) mod journal;
pub(crate) mod key;
mod latest;
mod meta;
mod org;
mod outbox;
mod property;
pub(crate) mod rollup;
mod session;
mod sheet;
mod static_token;
mod stream;
mod template;
mod user;

pub use account::{Account, AccountLink, AccountState};
pub use acme::{
    AcmeAccount, AcmeId, AcmeKey, AcmeLine, AcmeOrder, AcmeRecord, CertificateKey, CertificateSlot, ServedCertificate,
};
pub use audit::{Actor, AuditEntry, AuditFace, AuditKey, AuditObject, AuditOutcome};
pub use chunk::Sample;
pub use client::{ClientKey, ClientKind, ClientRecord};
pub use consent::{Consent, ConsentKey};
pub use device::{Device, DeviceKey};
pub use event::{DiaryKey, DiaryKind, DiaryRecord, Event, EventKey, Resolution};
pub use families::Families;
pub use file::{FileKey, FileKind, FilePiece, FileRecord, PieceKey};
pub use grant::{Grant, GrantKey, RoleKey, RoleRecord, ShareKey, ShareRecord};
pub use index::{Digest, IndexEntry, IndexKind};
pub use invite::{Invite, InviteKey, InviteKind};
pub use key::{Family, KeyBytes, OrgId};
pub use latest::{Latest, LatestValue};
pub use meta::{Counter, CounterName};
pub use org::{AddressRange, Org, OrgKind, OrgPolicy, OrgState};
pub use outbox::{MailKey, OutboxMail};
pub use property::{Attribute, Properties};
pub use rollup::{Grain, Row};
pub use session::{PersonSession, Refresh, SessionKey, SessionKind};
pub use sheet::{EventSeverity, EventSheet, FieldKind, MetaField, SheetRecord};
pub use static_token::{StaticKey, StaticState, StaticToken};
pub use stream::StreamSheet;
pub use template::{TemplateKey, TemplateRecord, TemplateVersion, VersionKey};
pub use user::{User, UserKey};

use crate::schema::bytes::Shape;

/// Where a record is.
pub trait RecordKey: Copy {
    /// RocksDB's key.
    fn bytes(&self) -> KeyBytes;
    /// The key of these bytes.
    ///
    /// # Errors
    /// They are not such a key.
    fn parse(bytes: &[u8]) -> Result<Self, Shape>;
}

/// A version that is not written any more, and what takes its bytes, without the version.
pub type Older<R> = (u8, fn(&[u8]) -> Result<R, Shape>);

/// How a record is written while its store has not been upgraded: the version, and what puts its bytes. `false`: it
/// holds what only the newer version can say, nothing may be written.
pub type Before<R> = (u8, fn(&R, &mut Vec<u8>) -> bool);

/// A kind of record.
pub trait Record: Sized + 'static {
    /// Its key.
    type Key: RecordKey;
    /// Its column family; not a partitioned one.
    const FAMILY: Family;
    /// The version of its bytes as they are written: the first byte of each.
    const VERSION: u8;
    /// Versions that were written once and are read for ever.
    const OLDER: &'static [Older<Self>] = &[];
    /// While this column family is missing its bytes are written as an older program reads them: `linchpin upgrade
    /// finalize` makes the family, and there is no way back from then on.
    const BEFORE: Option<(Family, Before<Self>)> = None;
    /// When it happened, ms since 1970, if its kind is kept for a time only.
    fn at_ms(&self, _key: &Self::Key) -> Option<u64> {
        None
    }

    /// Append its bytes, without the version.
    fn encode(&self, out: &mut Vec<u8>);
    /// Take its bytes, without the version.
    ///
    /// # Errors
    /// They have another shape.
    fn decode(bytes: &[u8]) -> Result<Self, Shape>;
}

pub(crate) fn encode<R: Record>(record: &R, out: &mut Vec<u8>) {
    out.push(R::VERSION);
    record.encode(out);
}

/// As a store with these families holds it. `false`: it cannot, the store must be upgraded first.
pub(crate) fn encode_for<R: Record>(record: &R, families: Families, out: &mut Vec<u8>) -> bool {
    match R::BEFORE {
        Some((since, (version, before))) if !families.has(since) => {
            out.push(version);
            before(record, out)
        }
        _ => {
            encode(record, out);
            true
        }
    }
}

pub(crate) fn decode<R: Record>(bytes: &[u8]) -> Result<R, Shape> {
    let (version, rest) = bytes.split_first().ok_or(Shape)?;
    if *version == R::VERSION {
        return R::decode(rest);
    }
    let (_, decode) = R::OLDER.iter().find(|older| older.0 == *version).ok_or(Shape)?;
    decode(rest)
}

/// Ids out of bytes.
pub(crate) mod take {
    use linchpin_protocol::model::{DeviceId, Pin};

    use super::OrgId;
    use crate::schema::bytes::{Fields, Shape};

    pub(crate) fn org(fields: &mut Fields<'_>) -> Result<OrgId, Shape> {
        OrgId::new(fields.u32()?).ok_or(Shape)
    }

    pub(crate) fn device(fields: &mut Fields<'_>) -> Result<DeviceId, Shape> {
        DeviceId::new(fields.u32()?).ok_or(Shape)
    }

    /// A count and so many of a kind, `most` at most.
    pub(crate) fn list<T>(
        fields: &mut Fields<'_>,
        most: usize,
        one: impl FnMut(&mut Fields<'_>) -> Result<T, Shape>,
    ) -> Result<Vec<T>, Shape> {
        let mut one = one;
        match fields.varint()? {
            count if count <= most as u64 => (0..count).map(|_| one(fields)).collect(),
            _ => Err(Shape),
        }
    }

    /// 0 or 1.
    pub(crate) fn flag(fields: &mut Fields<'_>) -> Result<bool, Shape> {
        match fields.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Shape),
        }
    }

    pub(crate) fn pin(fields: &mut Fields<'_>) -> Result<Pin, Shape> {
        Pin::from_u16(fields.u16()?).ok_or(Shape)
    }
}

/// A key of an organization and a number within it.
macro_rules! key_in_org {
    ($(#[$doc:meta])* $name:ident, $field:ident: $inner:ty, $take:expr, $put:expr) => {
        $(#[$doc])*
        ///
        /// [`new`](Self::new) is for what the program itself reads from its records. What a person or a program asks for
        /// gets its key from the scope of the asker, which will be the only maker of keys outside this crate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            pub(crate) org: $crate::schema::OrgId,
            pub(crate) $field: $inner,
        }

        impl $name {
            /// The key of this number in an organization.
            #[must_use]
            pub const fn new(org: $crate::schema::OrgId, $field: $inner) -> Self {
                Self { org, $field }
            }

            /// Its organization.
            #[must_use]
            pub const fn org(&self) -> $crate::schema::OrgId {
                self.org
            }

            /// Its number there.
            #[must_use]
            pub const fn $field(&self) -> $inner {
                self.$field
            }
        }

        impl $crate::schema::RecordKey for $name {
            fn bytes(&self) -> $crate::schema::KeyBytes {
                let put: fn($crate::schema::KeyBytes, $inner) -> $crate::schema::KeyBytes = $put;
                put($crate::schema::KeyBytes::org(self.org), self.$field)
            }

            fn parse(bytes: &[u8]) -> Result<Self, $crate::schema::bytes::Shape> {
                let mut fields = $crate::schema::bytes::Fields(bytes);
                let take: fn(&mut $crate::schema::bytes::Fields<'_>) -> Result<$inner, $crate::schema::bytes::Shape> = $take;
                let key = Self { org: $crate::schema::take::org(&mut fields)?, $field: take(&mut fields)? };
                fields.end()?;
                Ok(key)
            }
        }
    };
}
pub(crate) use key_in_org;

/// A key of several numbers, in the order in which they stand.
macro_rules! key_of {
    (@type org) => { $crate::schema::OrgId };
    (@type device) => { linchpin_protocol::model::DeviceId };
    (@type $number:ident) => { $number };
    (@put $key:ident, org, $value:expr) => { $key.u32($value.get()) };
    (@put $key:ident, device, $value:expr) => { $key.u32($value.get()) };
    (@put $key:ident, $number:ident, $value:expr) => { $key.$number($value) };
    (@take $fields:ident, org) => { $crate::schema::take::org(&mut $fields)? };
    (@take $fields:ident, device) => { $crate::schema::take::device(&mut $fields)? };
    (@take $fields:ident, $number:ident) => { $fields.$number()? };
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $field:ident: $kind:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            $(pub(crate) $field: $crate::schema::key_of!(@type $kind)),+
        }

        impl $name {
            /// The key of these numbers, in the order in which they stand.
            #[must_use]
            pub const fn new($($field: $crate::schema::key_of!(@type $kind)),+) -> Self {
                Self { $($field),+ }
            }

            $(
                $(#[$inner])*
                #[must_use]
                pub const fn $field(&self) -> $crate::schema::key_of!(@type $kind) {
                    self.$field
                }
            )+
        }

        impl $crate::schema::RecordKey for $name {
            fn bytes(&self) -> $crate::schema::KeyBytes {
                let key = $crate::schema::KeyBytes::EMPTY;
                $(let key = $crate::schema::key_of!(@put key, $kind, self.$field);)+
                key
            }

            fn parse(bytes: &[u8]) -> Result<Self, $crate::schema::bytes::Shape> {
                let mut fields = $crate::schema::bytes::Fields(bytes);
                let key = Self { $($field: $crate::schema::key_of!(@take fields, $kind)),+ };
                fields.end()?;
                Ok(key)
            }
        }
    };
}
pub(crate) use key_of;

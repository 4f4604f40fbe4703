//! Records: one file a kind of record, its bytes and its key. Maps of the bytes: docs/storage.md.

mod acme;
mod audit;
pub(crate) mod bytes;
pub(crate) mod chunk;
mod device;
mod event;
#[cfg(test)]
pub(crate) mod formats;
pub(crate) mod index;
pub(crate) mod journal;
pub(crate) mod key;
mod latest;
mod meta;
mod org;
mod property;
pub(crate) mod rollup;
mod template;
mod user;

pub use acme::{
    AcmeAccount, AcmeId, AcmeKey, AcmeLine, AcmeOrder, AcmeRecord, CertificateKey, CertificateSlot, ServedCertificate,
};
pub use audit::{Audit, AuditKey};
pub use chunk::Sample;
pub use device::{Device, DeviceKey};
pub use event::{Diary, DiaryKey, DiaryKind, Event, EventKey};
pub use index::{Digest, IndexEntry, IndexKind};
pub use key::{Family, KeyBytes, OrgId};
pub use latest::{Latest, LatestValue};
pub use meta::{Counter, CounterName};
pub use org::Org;
pub use property::{Attribute, Properties};
pub use rollup::{Grain, Row};
pub use template::{TemplateKey, TemplateRecord};
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
    /// When it happened, ms since 1970, if its kind expires.
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

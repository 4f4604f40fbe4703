//! What ordering of certificates must not forget: accounts with authorities, orders under way, and the certificates
//! themselves with their keys. All of it is sealed with the system's key.

use zeroize::Zeroizing;

use super::{Family, KeyBytes, Record, RecordKey};
use crate::schema::bytes::{Fields, Put as _, Shape};

/// Digest of what a record is about, so that keys are of one length and say nothing: a directory's address, or the names,
/// the profile and the kind of key of a certificate.
pub type AcmeId = [u8; 16];

/// Where a record of ordering is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AcmeKey {
    /// The account with the authority of this directory.
    Account(AcmeId),
    /// What is ordered, and how far.
    Line(AcmeId),
}

impl RecordKey for AcmeKey {
    fn bytes(&self) -> KeyBytes {
        match self {
            Self::Account(id) => KeyBytes::EMPTY.with(&[1]).with(id),
            Self::Line(id) => KeyBytes::EMPTY.with(&[2]).with(id),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (kind, id) = (fields.u8()?, fields.array()?);
        fields.end()?;
        match kind {
            1 => Ok(Self::Account(id)),
            2 => Ok(Self::Line(id)),
            _ => Err(Shape),
        }
    }
}

/// An account with an authority.
#[derive(Clone, PartialEq, Eq)]
pub struct AcmeAccount {
    /// The address of its directory.
    pub directory: Box<str>,
    /// Its key, PKCS #8 in PEM.
    pub key_pem: Zeroizing<String>,
    /// Its own address; empty until the authority knows it.
    pub url: Box<str>,
}

/// An order under way.
#[derive(Clone, PartialEq, Eq)]
pub struct AcmeOrder {
    /// Which of the configured authorities: 0 the first, 1 the one to fall back to.
    pub authority: u8,
    /// The key of the certificate, PKCS #8 in PEM. It is stored before anything is ordered.
    pub key_pem: Zeroizing<String>,
    /// The order's address; empty until the authority has given one.
    pub url: Box<str>,
    /// When it was begun, s since 1970.
    pub begun_s: u64,
}

/// What is ordered again and again: one set of names with one kind of key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AcmeLine {
    /// The order under way.
    pub order: Option<AcmeOrder>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// Orders in a row that ended invalid: the next one proves the names in another way.
    pub invalid: u32,
    /// No attempt before this time, s since 1970.
    pub not_before_s: u64,
    /// Orders of the last days: which authority, when, s since 1970.
    pub orders: Vec<(u8, u64)>,
    /// Validations that failed in the last hour, s since 1970.
    pub failed: Vec<u64>,
    /// When the authority wants the certificate renewed, s since 1970; 0: it did not say.
    pub renew_s: u64,
    /// When to ask it again, s since 1970.
    pub ask_s: u64,
    /// The authority knows the certificate as replaced already.
    pub replaced: bool,
    /// The last lines of its log: when, s since 1970, and what.
    pub log: Vec<(u64, Box<str>)>,
}

// Keys stay out of what is printed.
macro_rules! debug_without_keys {
    ($($name:ident: $field:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field(stringify!($field), &self.$field).finish_non_exhaustive()
            }
        }
    )*};
}
debug_without_keys!(AcmeAccount: url, AcmeOrder: url, AcmeLine: order, ServedCertificate: directory);

/// A record of ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeRecord {
    /// See [`AcmeAccount`].
    Account(AcmeAccount),
    /// See [`AcmeLine`].
    Line(AcmeLine),
}

impl Record for AcmeRecord {
    type Key = AcmeKey;
    const FAMILY: Family = Family::Acme;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Account(account) => {
                out.put_u8(1);
                out.put_bytes(account.directory.as_bytes());
                out.put_bytes(account.key_pem.as_bytes());
                out.put_bytes(account.url.as_bytes());
            }
            Self::Line(line) => {
                out.put_u8(2);
                encode_line(line, out);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let record = match fields.u8()? {
            1 => Self::Account(AcmeAccount {
                directory: fields.text()?.into(),
                key_pem: fields.text()?.to_owned().into(),
                url: fields.text()?.into(),
            }),
            2 => Self::Line(decode_line(&mut fields)?),
            _ => return Err(Shape),
        };
        fields.end()?;
        Ok(record)
    }
}

fn encode_line(line: &AcmeLine, out: &mut Vec<u8>) {
    out.put_u8(u8::from(line.order.is_some()));
    if let Some(order) = &line.order {
        out.put_u8(order.authority);
        out.put_bytes(order.key_pem.as_bytes());
        out.put_bytes(order.url.as_bytes());
        out.put_u64(order.begun_s);
    }
    out.put_u32(line.failures);
    out.put_u32(line.invalid);
    out.put_u64(line.not_before_s);
    out.put_varint(line.orders.len() as u64);
    for (authority, at_s) in &line.orders {
        out.put_u8(*authority);
        out.put_u64(*at_s);
    }
    out.put_varint(line.failed.len() as u64);
    line.failed.iter().for_each(|at_s| out.put_u64(*at_s));
    out.put_u64(line.renew_s);
    out.put_u64(line.ask_s);
    out.put_u8(u8::from(line.replaced));
    out.put_varint(line.log.len() as u64);
    for (at_s, text) in &line.log {
        out.put_u64(*at_s);
        out.put_bytes(text.as_bytes());
    }
}

fn flag(fields: &mut Fields<'_>) -> Result<bool, Shape> {
    match fields.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Shape),
    }
}

/// As many as the length says; a length that the bytes cannot hold ends early.
fn list<T>(fields: &mut Fields<'_>, take: impl Fn(&mut Fields<'_>) -> Result<T, Shape>) -> Result<Vec<T>, Shape> {
    let count = fields.varint()?;
    (0..count).map(|_| take(fields)).collect()
}

fn decode_line(fields: &mut Fields<'_>) -> Result<AcmeLine, Shape> {
    let order = match flag(fields)? {
        false => None,
        true => Some(AcmeOrder {
            authority: fields.u8()?,
            key_pem: fields.text()?.to_owned().into(),
            url: fields.text()?.into(),
            begun_s: fields.u64()?,
        }),
    };
    Ok(AcmeLine {
        order,
        failures: fields.u32()?,
        invalid: fields.u32()?,
        not_before_s: fields.u64()?,
        orders: list(fields, |fields| Ok((fields.u8()?, fields.u64()?)))?,
        failed: list(fields, |fields| fields.u64())?,
        renew_s: fields.u64()?,
        ask_s: fields.u64()?,
        replaced: flag(fields)?,
        log: list(fields, |fields| Ok((fields.u64()?, fields.text()?.into())))?,
    })
}

/// Which of a line's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateSlot {
    /// The one that is served.
    Current = 0,
    /// The one before, for a rollback.
    Previous = 1,
}

/// Where a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateKey {
    /// Its line.
    pub line: AcmeId,
    /// Which of its certificates.
    pub slot: CertificateSlot,
}

impl RecordKey for CertificateKey {
    fn bytes(&self) -> KeyBytes {
        KeyBytes::EMPTY.with(&self.line).with(&[self.slot as u8])
    }

    fn parse(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let (line, slot) = (fields.array()?, fields.u8()?);
        fields.end()?;
        let slot = match slot {
            0 => CertificateSlot::Current,
            1 => CertificateSlot::Previous,
            _ => return Err(Shape),
        };
        Ok(Self { line, slot })
    }
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct ServedCertificate {
    /// The directory of the authority that signed it.
    pub directory: Box<str>,
    /// Its chain, its own certificate first, PEM.
    pub chain_pem: Box<str>,
    /// Its key, PKCS #8 in PEM.
    pub key_pem: Zeroizing<String>,
    /// When it came, s since 1970.
    pub issued_s: u64,
    /// It was revoked: it may not be served again by a rollback.
    pub revoked: bool,
}

impl Record for ServedCertificate {
    type Key = CertificateKey;
    const FAMILY: Family = Family::Certificate;
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.directory.as_bytes());
        out.put_bytes(self.chain_pem.as_bytes());
        out.put_bytes(self.key_pem.as_bytes());
        out.put_u64(self.issued_s);
        out.put_u8(u8::from(self.revoked));
    }

    fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        let certificate = Self {
            directory: fields.text()?.into(),
            chain_pem: fields.text()?.into(),
            key_pem: fields.text()?.to_owned().into(),
            issued_s: fields.u64()?,
            revoked: flag(&mut fields)?,
        };
        fields.end()?;
        Ok(certificate)
    }
}

//! Requests about certificates that the server orders by itself.

use linchpin_tls::KeyKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acme::Which;

/// Look at everything that an order needs: authority, clock, names, CAA records, ports, chains. Nothing is ordered.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertPlan {}

/// How orders and certificates stand.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertStatus {
    /// One of its names; else all.
    #[serde(default)]
    pub name: Option<String>,
    /// Its kind of key; else both.
    #[serde(default)]
    pub kind: Option<CertKind>,
}

/// Order one certificate from an authority for tries and throw it away; nothing is stored or served. Answered when it is
/// over, within 5 minutes; the log of the answer says how it went.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertTry {
    /// One of its names; else the first certificate.
    #[serde(default)]
    pub name: Option<String>,
    /// Its kind of key; else the first.
    #[serde(default)]
    pub kind: Option<CertKind>,
    /// The directory to try; else Let's Encrypt's staging for Let's Encrypt, or the authority itself.
    #[serde(default)]
    pub directory: Option<String>,
}

/// Order now, whatever the calendar says; `cert.status` shows how far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertRenew {
    /// One of its names; else all.
    #[serde(default)]
    pub name: Option<String>,
    /// Its kind of key; else both.
    #[serde(default)]
    pub kind: Option<CertKind>,
}

/// Revoke the certificate that is served, and order a new one with a new key. What is revoked serves until the new one is
/// there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertRevoke {
    /// One of its names.
    pub name: String,
    /// Its kind of key; else both.
    #[serde(default)]
    pub kind: Option<CertKind>,
    /// Why.
    #[serde(default)]
    pub reason: RevokeReason,
}

/// Serve the certificate before, if it is still valid; no renewal for a day.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertRollback {
    /// One of its names.
    pub name: String,
    /// Its kind of key; else both.
    #[serde(default)]
    pub kind: Option<CertKind>,
}

/// The certificate that is served, with its key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertExport {
    /// One of its names.
    pub name: String,
    /// Its kind of key, if there are both.
    #[serde(default)]
    pub kind: Option<CertKind>,
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CertKind {
    /// ECDSA, P-256.
    Ecdsa,
    /// RSA, 2048 bits.
    Rsa,
}

impl CertKind {
    /// As the TLS crate calls it.
    #[must_use]
    pub const fn kind(self) -> KeyKind {
        match self {
            Self::Ecdsa => KeyKind::Ecdsa,
            Self::Rsa => KeyKind::Rsa,
        }
    }
}

/// Why a certificate is revoked (RFC 5280, 5.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RevokeReason {
    /// It is not said.
    #[default]
    Unspecified,
    /// Somebody else may have the key.
    KeyCompromise,
    /// There is another certificate.
    Superseded,
    /// The names are not served any more.
    Cessation,
}

impl RevokeReason {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::Superseded => 4,
            Self::Cessation => 5,
        }
    }
}

/// A certificate with its key. Neither is shown by `Debug`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct ExportedCertificate {
    /// The chain, the server's own certificate first, PEM.
    pub chain_pem: String,
    /// The private key, PKCS #8, PEM.
    pub key_pem: String,
}

impl std::fmt::Debug for ExportedCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExportedCertificate")
    }
}

/// Which lines a request is about.
pub(crate) fn which(name: Option<String>, kind: Option<CertKind>) -> Which {
    Which { name, kind: kind.map(CertKind::kind) }
}

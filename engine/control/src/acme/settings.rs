//! What the configuration says about ordering.

use std::net::SocketAddr;
use std::path::PathBuf;

use linchpin_tls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{ProofMethod, WantedCertificate};

/// The key that binds a new account to one that the operator has with the authority already (RFC 8555, 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct AccountBinding {
    /// Its name at the authority.
    pub kid: String,
    /// The key itself.
    pub key: Zeroizing<Vec<u8>>,
}

impl AccountBinding {
    /// With its key as authorities give it out: base64url, or base64.
    ///
    /// # Errors
    /// It is neither, or empty.
    pub fn new(kid: String, key: &str) -> Result<Self, String> {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
        let key = key.trim_end_matches('=');
        let key = URL_SAFE_NO_PAD.decode(key).or_else(|_| STANDARD_NO_PAD.decode(key)).unwrap_or_default();
        if key.is_empty() || kid.is_empty() {
            return Err("the key of the account is no base64url, or it or its kid is empty".to_owned());
        }
        Ok(Self { kid, key: key.into() })
    }
}

impl std::fmt::Debug for AccountBinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountBinding({})", self.kid)
    }
}

/// An authority that certificates are ordered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The address of its directory, https.
    pub directory: String,
    /// Addresses where it may reach the operator, such as `mailto:...`; may be empty.
    pub contact: Vec<String>,
    /// If it wants one.
    pub binding: Option<AccountBinding>,
    /// Roots for the authority's own HTTPS (PEM), instead of the machine's.
    pub ca: Option<PathBuf>,
}

/// All about ordering.
#[derive(Clone, Debug)]
pub struct AcmeSettings {
    /// The first authority, and one to fall back to.
    pub authorities: Vec<Authority>,
    /// Certificates to order.
    pub certificates: Vec<WantedCertificate>,
    /// Ways in which names may be proven, in the order in which they are tried.
    pub methods: Vec<ProofMethod>,
    /// A command that sets and removes records for dns-01.
    pub dns_hook: Option<PathBuf>,
    /// The name server that is asked for TXT and CAA records, instead of the machine's.
    pub resolver: Option<SocketAddr>,
    /// Roots that devices have.
    pub device_roots: Vec<CertificateDer<'static>>,
}

//! Keys of our own and what an authority is asked to sign.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::SetupFault;

/// Kind of a server's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// ECDSA P-256: small, and three times cheaper to sign with.
    Ecdsa,
    /// RSA of [`crate::limits::RSA_BITS`] bits, for clients that verify nothing else. ring alone cannot make one.
    Rsa,
}

impl KeyKind {
    /// As configuration, metrics and the log write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

/// A private key, PKCS #8.
pub struct NewKey(KeyPair);

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewKey")
    }
}

fn failed(error: &rcgen::Error) -> SetupFault {
    SetupFault::Making(error.to_string())
}

impl NewKey {
    /// Make one; RSA takes tenths of a second.
    ///
    /// # Errors
    /// No randomness, or the provider cannot make this kind.
    pub fn make(kind: KeyKind) -> Result<Self, SetupFault> {
        let algorithm = match kind {
            KeyKind::Ecdsa => &PKCS_ECDSA_P256_SHA256,
            // rcgen makes RSA keys of 2,048 bits.
            KeyKind::Rsa => &PKCS_RSA_SHA256,
        };
        KeyPair::generate_for(algorithm).map(Self).map_err(|error| failed(&error))
    }

    /// One that was made before.
    ///
    /// # Errors
    /// It is no private key in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, SetupFault> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| SetupFault::Pem("private key"))?;
        let PrivateKeyDer::Pkcs8(der) = der else { return Err(SetupFault::Key) };
        Self::from_der(der.secret_pkcs8_der())
    }

    /// One that was made elsewhere.
    ///
    /// # Errors
    /// It is no PKCS #8 in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, SetupFault> {
        KeyPair::try_from(&PrivatePkcs8KeyDer::from(der)).map(Self).map_err(|_| SetupFault::Key)
    }

    /// PEM; whoever holds it must wipe it.
    #[must_use]
    pub fn pem(&self) -> Zeroizing<String> {
        self.0.serialize_pem().into()
    }

    /// What an authority signs, for these names (DNS names, wildcards or addresses): a request of PKCS #10, DER.
    ///
    /// # Errors
    /// A name is none.
    pub fn request(&self, names: &[String]) -> Result<Vec<u8>, SetupFault> {
        let mut params = CertificateParams::new(names.to_vec()).map_err(|error| failed(&error))?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(&self.0).map_err(|error| failed(&error))?.der().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_pem_and_sign_requests() {
        let names = ["node.example".to_owned(), "*.node.example".to_owned(), "192.0.2.7".to_owned()];
        for kind in [KeyKind::Ecdsa, KeyKind::Rsa] {
            if kind == KeyKind::Rsa && !cfg!(feature = "aws-lc-rs") {
                assert!(NewKey::make(kind).is_err(), "ring makes no RSA keys");
                continue;
            }
            let key = NewKey::make(kind).expect("a key");
            let again = NewKey::from_pem(&key.pem()).expect("the same key");
            let request = again.request(&names).expect("a request");
            assert!(request.windows(12).any(|window| window == b"node.example"), "{kind:?}");
            assert!(!request.windows(5).any(|window| window == b"rcgen"), "{kind:?}");
            assert!((1_600..2_000).contains(&key.pem().len()) == (kind == KeyKind::Rsa), "{}", key.pem().len());
        }
        assert!(NewKey::from_pem("rubbish").is_err());
    }
}

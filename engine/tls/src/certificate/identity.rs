//! A chain and its key.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, SignatureAlgorithm};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::roots::DeviceRoot;
use super::{der, roots};
use crate::limits::CHAIN_BYTES;
use crate::{Provider, SetupFault};

/// A certificate chain with its private key, fit to be served.
#[derive(Clone)]
pub struct Identity {
    /// For clients with room.
    full: Arc<CertifiedKey>,
    /// For clients that asked for small fragments: as short as still leads to a root that devices have.
    short: Arc<CertifiedKey>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({} certificates, {:?})", self.full.cert.len(), self.full.key.algorithm())
    }
}

impl Identity {
    /// Read a chain, the server's own certificate first, and its key.
    ///
    /// # Errors
    /// One of them cannot be read, they do not belong together, or the chain is too long or out of order.
    pub fn from_pem(chain: &[u8], key: &[u8], provider: Provider, unix_s: u64) -> Result<Self, SetupFault> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| SetupFault::Pem("certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| SetupFault::Pem("private key"))?;
        Self::from_der(chain, key, provider, unix_s)
    }

    /// As [`Self::from_pem`], from DER.
    ///
    /// # Errors
    /// As [`Self::from_pem`].
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: Provider,
        unix_s: u64,
    ) -> Result<Self, SetupFault> {
        if chain.is_empty() {
            return Err(SetupFault::Pem("certificate"));
        }
        let len: usize = chain.iter().map(|certificate| certificate.len()).sum();
        if len > CHAIN_BYTES {
            return Err(SetupFault::ChainTooLong(len));
        }
        let fields: Vec<_> =
            chain.iter().map(|c| der::read(c).ok_or(SetupFault::Certificate)).collect::<Result<_, _>>()?;
        if let Some(at) = fields.windows(2).position(|pair| pair[0].issuer != pair[1].subject) {
            return Err(SetupFault::ChainOrder(at));
        }
        let kept = short_len(&chain, unix_s);
        let key = provider.crypto().key_provider.load_private_key(key).map_err(|_| SetupFault::Key)?;
        let full = CertifiedKey::new(chain, key);
        match full.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => return Err(SetupFault::KeyMismatch),
            Err(_) => return Err(SetupFault::Certificate),
        }
        let short = CertifiedKey::new(full.cert[..kept].to_vec(), full.key.clone());
        Ok(Self { full: Arc::new(full), short: Arc::new(short) })
    }

    /// What is served, the server's own certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.full.cert
    }

    /// What clients with little memory get.
    #[must_use]
    pub fn short_chain(&self) -> &[CertificateDer<'static>] {
        &self.short.cert
    }

    pub(super) fn is_ecdsa(&self) -> bool {
        self.full.key.algorithm() == SignatureAlgorithm::ECDSA
    }

    pub(super) fn certified(&self, short: bool) -> &Arc<CertifiedKey> {
        if short { &self.short } else { &self.full }
    }

    pub(crate) fn single(&self) -> SingleCertAndKey {
        SingleCertAndKey::from(self.full.clone())
    }
}

/// How many certificates of the chain a client needs that has the device roots, or the chain's own root.
fn short_len(chain: &[CertificateDer<'static>], unix_s: u64) -> usize {
    let reaches =
        |len: &usize| DeviceRoot::ALL.iter().any(|root| roots::reaches(&root.certificate(), &chain[..*len], unix_s));
    if let Some(len) = (1..=chain.len()).find(reaches) {
        return len;
    }
    // A private authority: its root is at home with the client, or nowhere.
    let is_root = |certificate: &CertificateDer<'_>| der::read(certificate).is_some_and(|f| f.issuer == f.subject);
    match chain.last() {
        Some(last) if chain.len() > 1 && is_root(last) => chain.len() - 1,
        _ => chain.len(),
    }
}

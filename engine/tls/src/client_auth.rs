//! Certificates of clients, issued by the operator's own authority.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;

use crate::certificate::not_after_s;
use crate::{Clock, Fault, SetupFault};

/// SHA-256 of a certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

/// Fingerprints of certificates that are not accepted any more; all clones are one list.
#[derive(Clone, Debug, Default)]
pub struct Revoked(Arc<ArcSwap<HashSet<[u8; 32]>>>);

impl Revoked {
    /// From now on exactly these. Sessions that live already are the caller's to close, by [`crate::HandshakeFacts`].
    pub fn replace(&self, fingerprints: impl IntoIterator<Item = [u8; 32]>) {
        self.0.store(Arc::new(fingerprints.into_iter().collect()));
    }

    /// Is it on the list?
    #[must_use]
    pub fn contains(&self, fingerprint: &[u8; 32]) -> bool {
        self.0.load().contains(fingerprint)
    }
}

/// What is looked at again when a session goes on, which rustls lets pass without a look at its certificates.
#[derive(Clone, Debug)]
pub(crate) struct ClientRules {
    pub(crate) revoked: Revoked,
    pub(crate) clock: Clock,
}

impl ClientRules {
    /// May a client with this chain go on?
    pub(crate) fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), Fault> {
        if chain.first().is_some_and(|own| self.revoked.contains(&fingerprint(own))) {
            return Err(Fault::Revoked);
        }
        let now_s = self.clock.unix_s();
        let is_over = |certificate| not_after_s(certificate).is_none_or(|end_s| end_s < now_s);
        if chain.iter().any(is_over) { Err(Fault::ClientExpired) } else { Ok(()) }
    }
}

/// How a listener asks clients for certificates.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Authorities whose certificates count.
    pub roots: Vec<CertificateDer<'static>>,
    /// A client without certificate is refused.
    pub required: bool,
    /// What is not accepted any more.
    pub revoked: Revoked,
}

impl ClientAuth {
    /// Names the set of authorities, in whatever order they are given.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut prints: Vec<_> = self.roots.iter().map(fingerprint).collect();
        prints.sort_unstable();
        prints.dedup();
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, &prints.concat()).as_ref());
        digest
    }

    pub(crate) fn verifier(&self, crypto: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, SetupFault> {
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(root.clone()).map_err(|error| SetupFault::ClientRoots(error.to_string()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto.clone());
        let builder = if self.required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| SetupFault::ClientRoots(error.to_string()))?;
        Ok(verifier)
    }
}

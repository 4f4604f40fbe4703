//! Who does the cryptography of handshakes.

use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;

/// A provider that this build has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// aws-lc-rs: faster, and with the post-quantum hybrid X25519MLKEM768.
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
    /// ring.
    #[cfg(feature = "ring")]
    Ring,
}

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!("linchpin-tls needs one of its features aws-lc-rs and ring");

/// What is offered, the best first. Nothing without forward secrecy, nothing without AEAD.
const SUITES: [CipherSuite; 9] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

impl Provider {
    /// All that this build has, the preferred one first.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "aws-lc-rs")]
        Self::AwsLcRs,
        #[cfg(feature = "ring")]
        Self::Ring,
    ];

    pub(crate) fn crypto(self) -> Arc<CryptoProvider> {
        let mut provider = match self {
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => {
                use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
                let mut provider = default_provider();
                // A device that has only classic groups gets X25519; a client with the hybrid gets the hybrid.
                provider.kx_groups =
                    vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
                provider
            }
            #[cfg(feature = "ring")]
            Self::Ring => rustls::crypto::ring::default_provider(),
        };
        let place = |suite: CipherSuite| SUITES.iter().position(|wanted| *wanted == suite);
        provider.cipher_suites.retain(|suite| place(suite.suite()).is_some());
        provider.cipher_suites.sort_by_key(|suite| place(suite.suite()));
        Arc::new(provider)
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self::ALL[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_all_suites_and_x25519() {
        for provider in Provider::ALL {
            let crypto = provider.crypto();
            let suites: Vec<_> = crypto.cipher_suites.iter().map(rustls::SupportedCipherSuite::suite).collect();
            assert_eq!(suites, SUITES);
            assert!(crypto.kx_groups.iter().any(|group| group.name() == rustls::NamedGroup::X25519));
        }
    }
}

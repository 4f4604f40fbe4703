//! The three roots that the firmware of Blynk devices trusts.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// A root that devices have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRoot {
    /// Let's Encrypt's.
    IsrgRootX1,
    /// Amazon's.
    AmazonRootCa1,
    /// DigiCert's.
    DigiCertGlobalRootG2,
}

impl DeviceRoot {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::IsrgRootX1, Self::AmazonRootCa1, Self::DigiCertGlobalRootG2];

    /// Its name as certificates write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IsrgRootX1 => "ISRG Root X1",
            Self::AmazonRootCa1 => "Amazon Root CA 1",
            Self::DigiCertGlobalRootG2 => "DigiCert Global Root G2",
        }
    }

    /// The certificate as its authority publishes it.
    #[must_use]
    pub fn certificate(self) -> CertificateDer<'static> {
        CertificateDer::from(match self {
            Self::IsrgRootX1 => &include_bytes!("../../roots/isrg-root-x1.der")[..],
            Self::AmazonRootCa1 => &include_bytes!("../../roots/amazon-root-ca-1.der")[..],
            Self::DigiCertGlobalRootG2 => &include_bytes!("../../roots/digicert-global-root-g2.der")[..],
        })
    }

    /// Does a client that has only this root accept the chain at `unix_s`?
    #[must_use]
    pub fn is_reached_by(self, chain: &[CertificateDer<'_>], unix_s: u64) -> bool {
        reaches(&self.certificate(), chain, unix_s)
    }
}

/// Does the chain lead to `root`, at that time?
pub(super) fn reaches(root: &CertificateDer<'_>, chain: &[CertificateDer<'_>], unix_s: u64) -> bool {
    leads_to(root, chain, unix_s, KeyUsage::server_auth())
}

/// Did `root` issue `certificate`, for a server or a client?
pub(super) fn is_issued_by(root: &CertificateDer<'_>, certificate: &CertificateDer<'_>, unix_s: u64) -> bool {
    let usages = [KeyUsage::server_auth(), KeyUsage::client_auth()];
    usages.into_iter().any(|usage| leads_to(root, std::slice::from_ref(certificate), unix_s, usage))
}

fn leads_to(root: &CertificateDer<'_>, chain: &[CertificateDer<'_>], unix_s: u64, usage: KeyUsage) -> bool {
    let Some((leaf, others)) = chain.split_first() else { return false };
    let (Ok(leaf), Ok(anchor)) = (EndEntityCert::try_from(leaf), anchor_from_trusted_cert(root)) else { return false };
    let anchors: [TrustAnchor<'_>; 1] = [anchor];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(unix_s));
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, others, now, usage, None, None).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published SHA-256 fingerprints: a damaged or exchanged file does not pass.
    #[test]
    fn are_the_published_ones() {
        let hex = |root: DeviceRoot| -> String {
            crate::fingerprint(&root.certificate()).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(
            DeviceRoot::ALL.map(hex),
            [
                "96bcec06264976f37460779acf28c5a7cfe8a3c0aae11a8ffcee05c0bddf08c6",
                "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
                "cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f",
            ]
        );
    }
}

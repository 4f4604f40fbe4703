//! What an operator should know of a certificate before devices meet it.

use rustls_pki_types::ServerName;
use webpki::EndEntityCert;

use super::der;
use super::{DeviceRoot, Identity};
use crate::limits::{CHAIN_WARN_BYTES, EXPIRY_WARN};

/// What the check found. [`Warning`]s do not keep the server from starting: a certificate that is not ideal serves more
/// devices than none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateCheck {
    /// DNS names of the certificate.
    pub names: Vec<String>,
    /// Valid from, seconds since 1970.
    pub not_before_s: u64,
    /// Valid until, seconds since 1970: the earliest end in the chain.
    pub not_after_s: u64,
    /// Certificates in the chain.
    pub chain_len: usize,
    /// Their bytes.
    pub chain_bytes: usize,
    /// Bytes of the chain for clients with little memory.
    pub short_chain_bytes: usize,
    /// The device roots that the chain reaches.
    pub roots: Vec<DeviceRoot>,
    /// What is not as it should be.
    pub warnings: Vec<Warning>,
}

/// Something that will trouble devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The chain expired so many seconds ago.
    Expired(u64),
    /// It expires in so many seconds.
    ExpiresSoon(u64),
    /// It becomes valid in so many seconds.
    NotYetValid(u64),
    /// It is not valid for this name.
    Name(String),
    /// No stock firmware knows its root.
    NoDeviceRoot,
    /// The chain is so many bytes long.
    LongChain(usize),
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = |seconds: &u64| seconds / 86_400;
        match self {
            Self::Expired(ago) => write!(f, "expired {} days ago; renew it now, devices refuse it", days(ago)),
            Self::ExpiresSoon(left) => write!(f, "expires in {} days; renew it", days(left)),
            Self::NotYetValid(left) => {
                write!(f, "becomes valid in {} days; check this machine's clock", days(left))
            }
            Self::Name(name) => write!(f, "not valid for {name}; have it issued for the name that devices connect to"),
            Self::NoDeviceRoot => {
                let [a, b, c] = DeviceRoot::ALL.map(DeviceRoot::name);
                write!(f, "reaches none of the roots that Blynk firmware has ({a}, {b}, {c}); ")?;
                write!(f, "stock sketches refuse it unless they are given its root")
            }
            Self::LongChain(len) => {
                write!(f, "the chain has {len} bytes, more than {CHAIN_WARN_BYTES}; prefer ECDSA and a shorter chain")
            }
        }
    }
}

impl Identity {
    /// What is wrong with its dates at `unix_s`: devices refuse it. `None`: all certificates of the chain are valid.
    #[must_use]
    pub fn untimely(&self, unix_s: u64) -> Option<Warning> {
        let is_untimely = |warning: &Warning| matches!(warning, Warning::Expired(_) | Warning::NotYetValid(_));
        self.check(unix_s, &[]).warnings.into_iter().find(is_untimely)
    }

    /// Check it for use at `unix_s` under `names`, which may be DNS names or addresses.
    #[must_use]
    pub fn check(&self, unix_s: u64, names: &[&str]) -> CertificateCheck {
        let fields: Vec<_> = self.chain().iter().filter_map(|certificate| der::read(certificate)).collect();
        let bytes = |chain: &[rustls_pki_types::CertificateDer<'_>]| chain.iter().map(|c| c.len()).sum();
        let mut report = CertificateCheck {
            names: Vec::new(),
            not_before_s: fields.iter().map(|f| f.not_before_s).max().unwrap_or(0),
            not_after_s: fields.iter().map(|f| f.not_after_s).min().unwrap_or(0),
            chain_len: self.chain().len(),
            chain_bytes: bytes(self.chain()),
            short_chain_bytes: bytes(self.short_chain()),
            roots: DeviceRoot::ALL.into_iter().filter(|root| root.is_reached_by(self.chain(), unix_s)).collect(),
            warnings: Vec::new(),
        };
        if unix_s > report.not_after_s {
            report.warnings.push(Warning::Expired(unix_s - report.not_after_s));
        } else if unix_s < report.not_before_s {
            report.warnings.push(Warning::NotYetValid(report.not_before_s - unix_s));
        } else if report.not_after_s - unix_s < EXPIRY_WARN.as_secs() {
            report.warnings.push(Warning::ExpiresSoon(report.not_after_s - unix_s));
        }
        if let Ok(own) = EndEntityCert::try_from(&self.chain()[0]) {
            report.names = own.valid_dns_names().map(str::to_owned).collect();
            for name in names {
                let wanted = ServerName::try_from(*name);
                if !wanted.is_ok_and(|wanted| own.verify_is_valid_for_subject_name(&wanted).is_ok()) {
                    report.warnings.push(Warning::Name((*name).to_owned()));
                }
            }
        }
        if report.roots.is_empty() {
            report.warnings.push(Warning::NoDeviceRoot);
        }
        if report.chain_bytes > CHAIN_WARN_BYTES {
            report.warnings.push(Warning::LongChain(report.chain_bytes));
        }
        report
    }
}

//! Certificates of the server: read, checked, chosen by name and by what the client can verify, replaced while running.

mod check;
mod der;
mod identity;
mod local;
mod request;
mod resolve;
mod roots;

pub use check::{CertificateCheck, Warning};
pub use identity::{Identity, RenewalId, device_chain};
pub use local::{LocalAuthority, LocalCertificate};
pub use request::{KeyKind, NewKey};
pub use resolve::Certificates;
pub use roots::DeviceRoot;

pub(crate) use resolve::Resolver;

/// Until when a certificate is valid, seconds since 1970, inclusive; none if it cannot be read.
pub(crate) fn not_after_s(certificate: &rustls_pki_types::CertificateDer<'_>) -> Option<u64> {
    der::read(certificate).map(|fields| fields.not_after_s)
}

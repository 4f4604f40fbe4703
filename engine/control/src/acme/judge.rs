//! Is a certificate fit to be served, and can devices use it? Pure: time is an argument.

use linchpin_storage::schema::ServedCertificate;
use linchpin_tls::pki_types::CertificateDer;
use linchpin_tls::pki_types::pem::PemObject as _;
use linchpin_tls::{Identity, Provider, Warning, device_chain};

use super::line::HeldCertificate;

/// Of the chains that an authority offers, the first its own choice, take the one that devices can use with the least
/// memory, and check it with its key for these names.
///
/// # Errors
/// In words: another key, other names, not valid now, too long, damaged.
pub(super) fn judge(
    chains: &[String],
    key_pem: &str,
    names: &[String],
    directory: &str,
    roots: &[CertificateDer<'static>],
    now_s: u64,
) -> Result<HeldCertificate, String> {
    let parsed: Vec<(usize, Vec<CertificateDer<'static>>)> =
        chains.iter().enumerate().filter_map(|(at, chain)| Some((at, parse(chain)?))).collect();
    let Some((0, first)) = parsed.first() else { return Err("the chain cannot be read".to_owned()) };
    let leaf = first[0].clone();
    // An alternative is another way up from the same certificate.
    let (places, chains_der): (Vec<usize>, Vec<_>) = parsed.into_iter().filter(|(_, chain)| chain[0] == leaf).unzip();
    let chosen = device_chain(&chains_der, roots, now_s).map_or(0, |(at, _)| at);
    let certificate = ServedCertificate {
        directory: directory.into(),
        chain_pem: chains[places[chosen]].as_str().into(),
        key_pem: key_pem.to_owned().into(),
        issued_s: now_s,
        revoked: false,
    };
    let identity = identity(&certificate, now_s)?;
    let wanted: Vec<String> = names.iter().map(|name| name.replacen('*', "wildcard", 1)).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    for warning in identity.check(now_s, &wanted).warnings {
        match warning {
            Warning::Expired(_) | Warning::NotYetValid(_) | Warning::Name(_) => {
                return Err(format!("the certificate cannot be used: {warning}"));
            }
            Warning::ExpiresSoon(_) | Warning::NoDeviceRoot | Warning::LongChain(_) => {}
        }
    }
    Ok(held(certificate, &identity, roots, now_s))
}

/// What is known of a certificate that was stored.
///
/// # Errors
/// It is damaged.
pub(super) fn look_at(
    certificate: ServedCertificate,
    roots: &[CertificateDer<'static>],
    now_s: u64,
) -> Result<HeldCertificate, String> {
    let identity = identity(&certificate, now_s)?;
    Ok(held(certificate, &identity, roots, now_s))
}

/// As it is served.
///
/// # Errors
/// It is damaged, or chain and key do not belong together.
pub(crate) fn identity(certificate: &ServedCertificate, now_s: u64) -> Result<Identity, String> {
    let (chain, key) = (certificate.chain_pem.as_bytes(), certificate.key_pem.as_bytes());
    Identity::from_pem(chain, key, Provider::default(), now_s).map_err(|fault| fault.to_string())
}

fn held(
    certificate: ServedCertificate,
    identity: &Identity,
    roots: &[CertificateDer<'static>],
    now_s: u64,
) -> HeldCertificate {
    let report = identity.check(now_s, &[]);
    HeldCertificate {
        not_before_s: report.not_before_s,
        not_after_s: report.not_after_s,
        reaches: device_chain(&[identity.chain().to_vec()], roots, now_s).is_some(),
        has_id: identity.renewal_id().is_some(),
        serial: identity.serial(),
        certificate,
    }
}

fn parse(chain: &str) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

//! Certificates that are ordered: what the configuration says of them, and what is served before the first one is there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use linchpin_control::Keep;
use linchpin_control::acme::{Acme, AcmeSettings, Authority, ProofMethod, Serve, WantedCertificate};
use linchpin_tls::pki_types::CertificateDer;
use linchpin_tls::pki_types::pem::PemObject as _;
use linchpin_tls::{DeviceRoot, Identity, LocalAuthority, Provider, SetupFault};
use zeroize::Zeroizing;

use super::{ServerTls, TlsConfig, TlsError, now_s, read, wrong};

/// A placeholder is made anew at each start.
const PLACEHOLDER_LIFETIME: Duration = Duration::from_secs(7 * 86_400);

/// The tables `[acme]` and `[[certificate]] acme`, checked.
#[derive(Clone, Debug)]
pub(crate) struct AcmeConfig {
    pub(crate) authorities: Vec<Authority>,
    pub(crate) certificates: Vec<WantedCertificate>,
    pub(crate) methods: Vec<ProofMethod>,
    pub(crate) dns_hook: Option<PathBuf>,
    pub(crate) resolver: Option<SocketAddr>,
}

/// A root that devices have.
#[derive(Clone, Debug)]
pub(crate) enum TrustedRoot {
    /// One of Blynk's firmware.
    Known(DeviceRoot),
    /// The operator's own (PEM).
    File(PathBuf),
}

impl TlsConfig {
    /// Roots that devices have.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(super) fn trusted_roots(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let one = |root: &TrustedRoot| match root {
            TrustedRoot::Known(root) => Ok(root.certificate()),
            TrustedRoot::File(path) => {
                CertificateDer::from_pem_slice(&read(path)?).map_err(|_| wrong(path, "it holds no certificate in PEM"))
            }
        };
        self.device_roots.iter().map(one).collect()
    }

    /// What ordering needs; `None`: nothing is ordered.
    ///
    /// # Errors
    /// A file cannot be read or used.
    pub(crate) fn acme_settings(&self) -> Result<Option<AcmeSettings>, TlsError> {
        let Some(acme) = &self.acme else { return Ok(None) };
        for path in acme.authorities.iter().filter_map(|authority| authority.ca.as_ref()) {
            read(path)?;
        }
        Ok(Some(AcmeSettings {
            authorities: acme.authorities.clone(),
            certificates: acme.certificates.clone(),
            methods: acme.methods.clone(),
            dns_hook: acme.dns_hook.clone(),
            resolver: acme.resolver,
            device_roots: self.trusted_roots()?,
        }))
    }

    /// The same, with a certificate that no client accepts if there is none yet: an authority can then look at the
    /// server, and devices hear at once what is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn with_placeholder(&self, identities: Vec<Identity>) -> Result<Vec<Identity>, TlsError> {
        let Some(acme) = self.acme.as_ref().filter(|_| identities.is_empty()) else { return Ok(identities) };
        tracing::warn!("no certificate is there yet: devices with TLS are refused by themselves until one is ordered");
        let failed = |fault: SetupFault| TlsError::new(fault);
        let now_s = now_s();
        let authority =
            LocalAuthority::make("Linchpin: no certificate yet", now_s, PLACEHOLDER_LIFETIME).map_err(failed)?;
        let names: Vec<&str> = acme.certificates.iter().flat_map(|one| &one.names).map(String::as_str).collect();
        let made = authority.server(&names, now_s, PLACEHOLDER_LIFETIME).map_err(failed)?;
        let (chain, key) = (made.chain_pem.as_bytes(), made.key_pem.as_bytes());
        Ok(vec![Identity::from_pem(chain, key, Provider::default(), now_s).map_err(failed)?])
    }
}

/// What the control plane needs to order certificates: their state, and who serves them.
pub(crate) type Ordering = (Acme, Serve);

/// TLS with the certificates that are there, and the orders of those that are missing or due.
pub(crate) fn open_tls(
    config: Option<TlsConfig>,
    data_path: &Path,
    ticket_key: Option<Zeroizing<[u8; 32]>>,
    keep: Option<&Keep>,
) -> Result<(Option<Arc<ServerTls>>, Option<Ordering>), TlsError> {
    let Some(config) = config else { return Ok((None, None)) };
    let settings = config.acme_settings()?;
    let tls = ServerTls::open(config, data_path, ticket_key)?;
    let ordering = settings.map(|settings| order(settings, keep, &tls)).transpose()?;
    Ok((Some(tls), ordering))
}

/// The orders of certificates anew, after the control plane that had them has ended.
pub(crate) fn order_again(tls: &Arc<ServerTls>, keep: Option<&Keep>) -> Result<Option<Ordering>, TlsError> {
    tls.acme_settings()?.map(|settings| order(settings, keep, tls)).transpose()
}

/// Serve what was ordered before, and let control order what is missing or due.
fn order(settings: AcmeSettings, keep: Option<&Keep>, tls: &Arc<ServerTls>) -> Result<Ordering, TlsError> {
    let store = keep.map(|keep| Arc::clone(keep.store()));
    let acme = Acme::load(settings, store, tls.challenges())
        .map_err(|why| TlsError::new(format!("ordered certificates: {why}")))?;
    tls.serve_ordered(acme.identities())?;
    let tls = Arc::clone(tls);
    Ok((acme, Arc::new(move |identities| tls.serve_ordered(identities).map_err(|error| error.to_string()))))
}

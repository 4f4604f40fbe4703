//! The tables `[tls]` and `[[certificate]]`.

use std::path::PathBuf;

use linchpin_tls::{DeviceRoot, Layer};
use serde::Deserialize;
use toml::Spanned;

use super::acme::{AcmeTable, OrderedTable};
use super::source::ConfigText;
use super::{ConfigError, Listen};
use crate::tls::{self, TlsConfig, TrustedRoot};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    record_layer: Option<Spanned<String>>,
    #[serde(default)]
    names: Vec<String>,
    client_ca: Option<PathBuf>,
    revoked: Option<PathBuf>,
    device_roots: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateTable {
    chain: Option<PathBuf>,
    key: Option<PathBuf>,
    /// It is ordered instead.
    acme: Option<Spanned<OrderedTable>>,
}

const LAYERS: [(&str, Layer); 2] = [("in-place", Layer::InPlace), ("rustls", Layer::Rustls)];

/// What TLS needs, if there is a certificate. The files themselves are read when the server starts, and by `check`.
pub(super) fn tls(
    source: &ConfigText<'_>,
    table: &TlsTable,
    certificates: &[Spanned<CertificateTable>],
    acme: Option<&Spanned<AcmeTable>>,
) -> Result<Option<TlsConfig>, ConfigError> {
    let layer = source.one_of(table.record_layer.as_ref(), "record_layer", &LAYERS, Layer::InPlace)?;
    let (mut files, mut ordered) = (Vec::new(), Vec::new());
    for spanned in certificates {
        match spanned.get_ref() {
            CertificateTable { chain: Some(chain), key: Some(key), acme: None } => {
                files.push((chain.clone(), key.clone()))
            }
            CertificateTable { chain: None, key: None, acme: Some(wanted) } => ordered.push(wanted),
            _ => {
                let what = "a [[certificate]] has chain and key, or acme with the names that are ordered";
                return Err(source.error(spanned.span(), what));
            }
        }
    }
    let config = TlsConfig {
        source: tls::CertificateSource::Files(files),
        acme: super::acme::acme(source, acme, &ordered)?,
        layer,
        names: table.names.clone(),
        client_ca: table.client_ca.clone(),
        revoked: table.revoked.clone(),
        device_roots: device_roots(source, table)?,
    };
    Ok((!certificates.is_empty()).then_some(config))
}

/// The roots by their short names, or files.
fn device_roots(source: &ConfigText<'_>, table: &TlsTable) -> Result<Vec<TrustedRoot>, ConfigError> {
    let Some(list) = &table.device_roots else {
        return Ok(DeviceRoot::ALL.map(TrustedRoot::Known).to_vec());
    };
    let one = |text: &Spanned<String>| {
        let known = DeviceRoot::ALL.into_iter().find(|root| short_name(*root) == *text.get_ref());
        match known {
            Some(root) => Ok(TrustedRoot::Known(root)),
            None if text.get_ref().starts_with('/') => Ok(TrustedRoot::File(text.get_ref().into())),
            None => {
                let known: Vec<_> = DeviceRoot::ALL.map(|root| format!("{:?}", short_name(root))).into();
                let what = format!("device_roots must be {} or paths of PEM files", known.join(", "));
                Err(source.error(text.span(), what))
            }
        }
    };
    list.iter().map(one).collect()
}

/// `isrg-root-x1`.
fn short_name(root: DeviceRoot) -> String {
    root.name().to_ascii_lowercase().replace(' ', "-")
}

/// Listeners need what they promise.
pub(super) fn check_listeners(listen: &Listen, tls: Option<&TlsConfig>) -> Result<(), String> {
    let wants_tls = listen.tls.first().map(|address| ("tls", address));
    let wants_tls = wants_tls.or_else(|| listen.mutual.first().map(|address| ("mutual", address)));
    if let (Some((name, address)), None) = (wants_tls, tls) {
        return Err(format!(
            "{name} = {address} needs a certificate: add a [[certificate]] with chain and key, or with acme"
        ));
    }
    if let (Some(address), true) = (listen.mutual.first(), tls.is_none_or(|tls| tls.client_ca.is_none())) {
        return Err(format!(
            "mutual = {address} needs client_ca in [tls], the authority that signs clients' certificates"
        ));
    }
    Ok(())
}

//! The tables `[tls]` and `[[certificate]]`.

use std::path::PathBuf;

use linchpin_tls::Layer;
use serde::Deserialize;
use toml::Spanned;

use super::source::Source;
use super::{ConfigError, Listen};
use crate::tls::{self, TlsConfig};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    record_layer: Option<Spanned<String>>,
    #[serde(default)]
    names: Vec<String>,
    client_ca: Option<PathBuf>,
    revoked: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateTable {
    chain: PathBuf,
    key: PathBuf,
}

const LAYERS: [(&str, Layer); 2] = [("in-place", Layer::InPlace), ("rustls", Layer::Rustls)];

/// What TLS needs, if there is a certificate. The files themselves are read when the server starts, and by `check`.
pub(super) fn tls(
    source: &Source<'_>,
    table: &TlsTable,
    certificates: &[CertificateTable],
) -> Result<Option<TlsConfig>, ConfigError> {
    let layer = source.one_of(table.record_layer.as_ref(), "record_layer", &LAYERS, Layer::InPlace)?;
    let files = certificates.iter().map(|pair| (pair.chain.clone(), pair.key.clone())).collect();
    let config = TlsConfig {
        source: tls::Source::Files(files),
        layer,
        names: table.names.clone(),
        client_ca: table.client_ca.clone(),
        revoked: table.revoked.clone(),
    };
    Ok((!certificates.is_empty()).then_some(config))
}

/// Listeners need what they promise.
pub(super) fn check_listeners(listen: &Listen, tls: Option<&TlsConfig>) -> Result<(), String> {
    let wants_tls = listen.tls.first().map(|address| ("tls", address));
    let wants_tls = wants_tls.or_else(|| listen.mutual.first().map(|address| ("mutual", address)));
    if let (Some((name, address)), None) = (wants_tls, tls) {
        return Err(format!("{name} = {address} needs a certificate: add a [[certificate]] with chain and key"));
    }
    if let (Some(address), true) = (listen.mutual.first(), tls.is_none_or(|tls| tls.client_ca.is_none())) {
        return Err(format!(
            "mutual = {address} needs client_ca in [tls], the authority that signs clients' certificates"
        ));
    }
    Ok(())
}

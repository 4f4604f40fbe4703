//! `[[oidc]]`: servers where people may sign in.

use std::path::PathBuf;

use linchpin_control::OidcServer;
use linchpin_control::oidc::check_server;
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::source::ConfigText;

/// See the module's page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcTable {
    name: String,
    issuer: Spanned<String>,
    client_id: String,
    client_secret: Option<Spanned<String>>,
    #[serde(default)]
    domains: Vec<String>,
    ca: Option<Spanned<PathBuf>>,
}

/// Check them. They lead browsers back to the server's own address, so it must be known.
pub(super) fn oidc(
    source: &ConfigText<'_>,
    tables: &[Spanned<OidcTable>],
    has_url: bool,
) -> Result<Vec<OidcServer>, ConfigError> {
    if let Some(first) = tables.first().filter(|_| !has_url) {
        let what = "[[oidc]] sends browsers back to this server: set public_url in [console]";
        return Err(source.error(first.span(), what.to_owned()));
    }
    let most = linchpin_control::limits::OIDC_SERVERS;
    if let Some(beyond) = tables.get(most) {
        return Err(source.error(beyond.span(), format!("{most} [[oidc]] are the most")));
    }
    tables.iter().map(|table| server(source, table)).collect()
}

fn server(source: &ConfigText<'_>, spanned: &Spanned<OidcTable>) -> Result<OidcServer, ConfigError> {
    let table = spanned.get_ref();
    let secret = |text: &Spanned<String>| {
        let found = super::acme::secret("client_secret", text.get_ref());
        let found = found.map_err(|what| source.error(text.span(), what))?;
        Ok(found.trim_end_matches(['\r', '\n']).to_owned().into())
    };
    let read = |path: &Spanned<PathBuf>| {
        let shown = path.get_ref().display();
        std::fs::read(path.get_ref()).map_err(|error| source.error(path.span(), format!("{shown}: {error}")))
    };
    let server = OidcServer {
        name: table.name.as_str().into(),
        issuer: table.issuer.get_ref().as_str().into(),
        client_id: table.client_id.as_str().into(),
        client_secret: table.client_secret.as_ref().map(secret).transpose()?,
        domains: table.domains.iter().map(|domain| domain.to_ascii_lowercase().into()).collect(),
        ca: table.ca.as_ref().map(read).transpose()?.map(Into::into),
    };
    check_server(&server).map_err(|what| source.error(table.issuer.span(), what))?;
    Ok(server)
}

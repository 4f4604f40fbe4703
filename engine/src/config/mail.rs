//! `[mail]`: the server that takes mail to people.

use std::path::PathBuf;

use linchpin_control::{MailServer, MailTls};
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::source::ConfigText;

/// See the module's page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailTable {
    server: Spanned<String>,
    port: Option<Spanned<i64>>,
    from: Spanned<String>,
    user: Option<String>,
    password: Option<Spanned<String>>,
    tls: Option<Spanned<String>>,
    ca: Option<Spanned<PathBuf>>,
}

const WAYS: [(&str, MailTls); 3] =
    [("starttls", MailTls::StartTls), ("implicit", MailTls::Implicit), ("none", MailTls::None)];

/// Check it.
pub(super) fn mail(source: &ConfigText<'_>, spanned: &Spanned<MailTable>) -> Result<MailServer, ConfigError> {
    let table = spanned.get_ref();
    let tls = source.one_of(table.tls.as_ref(), "tls", &WAYS, MailTls::StartTls)?;
    let port = source.within(table.port.as_ref(), "port", 1..=65_535, u32::from(tls.port()))?;
    let login = match (&table.user, &table.password) {
        (Some(user), Some(password)) => {
            let found = super::acme::secret("password", password.get_ref());
            let found = found.map_err(|what| source.error(password.span(), what))?;
            Some((user.as_str().into(), found.trim_end_matches(['\r', '\n']).to_owned().into()))
        }
        (None, None) => None,
        (Some(_), None) => return Err(source.error(spanned.span(), "user needs password")),
        (None, Some(password)) => return Err(source.error(password.span(), "password needs user")),
    };
    let read = |path: &Spanned<PathBuf>| {
        let shown = path.get_ref().display();
        std::fs::read(path.get_ref()).map_err(|error| source.error(path.span(), format!("{shown}: {error}")))
    };
    let server = MailServer {
        host: table.server.get_ref().as_str().into(),
        port: u16::try_from(port).unwrap_or(u16::MAX),
        from: table.from.get_ref().as_str().into(),
        login,
        tls,
        ca: table.ca.as_ref().map(read).transpose()?.map(Into::into),
    };
    server.check().map_err(|what| source.error(spanned.span(), what))?;
    Ok(server)
}

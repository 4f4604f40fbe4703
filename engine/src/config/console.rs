//! `[console]`: how people reach the server and sign in.

use linchpin_control::PeopleSettings;
use linchpin_protocol::model::OrgId;
use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::source::ConfigText;

/// See the module's page.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsoleTable {
    pub(super) public_url: Option<Spanned<String>>,
    plain: Option<Spanned<String>>,
    #[serde(default)]
    known_browsers: bool,
    register: Option<Spanned<i64>>,
    #[serde(default)]
    security_contact: Vec<Spanned<String>>,
}

/// Check it.
pub(super) fn people(source: &ConfigText<'_>, table: &ConsoleTable) -> Result<PeopleSettings, ConfigError> {
    let public_url = match &table.public_url {
        Some(text) => Some(public_url(text.get_ref()).ok_or_else(|| {
            let what = format!("{:?} is no URL of a server alone, such as \"https://iot.example\"", text.get_ref());
            source.error(text.span(), what)
        })?),
        None => None,
    };
    let ways = [("loopback", false), ("lan", true)];
    let plain_from_lan = source.one_of(table.plain.as_ref(), "plain", &ways, false)?;
    let number = source.within(table.register.as_ref(), "register", 1..=i64::from(i32::MAX), 0)?;
    let contacts = table.security_contact.iter().map(|text| contact(source, text)).collect::<Result<_, _>>()?;
    Ok(PeopleSettings {
        public_url,
        own_count: table.known_browsers,
        plain_from_lan,
        sign_up: OrgId::new(number),
        security_contacts: contacts,
        ..PeopleSettings::default()
    })
}

/// As RFC 9116 has it: an address that begins with `mailto:`, `https://` or `tel:`.
fn contact(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<Box<str>, ConfigError> {
    let uri = text.get_ref();
    let is_kind = ["mailto:", "https://", "tel:"].iter().any(|front| uri.len() > front.len() && uri.starts_with(front));
    if is_kind && uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(uri.as_str().into());
    }
    let what = format!("security_contact must be addresses such as \"mailto:security@example.com\", not {uri:?}");
    Err(source.error(text.span(), what))
}

/// `https://NAME` or `https://NAME:PORT`, and nothing behind it.
fn public_url(text: &str) -> Option<Box<str>> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    linchpin_protocol::http::host_name(host.as_bytes())?;
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::public_url;

    #[test]
    fn links_begin_with_a_server_and_nothing_else() {
        for good in ["https://iot.example", "https://iot.example:8443", "http://127.0.0.1:8080", "https://[::1]:443"] {
            assert_eq!(public_url(good).as_deref(), Some(good));
        }
        for bad in ["iot.example", "https://", "https://a/b", "https://a@b", "ftp://a", "https://a b", "https://a?x"] {
            assert_eq!(public_url(bad), None, "{bad}");
        }
    }
}

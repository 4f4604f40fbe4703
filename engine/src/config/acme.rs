//! The tables `[acme]` and `[acme.fallback]`, and certificates that are ordered.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use linchpin_control::acme::{AccountBinding, Authority, ProofMethod, WantedCertificate, limits};
use linchpin_tls::KeyKind;
use serde::Deserialize;
use toml::Spanned;
use zeroize::Zeroizing;

use super::ConfigError;
use super::source::ConfigText;
use crate::tls::AcmeConfig;

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Longest DNS name, bytes.
const NAME_BYTES: usize = 253;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcmeTable {
    directory: Option<Spanned<String>>,
    #[serde(default)]
    contact: Vec<Spanned<String>>,
    eab: Option<Spanned<EabTable>>,
    ca: Option<PathBuf>,
    challenges: Option<Vec<Spanned<String>>>,
    dns_hook: Option<Spanned<PathBuf>>,
    resolver: Option<Spanned<String>>,
    fallback: Option<FallbackTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FallbackTable {
    directory: Spanned<String>,
    #[serde(default)]
    contact: Vec<Spanned<String>>,
    eab: Option<Spanned<EabTable>>,
    ca: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EabTable {
    kid: String,
    key: String,
}

/// What is ordered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderedTable {
    names: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    profile: String,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Both together, checked.
pub(super) fn acme(
    source: &ConfigText<'_>,
    table: Option<&Spanned<AcmeTable>>,
    ordered: &[&Spanned<OrderedTable>],
) -> Result<Option<AcmeConfig>, ConfigError> {
    let certificates = ordered.iter().map(|table| wanted(source, table)).collect::<Result<Vec<_>, _>>()?;
    let Some(spanned) = table else {
        return match ordered.first() {
            None => Ok(None),
            Some(first) => {
                let what = "a certificate that is ordered needs an [acme] table, which also says that you agree to the \
                            authority's terms";
                Err(source.error(first.span(), what))
            }
        };
    };
    let table = spanned.get_ref();
    if certificates.len() > limits::CERTIFICATES {
        let what = format!("{} certificates are ordered, allowed are {}", certificates.len(), limits::CERTIFICATES);
        return Err(source.error(spanned.span(), what));
    }
    let mut authorities = vec![Authority {
        directory: table.directory.as_ref().map_or(Ok(DIRECTORY.to_owned()), |text| directory(source, text))?,
        contact: contact(source, &table.contact)?,
        binding: table.eab.as_ref().map(|eab| binding(source, eab)).transpose()?,
        ca: table.ca.clone(),
    }];
    if let Some(second) = &table.fallback {
        authorities.push(Authority {
            directory: directory(source, &second.directory)?,
            contact: contact(source, &second.contact)?,
            binding: second.eab.as_ref().map(|eab| binding(source, eab)).transpose()?,
            ca: second.ca.clone(),
        });
        if authorities[0].directory == authorities[1].directory {
            return Err(source.error(second.directory.span(), "the authority to fall back to must be another one"));
        }
    }
    Ok((!certificates.is_empty()).then_some(AcmeConfig {
        authorities,
        certificates,
        methods: methods(source, table)?,
        dns_hook: table.dns_hook.as_ref().map(|path| hook(source, path)).transpose()?,
        resolver: table.resolver.as_ref().map(|text| resolver(source, text)).transpose()?,
    }))
}

fn directory(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<String, ConfigError> {
    let address = text.get_ref();
    if address.starts_with("https://") && !address.contains(char::is_whitespace) {
        return Ok(address.clone());
    }
    Err(source.error(text.span(), format!("directory must be an address that begins with https://, not {address:?}")))
}

fn contact(source: &ConfigText<'_>, list: &[Spanned<String>]) -> Result<Vec<String>, ConfigError> {
    let one = |text: &Spanned<String>| {
        if text.get_ref().starts_with("mailto:") {
            return Ok(text.get_ref().clone());
        }
        Err(source.error(text.span(), "contact must be addresses such as \"mailto:operator@example.com\""))
    };
    list.iter().map(one).collect()
}

fn binding(source: &ConfigText<'_>, spanned: &Spanned<EabTable>) -> Result<AccountBinding, ConfigError> {
    let EabTable { kid, key } = spanned.get_ref();
    let made = secret("key", key).and_then(|text| AccountBinding::new(kid.clone(), text.trim()));
    made.map_err(|what| source.error(spanned.span(), what))
}

/// A secret that is not in the configuration: `file:/PATH`, `credential:NAME`, `environment:NAME`.
pub(super) fn secret(what: &str, text: &str) -> Result<Zeroizing<String>, String> {
    let wrong = || {
        format!(
            "{what} must be \"file:/PATH\", \"credential:NAME\" of systemd or \"environment:NAME\"; the {what} is not \
             written here"
        )
    };
    let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
    let is_name = super::store::is_name(name);
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let found = match kind {
        "file" if Path::new(name).is_absolute() => read(Path::new(name))?,
        "credential" if is_name => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or("systemd gave this process no credentials")?;
            read(&PathBuf::from(folder).join(name))?
        }
        "environment" if is_name => std::env::var(name).map_err(|_| format!("{name} is not set for this process"))?,
        _ => return Err(wrong()),
    };
    Ok(Zeroizing::new(found))
}

fn methods(source: &ConfigText<'_>, table: &AcmeTable) -> Result<Vec<ProofMethod>, ConfigError> {
    let Some(list) = &table.challenges else { return Ok(ProofMethod::ALL.to_vec()) };
    let mut methods = Vec::new();
    for text in list {
        let Some(method) = ProofMethod::parse(text.get_ref()).filter(|method| !methods.contains(method)) else {
            let known: Vec<_> = ProofMethod::ALL.iter().map(|method| format!("{:?}", method.name())).collect();
            let what = format!("challenges must be some of {}, each once", known.join(", "));
            return Err(source.error(text.span(), what));
        };
        methods.push(method);
    }
    Ok(methods)
}

fn hook(source: &ConfigText<'_>, path: &Spanned<PathBuf>) -> Result<PathBuf, ConfigError> {
    if path.get_ref().is_absolute() {
        return Ok(path.get_ref().clone());
    }
    Err(source.error(path.span(), "dns_hook must be the whole path of a command"))
}

fn resolver(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<SocketAddr, ConfigError> {
    let address = text.get_ref();
    let parsed = address.parse().or_else(|_| address.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53)));
    parsed.map_err(|_| source.error(text.span(), format!("resolver must be ADDRESS or ADDRESS:PORT, not {address:?}")))
}

fn wanted(source: &ConfigText<'_>, spanned: &Spanned<OrderedTable>) -> Result<WantedCertificate, ConfigError> {
    let table = spanned.get_ref();
    let list = table.names.get_ref();
    if list.is_empty() || list.len() > limits::NAMES {
        let what = format!("names must be 1 to {}, not {}", limits::NAMES, list.len());
        return Err(source.error(table.names.span(), what));
    }
    let mut names: Vec<String> = Vec::new();
    for text in list {
        let name = text.get_ref().to_ascii_lowercase();
        if !is_name(&name) {
            let what =
                format!("{name:?} is no DNS name in ASCII, no wildcard such as \"*.iot.example\" and no address");
            return Err(source.error(text.span(), what));
        }
        if names.contains(&name) {
            return Err(source.error(text.span(), format!("{name:?} is there twice")));
        }
        names.push(name);
    }
    let mut keys = Vec::new();
    for text in table.keys.as_ref().map(|keys| keys.get_ref().as_slice()).unwrap_or_default() {
        let known = [KeyKind::Ecdsa, KeyKind::Rsa].into_iter().find(|kind| kind.name() == text.get_ref());
        let Some(kind) = known.filter(|kind| !keys.contains(kind)) else {
            return Err(source.error(text.span(), "keys must be \"ecdsa\", \"rsa\" or both, each once"));
        };
        keys.push(kind);
    }
    if keys.is_empty() {
        keys.push(KeyKind::Ecdsa);
    }
    Ok(WantedCertificate { names, profile: table.profile.clone(), keys })
}

fn is_name(name: &str) -> bool {
    if name.parse::<IpAddr>().is_ok() {
        return true;
    }
    let bare = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    bare.len() <= NAME_BYTES && bare.contains('.') && bare.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_an_authority_signs() {
        for good in ["iot.example", "*.iot.example", "192.0.2.7", "2001:db8::1", "a-b.c-d.example"] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "",
            "localhost",
            "*",
            "*.*.example",
            "a..example",
            "-a.example",
            "a_b.example",
            "iot.example.",
            "ä.example",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn secrets_are_never_in_the_file() {
        for bad in ["", "c2VjcmV0", "file:relative", "credential:../x", "environment: x"] {
            let what = secret("key", bad).expect_err(bad);
            assert!(what.contains("key must be") && (bad.is_empty() || !what.contains(bad)), "{what}");
        }
        assert!(secret("key", "environment:LINCHPIN_NOT_SET").is_err());
    }
}

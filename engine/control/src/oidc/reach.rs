//! What may be asked for the sake of a sign-in: the server that the operator has named, wherever it is, and what that server
//! names besides only where everybody could ask. Its document is a stranger's text: it must not lead into this network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The host of an issuer: the only one that may be in this network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IssuerHost {
    host: Box<str>,
    /// Does the operator ask it without TLS, on this machine?
    is_plain: bool,
}

/// The address of a machine, if the host of an address is one.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || literal(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// As an address, if it is one without a name and a password.
fn parsed(text: &str) -> Option<Url> {
    let is_text = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let url = is_text.then(|| Url::parse(text).ok()).flatten()?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (is_bare && url.host_str().is_some_and(|host| !host.is_empty())).then_some(url)
}

impl IssuerHost {
    /// Of what the configuration says; `None`: it must begin with `https://` (or, on this machine, with `http://`), and have
    /// neither a name, a query nor a fragment.
    pub(super) fn parse(issuer: &str) -> Option<Self> {
        let url = parsed(issuer).filter(|url| url.query().is_none())?;
        let host = url.host_str()?;
        let is_plain = match url.scheme() {
            "https" => false,
            "http" if is_this_machine(host) => true,
            _ => return None,
        };
        Some(Self { host: host.into(), is_plain })
    }

    /// May the browser be led there, or this be asked, as far as the text says? Names are looked at when they are resolved.
    pub(super) fn admits(&self, address: &str) -> bool {
        let Some(url) = parsed(address) else { return false };
        let host = url.host_str().unwrap_or_default();
        let is_own = *host == *self.host;
        let is_way = match url.scheme() {
            "https" => true,
            "http" => self.is_plain && is_own,
            _ => false,
        };
        is_way && (is_own || (host != "localhost" && literal(host).is_none_or(is_public)))
    }

    /// Of what a name resolves to, what may be asked.
    fn admitted(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let is_own = name == &*self.host;
        found.filter(|address| is_own || is_public(address.ip())).collect()
    }
}

/// Could everybody ask it? Neither this machine, nor a network of one's own, nor what stands for something else.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        // This network, this machine, shared, link, protocols, tests of networks, several, reserved.
        (0 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (192, 0, 0)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (224.., _, _)
    );
    !(is_special || address.is_private() || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        // An address of IPv4 in one of IPv6: translated, or through a tunnel.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(inner(high, low)),
        [0x2002, high, low, ..] => is_public_v4(inner(high, low)),
        // Tunnels, documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, ..] => false,
        // What is given out to everybody.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names once for each connection, and gives out only what may be asked.
#[derive(Debug)]
pub(super) struct GuardedNames(pub(super) IssuerHost);

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let host = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = host.admitted(name.as_str(), found);
            if admitted.is_empty() {
                return Err("the name is one of this network".into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(issuer: &str) -> IssuerHost {
        IssuerHost::parse(issuer).expect("is one")
    }

    #[test]
    fn nothing_is_asked_without_tls_beyond_this_machine() {
        for good in ["https://id.example", "https://id.example/a/b", "http://127.0.0.1:8080", "http://localhost/x"] {
            assert!(IssuerHost::parse(good).is_some(), "{good}");
        }
        let bad = [
            "http://id.example",
            "ftp://x",
            "https://",
            "http://127.0.0.1.example",
            "https://a b",
            "",
            "https://eve@id.example",
            "https://id.example/?a",
            "https://id.example/#a",
            "https:\\\\id.example",
        ];
        for bad in bad {
            assert!(IssuerHost::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn threat_20_a_document_does_not_lead_into_this_network() {
        let public = host("https://id.example");
        for good in ["https://id.example:8443/token", "https://tokens.example/token", "https://93.184.216.34/token"] {
            assert!(public.admits(good), "{good}");
        }
        let bad = [
            "http://id.example/token",
            "http://127.0.0.1:9200/_all",
            "https://127.0.0.1/token",
            "https://localhost/token",
            "https://2130706433/token",
            "https://0x7f.1/token",
            "https://[::1]/token",
            "https://[::ffff:10.0.0.1]/token",
            "https://169.254.169.254/latest/meta-data",
            "https://id.example@10.0.0.1/token",
            "https://10.0.0.1\\@id.example/token",
            "file:///etc/passwd",
            "token",
        ];
        for bad in bad {
            assert!(!public.admits(bad), "{bad}");
        }
        // What the operator has named may be here, and leads nowhere else.
        let inside = host("https://10.0.0.7");
        assert!(inside.admits("https://10.0.0.7/token") && !inside.admits("https://10.0.0.8/token"));
        let local = host("http://127.0.0.1:4000");
        assert!(local.admits("http://127.0.0.1:4000/token") && !local.admits("http://[::1]:4000/token"));
    }

    #[test]
    fn threat_20_a_name_that_resolves_into_this_network_is_not_asked() {
        let (public, inner) = (SocketAddr::from(([93, 184, 216, 34], 0)), SocketAddr::from(([192, 168, 1, 1], 0)));
        let of_issuer = host("https://id.example");
        let both = || [public, inner].into_iter();
        assert_eq!(of_issuer.admitted("tokens.example", both()), [public], "rebinding finds nothing");
        assert_eq!(of_issuer.admitted("id.example", both()), [public, inner], "the operator has named it");
    }

    #[test]
    fn threat_20_addresses_that_are_not_everybodys() {
        let none = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.53",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
        ];
        for text in none {
            assert!(!is_public(text.parse().expect("an address")), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "64:ff9b::101:101", "2001:4860::1"] {
            assert!(is_public(text.parse().expect("an address")), "{text}");
        }
    }
}

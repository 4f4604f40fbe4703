//! What must be true of a request before it becomes an ask: its host is ours, and its client is who it seems to be.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use linchpin_protocol::http::{AssetTable, HttpFault, ListedFields, Method, host_name};
use linchpin_protocol::model::Network;

use super::problem::Problem;

/// What a shard's HTTP needs to know for requests that are not a device's.
#[derive(Clone, Debug, Default)]
pub struct HttpOptions {
    /// The control plane takes asks; else its paths are not found.
    pub asks: bool,
    /// Names under which this server answers people, in lower case, besides `localhost` and every address.
    pub hosts: Arc<[Box<str>]>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count.
    pub proxies: Arc<[Network]>,
    /// The browser application's files.
    pub assets: AssetTable,
}

impl HttpOptions {
    /// Is the name or address in `Host` one of this server's? Addresses are: a page of another site cannot get a browser
    /// to send them with a name that it controls.
    pub(super) fn is_own_host(&self, fields: &ListedFields) -> bool {
        let Some(host) = fields.get("host").and_then(host_name) else { return false };
        host.parse::<IpAddr>().is_ok()
            || host.eq_ignore_ascii_case("localhost")
            || self.hosts.iter().any(|own| host.eq_ignore_ascii_case(own))
    }

    fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(ip))
    }

    /// Who the client is and whether it speaks TLS, as the proxies in between say it; their fields are taken out. Only the
    /// entries that a listed proxy wrote count: from the last one back to the first that is no such proxy.
    pub(super) fn client(
        &self,
        peer: SocketAddr,
        over_tls: bool,
        fields: &mut ListedFields,
    ) -> Result<(SocketAddr, bool), HttpFault> {
        let mut client = (peer, over_tls);
        if self.is_proxy(peer.ip()) {
            let chain = fields.text("x-forwarded-for").unwrap_or_default();
            for entry in chain.rsplit(',').map(str::trim).filter(|entry| !entry.is_empty()) {
                let said = address(entry).ok_or(HttpFault::Syntax { what: "X-Forwarded-For holds no address" })?;
                client.0 = said;
                if !self.is_proxy(said.ip()) {
                    break;
                }
            }
            if let Some(scheme) = fields.text("x-forwarded-proto").and_then(|text| text.rsplit(',').next()) {
                client.1 = scheme.trim().eq_ignore_ascii_case("https");
            }
        }
        fields.remove("x-forwarded-for");
        fields.remove("x-forwarded-proto");
        Ok(client)
    }
}

/// `203.0.113.9`, `203.0.113.9:1234`, `2001:db8::1` or `[2001:db8::1]:1234`.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = |text: &str| text.parse().ok().map(|ip: IpAddr| SocketAddr::new(ip.to_canonical(), 0));
    bare(text).or_else(|| text.parse().ok()).or_else(|| bare(text.strip_prefix('[')?.strip_suffix(']')?))
}

/// The methods that anything answers, and the target in its origin form.
pub(super) fn target_of(method: Method, target: &str) -> Result<&str, Problem> {
    if method == Method::Other {
        return Err(Problem::Method);
    }
    let rest = ["http://", "https://"].iter().find_map(|scheme| target.strip_prefix(scheme));
    let origin = rest.map_or(Some(target), |rest| rest.find('/').map(|at| &rest[at..]));
    let wrong = HttpFault::Syntax { what: "the target is no path" };
    let target = origin.filter(|path| path.starts_with('/')).ok_or(Problem::Malformed(wrong))?;
    Ok(target.split('#').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &str) -> ListedFields {
        ListedFields::of_head(format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).expect("fields")
    }

    fn options() -> HttpOptions {
        let proxies = ["127.0.0.0/8", "10.0.0.7"].map(|text| Network::parse(text).expect("a network"));
        HttpOptions { hosts: [Box::from("iot.example.com")].into(), proxies: proxies.into(), ..HttpOptions::default() }
    }

    #[test]
    fn hosts_are_ours_or_refused() {
        for own in ["iot.example.com", "IOT.example.COM:8443", "localhost:8080", "127.0.0.1", "[::1]:80", "203.0.113.9"]
        {
            assert!(options().is_own_host(&fields(&format!("Host: {own}"))), "{own}");
        }
        for foreign in ["evil.example", "iot.example.com.evil.example", "localhost.evil.example", "", "a@b"] {
            assert!(!options().is_own_host(&fields(&format!("Host: {foreign}"))), "{foreign}");
        }
        assert!(!options().is_own_host(&ListedFields::default()), "HTTP/1.0 without one");
    }

    fn client(peer: &str, lines: &str) -> Option<(String, bool)> {
        let mut fields = fields(&format!("Host: x\r\n{lines}"));
        let peer = peer.parse().expect("an address");
        let got = options().client(peer, false, &mut fields).ok();
        assert!(got.is_none() || fields.iter().all(|field| field.name == "host"), "they do not travel");
        got.map(|(peer, tls)| (peer.to_string(), tls))
    }

    #[test]
    fn forwarded_fields_count_from_listed_proxies_only() {
        let said = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https";
        assert_eq!(
            client("203.0.113.9:5", said),
            Some(("203.0.113.9:5".to_owned(), false)),
            "a stranger's mean nothing"
        );
        assert_eq!(client("127.0.0.1:5", said), Some(("198.51.100.1:0".to_owned(), true)));
        for (chain, who) in [
            ("1.1.1.1, 198.51.100.1", "198.51.100.1:0"),
            ("1.1.1.1, 198.51.100.1, 10.0.0.7", "198.51.100.1:0"),
            ("10.0.0.7, 127.0.0.1", "10.0.0.7:0"),
            ("198.51.100.1:77", "198.51.100.1:77"),
            ("[2001:db8::1]:77", "[2001:db8::1]:77"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("2001:db8::1", "[2001:db8::1]:0"),
        ] {
            let line = format!("X-Forwarded-For: {chain}");
            assert_eq!(client("127.0.0.1:5", &line).map(|c| c.0).as_deref(), Some(who), "{chain}");
        }
        assert_eq!(client("127.0.0.1:5", "X-Forwarded-For: unknown"), None);
        assert_eq!(client("127.0.0.1:5", "X-Forwarded-Proto: https, http").map(|c| c.1), Some(false));
    }

    #[test]
    fn targets_are_paths() {
        assert_eq!(target_of(Method::Get, "/api/x?y=z#f"), Ok("/api/x?y=z"));
        assert_eq!(target_of(Method::Get, "http://host:80/api/x"), Ok("/api/x"));
        assert!(matches!(target_of(Method::Options, "*"), Err(Problem::Malformed(_))));
        assert!(matches!(target_of(Method::Get, "http://host"), Err(Problem::Malformed(_))));
        assert_eq!(target_of(Method::Other, "/api/x"), Err(Problem::Method));
    }
}

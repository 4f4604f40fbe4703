//! The header fields of a request that travel with it to the control plane: a closed list, so that nothing else can.

use crate::limits::HTTP_HEADERS;

use super::HttpFault;

/// A field that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedField {
    /// Its name, in lower case.
    pub name: &'static str,
    /// Its value; several fields of one name that may stand more than once are joined by ", ".
    pub value: Box<[u8]>,
}

/// The listed fields of a request, each name once, in the order of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedFields(Vec<ListedField>);

/// Names of fields that may stand once: two of them could be read as the one or the other.
const SINGLE: [&str; 18] = [
    "authorization",
    "content-encoding",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "if-modified-since",
    "if-range",
    "if-unmodified-since",
    "origin",
    "range",
    "referer",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-linchpin-csrf",
    "x-linchpin-view-as",
    "x-request-id",
];

/// Names of fields that are lists, and may be spread over several lines.
const LISTS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "if-match",
    "if-none-match",
    "sec-websocket-protocol",
    "x-forwarded-for",
    "x-forwarded-proto",
];

impl ListedFields {
    /// Read them from the bytes of a head that was checked: [`super::Head::len_bytes`] bytes from its request line on.
    ///
    /// # Errors
    /// [`HttpFault::RepeatedField`]: one that may stand once stands twice. [`HttpFault::Syntax`]: the bytes are no head.
    pub fn of_head(head: &[u8]) -> Result<Self, HttpFault> {
        let mut fields = [httparse::EMPTY_HEADER; HTTP_HEADERS];
        let mut request = httparse::Request::new(&mut fields);
        if !request.parse(head).is_ok_and(|status| status.is_complete()) {
            return Err(HttpFault::Syntax { what: "the request line or a header field is malformed" });
        }
        let mut found: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for field in &*request.headers {
            let is = |name: &&'static str| field.name.eq_ignore_ascii_case(name);
            let listed = SINGLE.iter().map(|name| (name, true)).chain(LISTS.iter().map(|name| (name, false)));
            let Some((&name, is_single)) = listed.into_iter().find(|(name, _)| is(name)) else { continue };
            match found.iter_mut().find(|(known, _)| *known == name) {
                Some(_) if is_single => return Err(HttpFault::RepeatedField { name }),
                Some((_, value)) => {
                    value.extend_from_slice(b", ");
                    value.extend_from_slice(field.value);
                }
                None => found.push((name, field.value.to_vec())),
            }
        }
        found.sort_unstable();
        Ok(Self(found.into_iter().map(|(name, value)| ListedField { name, value: value.into() }).collect()))
    }

    /// The value of a field, by its name in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|field| field.name == name).map(|field| &*field.value)
    }

    /// The value of a field as text; `None` too if it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Forget the fields of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|field| field.name != name);
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, ListedField> {
        self.0.iter()
    }

    /// Bytes of all names and values.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.iter().map(|field| field.name.len() + field.value.len()).sum()
    }
}

/// The name or address in a `Host` field, without its port, brackets and last dot. `None`: it is no host.
#[must_use]
pub fn host_name(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(bracketed) => {
            let (host, rest) = bracketed?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => {
            let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
            let host = host.strip_suffix('.').unwrap_or(host);
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if host.is_empty() || !host.bytes().all(is_name) {
                return None;
            }
            (host, port)
        }
    };
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    port.is_none_or(is_port).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &str) -> Result<ListedFields, HttpFault> {
        ListedFields::of_head(format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n").as_bytes())
    }

    #[test]
    fn only_listed_fields_travel_and_lists_are_joined() {
        let got =
            fields("X-Evil: 1\r\nCOOKIE: a=b\r\nAccept: text/html\r\nX-Real-IP: 1\r\naccept: */*").expect("fields");
        let names: Vec<_> = got.iter().map(|field| field.name).collect();
        assert_eq!(names, ["accept", "cookie", "host"]);
        assert_eq!(got.text("accept"), Some("text/html, */*"));
        assert_eq!(got.get("cookie"), Some(&b"a=b"[..]));
        assert_eq!((got.get("x-evil"), got.get("content-length")), (None, None));
        assert_eq!(got.len_bytes(), "accepttext/html, */*cookiea=bhostx".len());
        let mut got = got;
        got.remove("cookie");
        assert_eq!(got.get("cookie"), None);
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for name in SINGLE {
            let twice = format!("{name}: a\r\n{}: a", name.to_uppercase());
            assert_eq!(fields(&twice), Err(HttpFault::RepeatedField { name }), "{name}");
        }
        for name in LISTS {
            assert_eq!(fields(&format!("{name}: a\r\n{name}: b")).expect(name).text(name), Some("a, b"));
        }
        assert!(ListedFields::of_head(b"GET / HTTP/1.1\r\nHost: x\r\n").is_err());
    }

    #[test]
    fn hosts_lose_their_ports_and_wrong_ones_are_none() {
        for (value, host) in [
            ("iot.example.com", "iot.example.com"),
            ("iot.example.com:8443", "iot.example.com"),
            ("iot.example.com.", "iot.example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "::1"),
            ("[::1]:443", "::1"),
            ("my_board.local", "my_board.local"),
        ] {
            assert_eq!(host_name(value.as_bytes()), Some(host), "{value}");
        }
        for wrong in ["", ":80", "a@b", "a/b", "a b", "[::1", "[::1]x", "[a]", "a:b", "a:123456", "a,b", "ex\u{e4}mple"]
        {
            assert_eq!(host_name(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(host_name(b"\xff"), None);
    }
}

//! The head of a request: request line and header fields.

use crate::limits::{HTTP_HEAD_BYTES, HTTP_HEADERS};

use super::{BodyLength, HttpFault};

/// Methods that anything here answers; others are [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD: answered as GET, without the body.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// OPTIONS: a browser asks before it asks.
    Options,
    /// Any other.
    Other,
}

/// A checked head. Borrows from the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// What to do.
    pub method: Method,
    /// With what: path and query as received.
    pub target: &'a str,
    /// `Host`, as received; in HTTP/1.0 it may be missing.
    pub host: Option<&'a str>,
    /// May the connection be used again after the answer?
    pub keep_alive: bool,
    /// Token of `Authorization: Bearer`, if there is one.
    pub bearer: Option<&'a str>,
    /// `Content-Type` without its parameters.
    pub content_type: Option<&'a str>,
    /// `Sec-WebSocket-Key` of a request that asks for a WebSocket in every point.
    pub websocket_key: Option<&'a str>,
    /// It offers to speak MQTT within the WebSocket.
    pub offers_mqtt: bool,
    /// It asked for a WebSocket, perhaps wrongly.
    pub wants_websocket: bool,
    /// The client waits for a word before it sends the body.
    pub expects_continue: bool,
    /// It is an HTTP/1.0 request: its answer is not chunked.
    pub is_http_1_0: bool,
    /// How the body ends; [`super::BodyDecoder`] reads it.
    pub body: BodyLength,
    /// Bytes of the head with its empty line.
    pub len_bytes: usize,
}

/// The name of MQTT among the subprotocols of WebSockets.
pub(super) const MQTT_SUBPROTOCOL: &str = "mqtt";

/// What the fields said, while they are read.
#[derive(Default)]
struct Fields<'a> {
    hosts: u32,
    host: Option<&'a str>,
    length: Option<usize>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    upgrade_websocket: bool,
    version_13: bool,
    offers_mqtt: bool,
    has_key: bool,
    key: Option<&'a str>,
    has_authorization: bool,
    bearer: Option<&'a str>,
    content_type: Option<&'a str>,
    expects_continue: bool,
}

/// Read a head; `None`: its end has not come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Head<'_>>, HttpFault> {
    let window = &bytes[..bytes.len().min(HTTP_HEAD_BYTES)];
    if has_bare_line_feed(window) {
        return Err(HttpFault::Syntax { what: "a line ends without CR" });
    }
    let mut fields = [httparse::EMPTY_HEADER; HTTP_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let len_bytes = match request.parse(window) {
        Ok(httparse::Status::Complete(len_bytes)) => len_bytes,
        Ok(httparse::Status::Partial) if window.len() == HTTP_HEAD_BYTES => return Err(HttpFault::HeadTooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(HttpFault::HeadTooLarge),
        Err(httparse::Error::Version) => return Err(HttpFault::Version),
        Err(_) => return Err(HttpFault::Syntax { what: "the request line or a header field is malformed" }),
    };
    let minor = request.version.unwrap_or(0);
    let mut found = Fields::default();
    for field in &*request.headers {
        note(&mut found, field)?;
    }
    if minor >= 1 && found.hosts != 1 || found.hosts > 1 {
        return Err(HttpFault::Host);
    }
    if found.chunked && found.length.is_some() {
        return Err(HttpFault::AmbiguousLength { what: "Content-Length and Transfer-Encoding" });
    }
    if found.chunked && minor == 0 {
        return Err(HttpFault::AmbiguousLength { what: "Transfer-Encoding in HTTP/1.0" });
    }
    let body = if found.chunked { BodyLength::Chunked } else { BodyLength::Known(found.length.unwrap_or(0)) };
    let is_upgrade = minor >= 1 && found.upgrade && found.upgrade_websocket && found.version_13;
    Ok(Some(Head {
        method: method(request.method.unwrap_or_default()),
        target: request.path.unwrap_or_default(),
        host: found.host,
        keep_alive: if minor >= 1 { !found.close } else { found.keep_alive && !found.close },
        bearer: found.bearer,
        content_type: found.content_type,
        websocket_key: found.key.filter(|_| is_upgrade && body == BodyLength::Known(0)),
        offers_mqtt: found.offers_mqtt,
        wants_websocket: found.upgrade_websocket,
        expects_continue: found.expects_continue && minor >= 1,
        is_http_1_0: minor == 0,
        body,
        len_bytes,
    }))
}

/// httparse takes a bare LF as the end of a line; not every reader does, so it is not taken here. Only the head counts.
fn has_bare_line_feed(window: &[u8]) -> bool {
    let mut previous = 0;
    let mut before = 0;
    for &byte in window {
        if byte == b'\n' {
            if previous != b'\r' {
                return true;
            }
            if before == b'\n' {
                return false;
            }
        }
        (before, previous) = if byte == b'\r' { (previous, byte) } else { (byte, byte) };
    }
    false
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        _ => Method::Other,
    }
}

fn note<'a>(found: &mut Fields<'a>, field: &httparse::Header<'a>) -> Result<(), HttpFault> {
    let name = field.name;
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    if is("host") {
        found.hosts += 1;
        if !is_host_value(field.value) {
            return Err(HttpFault::Host);
        }
        found.host = std::str::from_utf8(field.value).ok();
    } else if is("content-length") {
        let length = digits(field.value).ok_or(HttpFault::AmbiguousLength { what: "Content-Length is no number" })?;
        if found.length.replace(length).is_some() {
            return Err(HttpFault::AmbiguousLength { what: "Content-Length twice" });
        }
    } else if is("transfer-encoding") {
        if found.chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
            return Err(HttpFault::TransferCoding);
        }
        found.chunked = true;
    } else if is("connection") {
        for word in words(field.value) {
            found.close |= word.eq_ignore_ascii_case("close");
            found.keep_alive |= word.eq_ignore_ascii_case("keep-alive");
            found.upgrade |= word.eq_ignore_ascii_case("upgrade");
        }
    } else if is("upgrade") {
        found.upgrade_websocket |= words(field.value).any(|word| word.eq_ignore_ascii_case("websocket"));
    } else if is("sec-websocket-version") {
        found.version_13 = field.value == b"13";
    } else if is("sec-websocket-protocol") {
        found.offers_mqtt |= words(field.value).any(|word| word == MQTT_SUBPROTOCOL);
    } else if is("sec-websocket-key") {
        once(&mut found.has_key, "sec-websocket-key")?;
        found.key = std::str::from_utf8(field.value).ok().filter(|key| is_nonce(key));
    } else if is("authorization") {
        once(&mut found.has_authorization, "authorization")?;
        found.bearer = std::str::from_utf8(field.value).ok().and_then(bearer);
    } else if is("content-type") {
        let text = std::str::from_utf8(field.value).unwrap_or_default();
        found.content_type = Some(text.split(';').next().unwrap_or_default().trim());
    } else if is("expect") {
        if !field.value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HttpFault::Expect);
        }
        found.expects_continue = true;
    }
    Ok(())
}

/// A field that may stand once: two of them would be read in two ways.
fn once(seen: &mut bool, name: &'static str) -> Result<(), HttpFault> {
    if std::mem::replace(seen, true) { Err(HttpFault::RepeatedField { name }) } else { Ok(()) }
}

/// Made of what a host and a port are made of (RFC 3986, 3.2.2), and not empty. Which host it is, control asks.
fn is_host_value(value: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(byte);
    !value.is_empty() && value.iter().all(is_part)
}

fn words(value: &[u8]) -> impl Iterator<Item = &str> {
    std::str::from_utf8(value).unwrap_or_default().split(',').map(str::trim)
}

/// Decimal digits only: no sign, no space, no list.
fn digits(value: &[u8]) -> Option<usize> {
    if value.is_empty() || value.len() > 9 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// 16 bytes in base64 (RFC 6455, 4.1).
fn is_nonce(key: &str) -> bool {
    use base64::Engine as _;
    let mut nonce = [0; 18];
    base64::engine::general_purpose::STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head<'_> {
        parse(text.as_bytes()).expect("well formed").expect("complete")
    }

    fn fault(text: &str) -> HttpFault {
        parse(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn reads_what_matters() {
        let got = head("GET /a?b=c HTTP/1.1\r\nHost: x\r\nauthorization: bearer  abc \r\nX: y\r\n\r\nrest");
        assert_eq!((got.method, got.target, got.keep_alive, got.bearer), (Method::Get, "/a?b=c", true, Some("abc")));
        assert_eq!((got.body, got.websocket_key), (BodyLength::Known(0), None));
        let got = head(
            "POST / HTTP/1.1\r\nHost:x\r\nContent-Length: 5\r\nContent-Type: application/json; charset=utf-8\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n",
        );
        assert_eq!((got.body, got.content_type), (BodyLength::Known(5), Some("application/json")));
        assert!(!got.keep_alive && got.expects_continue);
        assert!(!head("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: x\r\n"), Ok(None));
    }

    #[test]
    fn a_websocket_needs_every_field() {
        let all = [
            "Upgrade: websocket",
            "Connection: keep-alive, Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let ask = |fields: &[&str]| format!("GET /websockets HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", fields.join("\r\n"));
        assert_eq!(head(&ask(&all)).websocket_key, Some("dGhlIHNhbXBsZSBub25jZQ=="));
        for without in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(without);
            assert_eq!(head(&ask(&some)).websocket_key, None, "without {}", all[without]);
        }
        for key in ["abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSBsb25nZXI="] {
            let wrong = format!("Sec-WebSocket-Key: {key}");
            assert_eq!(head(&ask(&[all[0], all[1], all[2], &wrong])).websocket_key, None, "{key}");
        }
    }

    /// What two readers could cut differently.
    #[test]
    fn smuggling_is_refused() {
        let ask = |fields: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
        for fields in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: -1",
            "Content-Length: 0x5",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
        ] {
            assert!(matches!(fault(&ask(fields)), HttpFault::AmbiguousLength { .. }), "{fields}");
        }
        for fields in [
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: identity",
        ] {
            assert_eq!(fault(&ask(fields)), HttpFault::TransferCoding, "{fields}");
        }
        for text in [
            "POST / HTTP/1.1\nHost: x\n\n",
            "POST / HTTP/1.1\r\nHost: x\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding\r\n\r\n",
            "POST  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1 \r\nHost: x\r\n\r\n",
        ] {
            assert!(matches!(fault(text), HttpFault::Syntax { .. }), "{text:?}");
        }
        assert!(matches!(
            fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HttpFault::AmbiguousLength { .. }
        ));
    }

    #[test]
    fn a_line_feed_of_the_body_is_not_the_heads() {
        assert!(head("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na\nb").body == BodyLength::Known(3));
    }

    #[test]
    fn bounds_hosts_and_versions() {
        assert_eq!(fault("GET / HTTP/1.1\r\n\r\n"), HttpFault::Host);
        assert_eq!(fault("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), HttpFault::Host);
        for wrong in ["", " ", "a@b", "a/c", "a@b/c", "a b", "a?x", "a#x", "a\\b", "\u{e4}.example"] {
            assert_eq!(fault(&format!("GET / HTTP/1.1\r\nHost: {wrong}\r\n\r\n")), HttpFault::Host, "{wrong}");
        }
        for right in ["a", "a.example:8080", "[::1]:80", "127.0.0.1", "node_7.local", "a."] {
            let text = format!("GET / HTTP/1.1\r\nHost: {right}\r\n\r\n");
            assert!(parse(text.as_bytes()).is_ok_and(|head| head.is_some()), "{right}");
        }
        for (name, first, second) in [
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "x3JJHMbDL1EzLkh9GBhXDw=="),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("authorization", "Bearer a", "Bearer b"),
        ] {
            let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{name}: {first}\r\n{name}: {second}\r\n\r\n");
            assert_eq!(fault(&text), HttpFault::RepeatedField { name });
        }
        assert_eq!(fault("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), HttpFault::Version);
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HTTP_HEAD_BYTES));
        assert_eq!(fault(&long), HttpFault::HeadTooLarge);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HTTP_HEADERS + 1));
        assert_eq!(fault(&many), HttpFault::HeadTooLarge);
        assert_eq!(fault("GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n"), HttpFault::Expect);
        assert!(matches!(fault("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n"), HttpFault::Syntax { .. }));
    }
}

//! The client's side: write requests, read responses. For the load generator and tests.

use super::HttpFault;
use crate::limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES, HTTP_HEADERS};

/// Append a request. `fields`: more header fields, each ended by CR LF.
pub fn request(out: &mut Vec<u8>, method: &str, target: &str, host: &str, fields: &str, body: &[u8]) {
    let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
    put(method);
    put(" ");
    put(target);
    put(" HTTP/1.1\r\nHost: ");
    put(host);
    put("\r\n");
    put(fields);
    if !body.is_empty() || matches!(method, "POST" | "PUT") {
        put("Content-Length: ");
        put(&body.len().to_string());
        put("\r\n");
    }
    put("\r\n");
    out.extend_from_slice(body);
}

/// A response. Borrows from the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Status code.
    pub status: u16,
    /// Body; empty for an answer to HEAD.
    pub body: &'a [u8],
    /// The server will take more requests on this connection.
    pub keep_alive: bool,
    /// Bytes that it took.
    pub used: usize,
}

/// The first response in `bytes`; `None`: its end has not come. `to_head`: it answers a HEAD request.
///
/// # Errors
/// It is none, or its length cannot be told (this server always tells it).
pub fn next_response(bytes: &[u8], to_head: bool) -> Result<Option<Response<'_>>, HttpFault> {
    let mut fields = [httparse::EMPTY_HEADER; HTTP_HEADERS];
    let mut parsed = httparse::Response::new(&mut fields);
    let head_bytes = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(len_bytes)) => len_bytes,
        Ok(httparse::Status::Partial) if bytes.len() > HTTP_HEAD_BYTES => return Err(HttpFault::HeadTooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpFault::Syntax { what: "the status line or a header field is malformed" }),
    };
    let status = parsed.code.unwrap_or_default();
    let field = |name: &str| parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    let has_body = !to_head && status >= 200 && status != 204 && status != 304;
    let len = match field("content-length") {
        _ if !has_body => 0,
        Some(field) => std::str::from_utf8(field.value)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or(HttpFault::AmbiguousLength { what: "Content-Length is no number" })?,
        None => return Err(HttpFault::AmbiguousLength { what: "no Content-Length" }),
    };
    if len > HTTP_BODY_BYTES {
        return Err(HttpFault::BodyTooLarge);
    }
    let keep_alive = !field("connection").is_some_and(|field| field.value.eq_ignore_ascii_case(b"close"));
    let Some(body) = bytes.get(head_bytes..head_bytes + len) else { return Ok(None) };
    Ok(Some(Response { status, body, keep_alive, used: head_bytes + len }))
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Next, next_request};
    use super::*;

    #[test]
    fn both_sides_understand_each_other() {
        let mut out = Vec::new();
        request(&mut out, "PUT", "/x?y=z", "127.0.0.1:8080", "X-A: b\r\n", b"[1]");
        let Ok(Next::Whole(got)) = next_request(&out) else { panic!("not whole") };
        assert_eq!((got.head.target, &*got.body, got.used), ("/x?y=z", &b"[1]"[..], out.len()));

        let mut out = Vec::new();
        let answer = Answer {
            status: 400,
            content_type: "text/plain",
            body: b"no",
            keep_alive: true,
            head_only: false,
            fields: "",
        };
        answer.write(&mut out);
        let len = out.len();
        Answer { status: 204, keep_alive: false, ..answer }.write(&mut out);
        for cut in 0..len {
            assert_eq!(next_response(&out[..cut], false), Ok(None), "{cut} bytes");
        }
        let first = next_response(&out, false).expect("well formed").expect("whole");
        assert_eq!(first, Response { status: 400, body: b"no", keep_alive: true, used: len });
        let second = next_response(&out[len..], false).expect("well formed").expect("whole");
        assert_eq!(
            (second.status, second.body, second.keep_alive, len + second.used),
            (204, &b""[..], false, out.len())
        );
        assert!(next_response(b"HTTP/1.1 200 OK\r\n\r\n", false).is_err());
        assert!(next_response(b"220 ready\r\n\r\n", false).is_err());
    }
}

//! Writing responses.

/// A response. Written whole, with its length: a reader never waits for the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Status code.
    pub status: u16,
    /// Media type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Say that the connection stays open.
    pub keep_alive: bool,
    /// The request was HEAD: everything but the body.
    pub head_only: bool,
    /// More header fields, each ended by CR LF.
    pub fields: &'a str,
}

/// Browsers may call the API from any page: it is authorised by tokens, never by cookies.
const CORS: &str = "Access-Control-Allow-Origin: *\r\n";

impl Answer<'_> {
    /// Append it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut put = |text: &str| out.extend_from_slice(text.as_bytes());
        put("HTTP/1.1 ");
        put(&self.status.to_string());
        put(" ");
        put(reason(self.status));
        put("\r\n");
        // A 1xx or 204 has no body and no length (RFC 9110, 8.6).
        let has_body = self.status != 204;
        if has_body {
            put("Content-Length: ");
            put(&self.body.len().to_string());
            put("\r\n");
            if !self.body.is_empty() {
                put("Content-Type: ");
                put(self.content_type);
                put("\r\n");
            }
        }
        put(CORS);
        put(self.fields);
        put(if self.keep_alive { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" });
        if has_body && !self.head_only {
            out.extend_from_slice(self.body);
        }
    }
}

/// How the body of an answer ends on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerLength {
    /// There is no body, and no length is written: 204 and 304.
    None,
    /// After so many bytes.
    Known(u64),
    /// In chunks: its length is not known before.
    Chunked,
    /// With the connection: the client speaks HTTP/1.0.
    UntilClose,
}

/// The head of an answer whose body follows in parts. Without the CORS field: what it answers may rest on a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerHead<'a> {
    /// Status code, 200 to 599.
    pub status: u16,
    /// How the body ends.
    pub length: AnswerLength,
    /// Say that the connection stays open.
    pub keep_alive: bool,
    /// Header fields, names and values: neither framing nor `Connection`, each checked by [`is_answer_field`].
    pub fields: &'a [(Box<str>, Box<[u8]>)],
    /// More header fields, each ended by CR LF.
    pub more: &'a str,
}

impl AnswerHead<'_> {
    /// Append it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).as_bytes());
        match self.length {
            AnswerLength::Known(len) => out.extend_from_slice(format!("Content-Length: {len}\r\n").as_bytes()),
            AnswerLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            AnswerLength::None | AnswerLength::UntilClose => {}
        }
        for (name, value) in self.fields {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(self.more.as_bytes());
        let last: &[u8] =
            if self.keep_alive { b"Connection: keep-alive\r\n\r\n" } else { b"Connection: close\r\n\r\n" };
        out.extend_from_slice(last);
    }
}

/// May an answer of the control plane carry this field? Its name is a token, its value has no CR, LF or NUL, and it is
/// not one of those that only the connection's owner writes: framing, `Connection`, and CORS.
#[must_use]
pub fn is_answer_field(name: &str, value: &[u8]) -> bool {
    const OWN: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(is_token)
        && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        && !OWN.iter().any(|own| name.eq_ignore_ascii_case(own))
        && !name.get(..15).is_some_and(|head| head.eq_ignore_ascii_case("access-control-"))
}

/// Append a chunk of a chunked body; an empty one is nothing, since it would end the body.
pub fn chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
}

/// Append the end of a chunked body.
pub fn last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// The words for a status.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_tell_their_length_and_head_has_no_body() {
        let answer = Answer {
            status: 200,
            content_type: "text/plain",
            body: b"hi",
            keep_alive: true,
            head_only: false,
            fields: "",
        };
        let text = |answer: Answer<'_>| {
            let mut out = Vec::new();
            answer.write(&mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(
            text(answer),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nAccess-Control-Allow-Origin: *\r\nConnection: keep-alive\r\n\r\nhi"
        );
        let head = text(Answer { head_only: true, ..answer });
        assert!(head.contains("Content-Length: 2\r\n") && head.ends_with("\r\n\r\n"));
        let closed = text(Answer { status: 204, keep_alive: false, fields: "Allow: GET\r\n", ..answer });
        assert!(!closed.contains("Content-Length") && closed.ends_with("Allow: GET\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn heads_of_answers_in_parts_say_how_their_bodies_end() {
        let fields = [("ETag".into(), (*b"\"a\"").into())];
        let text = |length, keep_alive| {
            let mut out = Vec::new();
            AnswerHead { status: 200, length, keep_alive, fields: &fields, more: "X: y\r\n" }.write(&mut out);
            String::from_utf8(out).expect("text")
        };
        assert_eq!(
            text(AnswerLength::Known(7), true),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nETag: \"a\"\r\nX: y\r\nConnection: keep-alive\r\n\r\n"
        );
        assert!(text(AnswerLength::Chunked, true).contains("\r\nTransfer-Encoding: chunked\r\n"));
        for length in [AnswerLength::None, AnswerLength::UntilClose] {
            let head = text(length, false);
            assert!(
                !head.contains("Length") && !head.contains("Encoding") && head.ends_with("Connection: close\r\n\r\n")
            );
        }
        let mut out = Vec::new();
        chunk(&mut out, &[b'x'; 17]);
        chunk(&mut out, b"");
        last_chunk(&mut out);
        assert_eq!(out, b"11\r\nxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
    }

    #[test]
    fn fields_that_could_split_an_answer_or_frame_it_are_none() {
        assert!(is_answer_field("ETag", b"\"a\"") && is_answer_field("Set-Cookie", b"a=b; Path=/"));
        for (name, value) in [
            ("", &b"x"[..]),
            ("a b", b"x"),
            ("a:", b"x"),
            ("a\r\nb", b"x"),
            ("a", b"x\r\nSet-Cookie: y"),
            ("a", b"x\ny"),
            ("a", b"x\0"),
            ("Content-Length", b"3"),
            ("transfer-Encoding", b"chunked"),
            ("Connection", b"close"),
            ("Access-Control-Allow-Origin", b"*"),
        ] {
            assert!(!is_answer_field(name, value), "{name}");
        }
    }
}

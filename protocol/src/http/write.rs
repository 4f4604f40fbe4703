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

/// The words for a status.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
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
}

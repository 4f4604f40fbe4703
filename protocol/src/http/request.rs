//! Cutting requests from a stream of bytes.

use std::borrow::Cow;

use crate::limits::{HTTP_BODY_BYTES, HTTP_HEAD_BYTES};

use super::{BodyLength, ChunksSeen, Head, HttpFault, body, head};

/// A whole request. Borrows from the received bytes; a chunked body is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The head.
    pub head: Head<'a>,
    /// The decoded body; often empty.
    pub body: Cow<'a, [u8]>,
    /// Bytes that it took; what follows is the next request.
    pub used: usize,
}

/// What [`next_request`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// The head is not complete.
    PartialHead,
    /// The head is, the body is not.
    PartialBody {
        /// The head, so that the server can judge whether it wants the body.
        head: Head<'a>,
        /// Bytes behind the head so far.
        received: usize,
    },
    /// A whole request.
    Whole(Request<'a>),
}

/// The first head in `bytes`, which begin at a request's first byte, and how many bytes of empty lines stand before it:
/// they are passed over, as robust servers do. `None`: its end has not come. The body may come later, see
/// [`super::BodyDecoder`].
///
/// # Errors
/// See [`HttpFault`]: answer its status and close.
pub fn next_head(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, HttpFault> {
    let skipped = bytes.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2;
    if skipped > HTTP_HEAD_BYTES {
        return Err(HttpFault::Syntax { what: "empty lines instead of a request" });
    }
    Ok(head::parse(&bytes[skipped..])?.map(|head| (head, skipped)))
}

/// The request whose head [`next_head`] found in the same bytes, with its whole body.
///
/// # Errors
/// See [`HttpFault`]: answer its status and close.
pub fn with_body<'a>(bytes: &'a [u8], head: Head<'a>, skipped: usize) -> Result<Next<'a>, HttpFault> {
    let rest = &bytes[skipped + head.len_bytes..];
    let (body, body_bytes) = match head.body {
        BodyLength::Known(len) if len > HTTP_BODY_BYTES => return Err(HttpFault::BodyTooLarge),
        BodyLength::Known(len) => match rest.get(..len) {
            Some(body) => (Cow::Borrowed(body), len),
            None => return Ok(Next::PartialBody { head, received: rest.len() }),
        },
        BodyLength::Chunked => match body::chunked(rest)? {
            Some((body, used)) => (Cow::Owned(body), used),
            None => return Ok(Next::PartialBody { head, received: rest.len() }),
        },
    };
    Ok(Next::Whole(Request { head, body, used: skipped + head.len_bytes + body_bytes }))
}

/// How many bytes there must be before the first request of `bytes`, which has a chunked body, can be whole. `None`: it may
/// be, or it has none. `seen`: how far the same buffer was gone through when it had fewer bytes.
#[must_use]
pub fn least_bytes(bytes: &[u8], seen: &mut ChunksSeen) -> Option<usize> {
    if !seen.is_behind_head() {
        let (head, skipped) = next_head(bytes).ok()??;
        *seen = ChunksSeen::behind_head((head.body == BodyLength::Chunked).then_some(skipped + head.len_bytes)?);
    }
    seen.least(bytes)
}

/// The first request in `bytes`, which begin at a request's first byte.
///
/// # Errors
/// See [`HttpFault`]: answer its status and close.
pub fn next_request(bytes: &[u8]) -> Result<Next<'_>, HttpFault> {
    match next_head(bytes)? {
        Some((head, skipped)) => with_body(bytes, head, skipped),
        None => Ok(Next::PartialHead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, HttpFault> {
        let mut rest = bytes;
        let mut found = Vec::new();
        while let Next::Whole(request) = next_request(rest)? {
            found.push((request.head.target.to_owned(), request.body.to_vec()));
            rest = &rest[request.used..];
        }
        Ok(found)
    }

    const PIPELINE: &[u8] = b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n\
        PUT /two HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /\r\n\
        POST /three HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n\
        GET /four HTTP/1.1\r\nHost: x\r\n\r\n";

    #[test]
    fn pipelined_requests_are_cut_where_they_end() {
        let got = all(PIPELINE).expect("well formed");
        let want = [("/one", &b""[..]), ("/two", b"GET /"), ("/three", b"GET "), ("/four", b"")];
        assert_eq!(got.len(), want.len());
        for ((path, body), (want_path, want_body)) in got.iter().zip(want) {
            assert_eq!((path.as_str(), body.as_slice()), (want_path, want_body));
        }
    }

    proptest! {
        /// Whatever arrives first, the same requests come out.
        #[test]
        fn cuts_do_not_matter(cuts in proptest::collection::vec(0..PIPELINE.len(), 0..12)) {
            let mut ends: Vec<_> = cuts;
            ends.push(PIPELINE.len());
            ends.sort_unstable();
            let (mut taken, mut found) = (0, 0);
            for end in ends {
                while let Next::Whole(request) = next_request(&PIPELINE[taken..end]).expect("well formed") {
                    taken += request.used;
                    found += 1;
                }
            }
            prop_assert_eq!(found, 4);
        }

        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Next::Whole(request)) = next_request(&bytes) {
                prop_assert!(request.used <= bytes.len() && request.used > 0);
            }
        }
    }
}

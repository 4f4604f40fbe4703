//! HTTP requests: whatever arrives first, the same requests come out, and what is answered is an answer.

use linchpin_protocol::http::{Next, Reply, next_request, route};

use crate::cuts;

/// Everything that a server makes of a stream: target, body and status of each request, and whether a fault ends it.
/// Which of several faults is seen first may depend on the cuts.
type Read = (Vec<(String, Vec<u8>, u16)>, bool);

fn read(stream: &[u8], ends: impl Iterator<Item = usize>) -> Read {
    let (mut taken, mut found) = (0, Vec::new());
    for end in ends {
        loop {
            match next_request(&stream[taken..end]) {
                Ok(Next::Whole(request)) => {
                    assert!(request.used > 0 && request.used <= end - taken, "a request takes what is there");
                    let status = match route(&request) {
                        Ok(_) => 200,
                        Err(reply) => refused(&reply),
                    };
                    found.push((request.head.target.to_owned(), request.body.to_vec(), status));
                    taken += request.used;
                }
                Ok(Next::PartialHead | Next::PartialBody { .. }) => break,
                Err(fault) => {
                    assert!((400..=505).contains(&fault.status()));
                    return (found, true);
                }
            }
        }
    }
    (found, false)
}

fn refused(reply: &Reply) -> u16 {
    assert!((400..500).contains(&reply.status), "a refusal is the client's: {reply:?}");
    assert!(!reply.body.is_empty(), "a refusal says why");
    reply.status
}

/// See the module's page.
pub fn http(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let ends = cuts.pieces(stream).into_iter().scan(0, |end, piece| {
        *end += piece.len();
        Some(*end)
    });
    assert_eq!(read(stream, ends), read(stream, std::iter::once(stream.len())), "cuts change nothing");
}

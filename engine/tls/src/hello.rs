//! Is it a ClientHello?

use crate::Alert;
use crate::limits::RECORD_HEADER_BYTES;
use crate::record::{ContentType, header};

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// A TLS client begins.
    ClientHello {
        /// Its legacy version's minor number: 3 from TLS 1.2 on, less for older clients.
        legacy_minor: u8,
    },
    /// Something else.
    NotTls,
    /// Nothing speaks against it yet; ask again with more bytes.
    NeedMore,
}

const CLIENT_HELLO: u8 = 1;

/// Classify the first bytes of a connection, given all bytes so far. Decides within
/// [`crate::limits::HELLO_HEAD_BYTES`] bytes, or [`crate::limits::RECORD_HEADER_BYTES`] more for every fragment that the client makes of them.
#[must_use]
pub fn classify(bytes: &[u8]) -> First {
    // The handshake message may be cut into several records, down to a byte each.
    let mut message = [0u8; 6];
    let mut have = 0;
    let mut rest = bytes;
    while have < message.len() {
        let record = match header(rest) {
            Ok(Some(record)) if record.content == ContentType::Handshake => record,
            Ok(None) if rest.first().is_none_or(|first| *first == 22) => return First::NeedMore,
            _ => return First::NotTls,
        };
        let fragment = &rest[RECORD_HEADER_BYTES..];
        let fragment = &fragment[..fragment.len().min(record.len_bytes)];
        let taken = fragment.len().min(message.len() - have);
        message[have..have + taken].copy_from_slice(&fragment[..taken]);
        have += taken;
        if have > 0 && message[0] != CLIENT_HELLO || have > 4 && message[4] != 3 {
            return First::NotTls;
        }
        if fragment.len() < record.len_bytes {
            break;
        }
        rest = &rest[RECORD_HEADER_BYTES + record.len_bytes..];
    }
    if have < message.len() {
        return First::NeedMore;
    }
    First::ClientHello { legacy_minor: message[5] }
}

/// What a client is told whose first bytes are [`First::NotTls`], if they are of TLS or SSL at all.
#[must_use]
pub fn refusal(bytes: &[u8]) -> Option<Alert> {
    match *bytes {
        // A record of SSL 2, which some clients of old begin with: its length, and a ClientHello.
        [0x80..=0xff, _, CLIENT_HELLO, ..] => Some(Alert::ProtocolVersion),
        // A handshake record: of another version, or a ClientHello of one, or another message.
        [22, 3, _, _, _, CLIENT_HELLO, ..] => Some(Alert::ProtocolVersion),
        [22, 3, ..] => Some(Alert::UnexpectedMessage),
        [22, ..] => Some(Alert::ProtocolVersion),
        // A record that a connection cannot begin with.
        [20 | 21 | 23, 3, _, _, _, ..] => Some(Alert::UnexpectedMessage),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A TLS 1.2 ClientHello's head with a body of `len` zero bytes after the version.
    fn hello(len: u8) -> Vec<u8> {
        let mut message = vec![1, 0, 0, len + 2, 3, 3];
        message.extend(std::iter::repeat_n(0, usize::from(len)));
        message
    }

    fn records(message: &[u8], cuts: &[usize]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        let mut ends: Vec<_> = cuts.iter().map(|c| c % message.len()).filter(|c| *c > 0).collect();
        ends.push(message.len());
        ends.sort_unstable();
        ends.dedup();
        for end in ends {
            out.extend_from_slice(&[22, 3, 1, 0, (end - at) as u8]);
            out.extend_from_slice(&message[at..end]);
            at = end;
        }
        out
    }

    proptest! {
        #[test]
        fn recognises_a_hello_in_any_fragments_and_never_changes_its_mind(
            len in 0u8..60, cuts in proptest::collection::vec(0usize..60, 0..8)
        ) {
            let bytes = records(&hello(len), &cuts);
            prop_assert_eq!(classify(&bytes), First::ClientHello { legacy_minor: 3 });
            for n in 0..bytes.len() {
                prop_assert_ne!(classify(&bytes[..n]), First::NotTls, "cut at {}", n);
            }
        }

        #[test]
        fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let whole = classify(&bytes);
            // More bytes never turn a refusal into a hello.
            for n in 0..bytes.len() {
                if classify(&bytes[..n]) == First::NotTls {
                    prop_assert_eq!(whole, First::NotTls);
                }
            }
        }
    }

    #[test]
    fn refuses_what_only_looks_like_tls() {
        assert_eq!(classify(b""), First::NeedMore);
        assert_eq!(classify(b"GET / HTTP/1.1"), First::NotTls);
        assert_eq!(classify(&[22, 2, 0]), First::NotTls, "not major version 3");
        assert_eq!(classify(&[22, 3, 1, 0xff, 0xff]), First::NotTls, "longer than a record may be");
        assert_eq!(classify(&[22, 3, 1, 0, 0]), First::NotTls, "an empty handshake record");
        assert_eq!(classify(&[22, 3, 1, 0, 9, 2]), First::NotTls, "a ServerHello");
        assert_eq!(classify(&[23, 3, 3]), First::NotTls, "application data");
        assert_eq!(classify(&[0x80, 0x2e, 1, 3, 1]), First::NotTls, "SSL 2");
    }
}

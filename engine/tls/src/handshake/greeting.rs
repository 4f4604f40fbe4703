//! The ClientHello, read before rustls sees it: what it costs to answer, and how much the client can take.

use super::step::refuse;
use crate::Fault;
use crate::challenge::ACME_PROTOCOL;
use crate::limits::{HANDSHAKE_BYTES, HELLO_BYTES, HELLO_RECORDS, RECORD_HEADER_BYTES};
use crate::record::{ContentType, RecordFault, header};

const CLIENT_HELLO: u8 = 1;
const MESSAGE_HEADER_BYTES: usize = 4;

const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_MAX_FRAGMENT: u16 = 1;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_TICKET: u16 = 35;
const EXTENSION_PRE_SHARED_KEY: u16 = 41;
const EXTENSION_VERSIONS: u16 = 43;

/// What matters of a ClientHello before the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Fragment length that it asks for, bytes (RFC 6066, 4): 512, 1,024, 2,048 or 4,096.
    pub max_fragment_bytes: Option<usize>,
    /// It offers TLS 1.3.
    pub tls13: bool,
    /// It wants to continue an earlier session. Not proven yet: good for an order, not for a right.
    pub resumes: bool,
    /// It understands tickets, so its session id needs no memory here.
    pub takes_tickets: bool,
    /// The name under which it knows the server.
    pub server_name: Option<String>,
    /// It offers `acme-tls/1` and no other application protocol: an authority that checks whether a name is ours.
    pub validates: bool,
}

/// Bytes of a client until its ClientHello is complete.
#[derive(Default)]
pub struct Greeting {
    pub(super) bytes: Vec<u8>,
    pub(super) hello: Option<Hello>,
}

impl std::fmt::Debug for Greeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Greeting({} bytes, {:?})", self.bytes.len(), self.hello)
    }
}

impl Greeting {
    /// Nothing came yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Take more bytes; gives the hello once it is complete. Bytes after it are kept for the handshake.
    ///
    /// # Errors
    /// It is no ClientHello, too long, or of a version before TLS 1.2; the alert is in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<&Hello>, Fault> {
        if self.bytes.len() + bytes.len() > HANDSHAKE_BYTES {
            // It sends on while it waits for its turn.
            return Err(refuse(Fault::HandshakeTooLong, out));
        }
        self.bytes.extend_from_slice(bytes);
        if self.hello.is_none() {
            self.hello = find(&self.bytes).map_err(|fault| refuse(fault, out))?;
        }
        Ok(self.hello.as_ref())
    }

    /// Is the ClientHello whole?
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.hello.is_some()
    }

    /// Bytes on the heap, for the caller's ledger.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Look for a whole ClientHello.
fn find(bytes: &[u8]) -> Result<Option<Hello>, Fault> {
    let mut message: Vec<u8> = Vec::new();
    let mut rest = bytes;
    for _ in 0..HELLO_RECORDS {
        let record = match header(rest) {
            Ok(Some(record)) if record.content == ContentType::Handshake => record,
            Ok(Some(record)) => return Err(Fault::RecordType(record.content.number())),
            Ok(None) => return incomplete(bytes),
            Err(RecordFault::ContentType(number)) => return Err(Fault::RecordType(number)),
            Err(RecordFault::Version(major)) => return Err(Fault::RecordVersion(major)),
            Err(RecordFault::Length(len)) => return Err(Fault::RecordOverflow(len)),
        };
        let fragment = &rest[RECORD_HEADER_BYTES..];
        let here = fragment.len().min(record.len_bytes);
        let is_first = message.is_empty();
        if is_first && fragment.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Err(Fault::UnexpectedMessage(fragment[0]));
        }
        // Most hellos are one record, and are read where they lie.
        if is_first && let Some(body) = body(&fragment[..here])? {
            return read(body).map(Some);
        }
        if here < record.len_bytes {
            return incomplete(bytes);
        }
        message.extend_from_slice(&fragment[..here]);
        if let Some(body) = body(&message)? {
            return read(body).map(Some);
        }
        rest = &fragment[here..];
    }
    Err(Fault::HelloTooLong)
}

fn incomplete(bytes: &[u8]) -> Result<Option<Hello>, Fault> {
    if bytes.len() > HELLO_BYTES { Err(Fault::HelloTooLong) } else { Ok(None) }
}

/// The body of the message, if it is whole.
fn body(message: &[u8]) -> Result<Option<&[u8]>, Fault> {
    let Some(&[_, a, b, c]) = message.first_chunk::<MESSAGE_HEADER_BYTES>() else { return Ok(None) };
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    if len > HELLO_BYTES {
        return Err(Fault::HelloTooLong);
    }
    Ok(message.get(MESSAGE_HEADER_BYTES..MESSAGE_HEADER_BYTES + len))
}

const MALFORMED: Fault = Fault::Malformed("the ClientHello");

/// Cuts fields from the front.
struct Fields<'f>(&'f [u8]);

impl<'f> Fields<'f> {
    fn take(&mut self, len: usize) -> Result<&'f [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, Fault> {
        self.take(1).map(|byte| usize::from(byte[0]))
    }

    fn short(&mut self) -> Result<usize, Fault> {
        self.take(2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]))
    }
}

fn read(body: &[u8]) -> Result<Hello, Fault> {
    let mut fields = Fields(body);
    let legacy = fields.short()?;
    fields.take(32)?;
    let session_len = fields.byte()?;
    fields.take(session_len)?;
    let suites_len = fields.short()?;
    fields.take(suites_len)?;
    let compressions_len = fields.byte()?;
    fields.take(compressions_len)?;
    let mut hello = Hello::default();
    let mut is_new_enough = legacy >= 0x0303;
    let extensions_len = if fields.0.is_empty() { 0 } else { fields.short()? };
    let mut extensions = Fields(fields.take(extensions_len)?);
    while !extensions.0.is_empty() {
        let kind = extensions.short()? as u16;
        let len = extensions.short()?;
        let content = extensions.take(len)?;
        match kind {
            EXTENSION_SERVER_NAME => hello.server_name = server_name(content),
            EXTENSION_MAX_FRAGMENT => {
                let &[code @ 1..=4] = content else { return Err(MALFORMED) };
                hello.max_fragment_bytes = Some(256 << code);
            }
            EXTENSION_TICKET => {
                hello.takes_tickets = true;
                hello.resumes |= !content.is_empty();
            }
            EXTENSION_ALPN => hello.validates = offers_only(content, ACME_PROTOCOL),
            EXTENSION_PRE_SHARED_KEY => hello.resumes = true,
            EXTENSION_VERSIONS => {
                let offers =
                    |version: [u8; 2]| content.get(1..).is_some_and(|list| list.chunks(2).any(|v| v == version));
                hello.tls13 = offers([3, 4]);
                is_new_enough = hello.tls13 || offers([3, 3]);
            }
            _ => {}
        }
    }
    if !is_new_enough {
        return Err(Fault::OldVersion(legacy as u8));
    }
    // In TLS 1.3 a session id is only there to please middleboxes (RFC 8446, D.4).
    hello.resumes |= !hello.tls13 && session_len > 0;
    Ok(hello)
}

/// Is this the one protocol in the extension (RFC 7301, 3.1)? rustls judges lists that are malformed.
fn offers_only(content: &[u8], protocol: &[u8]) -> bool {
    let mut fields = Fields(content);
    let (Ok(list_len), Ok(len)) = (fields.short(), fields.byte()) else { return false };
    list_len == content.len() - 2 && len == list_len - 1 && fields.0 == protocol
}

/// The DNS name in the extension (RFC 6066, 3). rustls judges what is none.
fn server_name(content: &[u8]) -> Option<String> {
    let mut fields = Fields(content);
    let (_, kind, len) = (fields.short().ok()?, fields.byte().ok()?, fields.short().ok()?);
    let name = fields.take(len).ok().filter(|_| kind == 0)?;
    let is_name = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    (name.len() <= 253 && name.iter().all(is_name)).then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(session: &[u8], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(session.len() as u8);
        body.extend(session);
        body.extend([0, 2, 0x13, 0x01, 1, 0]);
        let mut list = Vec::new();
        for (kind, content) in extensions {
            list.extend(kind.to_be_bytes());
            list.extend((content.len() as u16).to_be_bytes());
            list.extend(*content);
        }
        body.extend((list.len() as u16).to_be_bytes());
        body.extend(list);
        let mut message = vec![1, 0];
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(body);
        message
    }

    fn records(message: &[u8], of: usize) -> Vec<u8> {
        let cut = |piece: &[u8]| [&[22, 3, 1, 0, piece.len() as u8], piece].concat();
        message.chunks(of).flat_map(cut).collect()
    }

    fn push(bytes: &[u8]) -> Result<Option<Hello>, Fault> {
        Greeting::new().push(bytes, &mut Vec::new()).map(|hello| hello.cloned())
    }

    #[test]
    fn reads_what_matters() {
        let plain = hello(&[], &[]);
        assert_eq!(push(&records(&plain, 200)), Ok(Some(Hello::default())));
        let small = hello(&[], &[(1, &[2]), (35, &[])]);
        let expected = Hello { max_fragment_bytes: Some(1_024), takes_tickets: true, ..Hello::default() };
        assert_eq!(push(&records(&small, 200)), Ok(Some(expected)));
        let by_id = hello(&[1; 32], &[]);
        assert_eq!(push(&records(&by_id, 200)), Ok(Some(Hello { resumes: true, ..Hello::default() })));
        let new = hello(&[1; 32], &[(43, &[4, 3, 4, 3, 3])]);
        assert_eq!(push(&records(&new, 200)), Ok(Some(Hello { tls13: true, ..Hello::default() })));
        let psk = hello(&[], &[(43, &[2, 3, 4]), (41, &[0, 0])]);
        assert_eq!(push(&records(&psk, 200)), Ok(Some(Hello { tls13: true, resumes: true, ..Hello::default() })));
    }

    #[test]
    fn only_a_list_of_one_protocol_validates() {
        let of =
            |content: &[u8]| push(&records(&hello(&[], &[(16, content)]), 200)).map(|hello| hello.map(|h| h.validates));
        assert_eq!(of(b"\0\x0b\x0aacme-tls/1"), Ok(Some(true)));
        for other in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"\0\x01\0",
            b"\0\x0a\x0aacme-tls/1",
            b"\0\x0b\x09acme-tls/1",
            b"\0\x0b\x0aacme-tls/2",
            b"\0\x09\x08http/1.1",
            b"\0\x14\x0aacme-tls/1\x08http/1.1",
            b"\0\x14\x08http/1.1\x0aacme-tls/1",
        ] {
            assert_eq!(of(other), Ok(Some(false)), "{other:?}");
        }
    }

    #[test]
    fn refuses_old_broken_and_endless_ones() {
        let mut old = hello(&[], &[]);
        old[5] = 2;
        let mut out = Vec::new();
        assert_eq!(Greeting::new().push(&records(&old, 200), &mut out), Err(Fault::OldVersion(2)));
        assert_eq!(out, [21, 3, 3, 0, 2, 2, 70]);
        assert_eq!(push(&records(&hello(&[], &[(43, &[2, 3, 2])]), 200)), Err(Fault::OldVersion(3)));
        assert_eq!(push(&records(&hello(&[], &[(1, &[5])]), 200)), Err(MALFORMED));
        assert_eq!(push(&[22, 3, 1, 0, 1, 2]), Err(Fault::UnexpectedMessage(2)));
        assert_eq!(push(&[23, 3, 1, 0, 1]), Err(Fault::RecordType(23)));
        assert_eq!(push(&[22, 3, 1, 0, 4, 1, 0, 0x40, 0]), Err(Fault::HelloTooLong), "says 16 KiB");
        assert_eq!(push(&records(&hello(&[], &[]), 1)[..]), Ok(Some(Hello::default())));
        let mut waiting = Greeting::new();
        assert!(waiting.push(&records(&hello(&[], &[]), 200), &mut Vec::new()).is_ok_and(|hello| hello.is_some()));
        assert_eq!(waiting.push(&[0; HANDSHAKE_BYTES], &mut Vec::new()), Err(Fault::HandshakeTooLong));
        let slow = hello(&[9; 32], &[]);
        assert_eq!(push(&records(&slow, 1)), Err(Fault::HelloTooLong), "one record a byte");
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same(of in 2usize..120, step in 1usize..90, code in 1u8..5) {
            let bytes = records(&hello(&[5; 16], &[(1, &[code]), (0, b"\0\x11\0\0\x0eNode-1.example")]), of);
            let mut greeting = Greeting::new();
            for piece in bytes.chunks(step) {
                greeting.push(piece, &mut Vec::new()).expect("a good hello");
            }
            let found = greeting.hello.expect("complete");
            prop_assert_eq!(found.max_fragment_bytes, Some(256 << code));
            prop_assert_eq!(found.server_name.as_deref(), Some("node-1.example"));
            prop_assert_eq!(greeting.bytes, bytes);
        }

        #[test]
        fn takes_any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), shape in any::<bool>()) {
            if shape && bytes.len() > 9 {
                let len = (bytes.len() - 9) as u8;
                bytes[..9].copy_from_slice(&[22, 3, 1, 0, len.wrapping_add(4), 1, 0, 0, len]);
            }
            let _ = push(&bytes);
        }
    }
}

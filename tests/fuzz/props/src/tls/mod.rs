//! TLS records: our record layer beside rustls', with the same keys and the same bytes.
//!
//! The first byte chooses version and suite, the second the cuts; the rest is what the client does, an operation a few
//! bytes. Whatever the client says, both read the same and end the same. Ours may be stricter in one thing: it looks at
//! every byte of a record's header, which rustls does not.
//!
//! Every execution has a connection of rustls in it, after a handshake of rustls; see [`replay`] for what makes that
//! cheap. Without trace-compare and sanitizers 5,000 executions a second were made on a shared core: an empty one takes
//! 35 us (TLS 1.2) to 100 us (TLS 1.3 with SHA-384), nearly all of it rustls' handshake.

mod hello;
mod replay;

pub use hello::tls_hello;

use linchpin_tls::{AssemblyBudget, Desk, InPlace, Input, KeyCache, Opened, RecordLayer, Session, Suite, Version};
use replay::{Recording, recordings};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::SupportedCipherSuite;
use rustls::crypto::CryptoProvider;

/// Bytes on the wire: more only takes time. A record of ours is 1 KiB, so this is many.
const WIRE_BYTES: usize = 8_000;
/// Cuts of a wire: each costs a call of both record layers. What comes after the last one comes at once.
const CUTS: usize = 128;
/// Records of a server: each is sealed twice and opened once.
const SAID_RECORDS: usize = 100;

/// The six ways in which a server with an ECDSA certificate protects records.
fn suites(crypto: &CryptoProvider) -> impl Iterator<Item = SupportedCipherSuite> {
    let is_rsa = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).contains("_RSA_");
    crypto.cipher_suites.iter().copied().filter(move |suite| !is_rsa(suite))
}

/// Whole up to a place that the high half of `cut` says, in small pieces from there, and whole again.
fn pieces(wire: &[u8], cut: u8) -> impl Iterator<Item = &[u8]> {
    let (start, small) = wire.split_at(wire.len() * usize::from(cut >> 4) / 16);
    let len = usize::from(cut & 15).pow(2).max(1);
    let (small, end) = small.split_at(small.len().min(len * CUTS));
    let all = std::iter::once(start).chain(small.chunks(len)).chain(std::iter::once(end));
    all.filter(|piece| !piece.is_empty())
}

/// A client that can say anything, and two servers that cannot tell each other apart.
struct Trio {
    recording: &'static Recording,
    client: InPlace,
    /// The number of the client's next record, if it forged the one before: `client` does not know of that.
    forged: Option<u64>,
    /// The client's key for records of its own making; gone with the first key update.
    key: Option<LessSafeKey>,
    ours: Server,
    theirs: Server,
}

/// A server, and what it has heard.
struct Server {
    session: Session,
    desk: Desk,
    plain: Vec<u8>,
    said: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    PeerClosed,
    Failed,
}

impl Server {
    fn new(session: Session) -> Self {
        Self { session, desk: desk(), plain: Vec::new(), said: Vec::new(), end: End::Open }
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        loop {
            match self.session.open(&mut self.desk, &mut input, &mut self.said) {
                Ok(Opened::Plain(plain)) => {
                    assert!(self.end == End::Open && !plain.is_empty(), "nothing comes after an end");
                    self.plain.extend_from_slice(plain);
                }
                Ok(Opened::Drained) => return assert_eq!(self.end, End::Open),
                Ok(Opened::PeerClosed) => {
                    assert_ne!(self.end, End::Failed);
                    self.end = End::PeerClosed;
                    return;
                }
                Err(_) => {
                    self.end = End::Failed;
                    return;
                }
            }
        }
    }
}

/// A shard's desk with room for one connection: what a cache of many does is not the matter here.
fn desk() -> Desk {
    Desk { keys: KeyCache::new(1), assembly: AssemblyBudget::new(1 << 20) }
}

impl Trio {
    fn new(which: u8) -> Self {
        let recordings = recordings();
        let recording = &recordings[usize::from(which) % recordings.len()];
        let algorithm = match recording.suite {
            Suite::Aes128Gcm => &ring::aead::AES_128_GCM,
            Suite::Aes256Gcm => &ring::aead::AES_256_GCM,
            Suite::ChaCha20Poly1305 => &ring::aead::CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, &recording.up.key).expect("a key");
        Self {
            recording,
            client: recording.client(recording.up.seq),
            forged: None,
            key: Some(LessSafeKey::new(key)),
            ours: Server::new(recording.ours()),
            theirs: Server::new(recording.theirs()),
        }
    }

    fn is_new(&self) -> bool {
        self.recording.version == Version::Tls13
    }

    /// The client, which knows of all records before.
    fn client(&mut self) -> &mut InPlace {
        if let Some(seq) = self.forged.take() {
            self.client = self.recording.client(seq);
        }
        &mut self.client
    }

    /// A record with any content, as the client's next one.
    fn forge(&mut self, kind: u8, content: &[u8], padding: usize, ahead: u64) -> Vec<u8> {
        let Some(key) = &self.key else { return Vec::new() };
        let next = self.forged.unwrap_or_else(|| self.client.records().0);
        self.forged = Some(next + 1);
        let seq = next + ahead;
        let (version, suite) = (self.recording.version, self.recording.suite);
        let mut nonce = self.recording.up.iv;
        nonce[4..].iter_mut().zip(seq.to_be_bytes()).for_each(|(byte, number)| *byte ^= number);
        let explicit = if version == Version::Tls12 && suite != Suite::ChaCha20Poly1305 { 8 } else { 0 };
        let mut body = content.to_vec();
        let outer = if version == Version::Tls13 {
            body.push(kind);
            body.resize(body.len() + padding, 0);
            23
        } else {
            kind
        };
        let [high, low] = ((explicit + body.len() + 16) as u16).to_be_bytes();
        let header = [outer, 3, 3, high, low];
        let aad = match version {
            Version::Tls13 => header.to_vec(),
            Version::Tls12 => {
                let len = (body.len() as u16).to_be_bytes();
                [&seq.to_be_bytes()[..], &header[..3], &len].concat()
            }
        };
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::from(aad), &mut body).expect("seals");
        [&header[..], &nonce[12 - explicit..], &body].concat()
    }
}

/// What the client does: an operation and its argument, out of two bytes.
fn operation(trio: &mut Trio, desk: &mut Desk, [what, how]: [u8; 2], wire: &mut Vec<u8>, strict: &mut bool) {
    let forged = match what % 16 {
        // An alert; TLS 1.2 warnings and all.
        0 => trio.forge(21, &[how >> 7 | 1 << (how >> 6 & 1), how & 63], 0, 0),
        1 => trio.forge(23, &[], usize::from(how), 0),
        2 => trio.forge(23, &[how; 9], usize::from(how), 0),
        // Types that nobody knows, and one that has no place here.
        3 => trio.forge(if how & 1 == 0 { 20 } else { 24 + (how & 7) }, &[1], 0, 0),
        4 if trio.is_new() => trio.forge(22, &[24, 0, 0, 1, 2 | how], 0, 0),
        // A record out of turn.
        5 => trio.forge(23, &[how], 0, 1 + u64::from(how)),
        6 if trio.is_new() => {
            // The client's own key is only known before it changes.
            trio.client().send_key_update(desk, wire, how & 1 == 1);
            trio.key = None;
            return;
        }
        7 if how < 16 => {
            trio.client().close(desk, wire);
            return;
        }
        8 if how < 64 && !wire.is_empty() => {
            // Damage to what is on the wire already, in its body or anywhere.
            let at = usize::from(how) * wire.len() / 64;
            wire[at] ^= 1 << (how & 7);
            *strict = true;
            return;
        }
        _ => {
            let sealing = trio.client().begin(desk, wire);
            wire.resize(wire.len() + usize::from(how) * if what & 128 == 0 { 1 } else { 40 }, what);
            // A client that closed says nothing more.
            let _ = trio.client().seal(desk, wire, sealing);
            return;
        }
    };
    wire.extend(forged);
}

/// Both servers read what a client says, honest or not.
pub fn tls_open(input: &[u8]) {
    let [which, cut, rest @ ..] = input else { return };
    let mut trio = Trio::new(*which);
    let (mut desk, mut wire, mut damaged) = (desk(), Vec::new(), false);
    for pair in rest.as_chunks::<2>().0.iter().take(200) {
        operation(&mut trio, &mut desk, *pair, &mut wire, &mut damaged);
        if wire.len() > WIRE_BYTES {
            break;
        }
    }
    for piece in pieces(&wire, *cut) {
        trio.ours.hear(piece);
        trio.theirs.hear(piece);
    }
    let (ours, theirs) = (&trio.ours, &trio.theirs);
    if damaged && ours.end == End::Failed {
        // We look at every byte of a header, and at its length before the rest has come.
        assert!(theirs.plain.starts_with(&ours.plain), "ours read what theirs did not");
        return;
    }
    assert_eq!(ours.plain.len(), theirs.plain.len());
    assert!(ours.plain == theirs.plain, "different plaintext");
    assert_eq!(ours.end, theirs.end);
}

/// Both servers say the same: the client reads it, and from the same key the records are the same to the byte.
pub fn tls_seal(input: &[u8]) {
    let [which, cut, fragment, rest @ ..] = input else { return };
    let mut trio = Trio::new(*which);
    let fragment = 1 + usize::from(*fragment) * 17;
    let mut said = Vec::new();
    let mut total = 0;
    let fits = |len: &u8| {
        total += usize::from(*len) * usize::from(*len) / 16;
        total < WIRE_BYTES.min(fragment * SAID_RECORDS)
    };
    let lens: Vec<u8> = rest.iter().take(60).copied().take_while(fits).collect();
    for server in [&mut trio.ours, &mut trio.theirs] {
        server.session.set_fragment_bytes(fragment);
        for (n, len) in lens.iter().enumerate() {
            if *len == 255 {
                server.session.close(&mut server.desk, &mut server.said);
            }
            let plain = vec![n as u8; usize::from(*len) * usize::from(*len) / 16];
            // After the end both refuse.
            let _ = server.session.seal_slice(&mut server.desk, &mut server.said, &plain);
        }
    }
    for (n, len) in lens.iter().take_while(|len| **len != 255).enumerate() {
        said.extend(vec![n as u8; usize::from(*len) * usize::from(*len) / 16]);
    }
    assert!(trio.ours.said == trio.theirs.said, "different records");
    let mut client = Server::new(Session::InPlace(trio.client));
    pieces(&trio.ours.said, *cut).for_each(|piece| client.hear(piece));
    assert_eq!(client.plain, said);
    assert_eq!(client.end, if lens.contains(&255) { End::PeerClosed } else { End::Open });
}

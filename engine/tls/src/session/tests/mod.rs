//! Two sessions of ours with the same keys; one may lie.

mod away;
mod limits;
mod messages;
mod records;

use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey};

use super::keys::{TX, nonce};
use super::*;

const KINDS: [(Version, Suite); 6] = [
    (Version::Tls12, Suite::Aes128Gcm),
    (Version::Tls12, Suite::Aes256Gcm),
    (Version::Tls12, Suite::ChaCha20Poly1305),
    (Version::Tls13, Suite::Aes128Gcm),
    (Version::Tls13, Suite::Aes256Gcm),
    (Version::Tls13, Suite::ChaCha20Poly1305),
];

fn direction(version: Version, suite: Suite, filler: u8, seq: u64) -> Direction {
    match version {
        Version::Tls12 => Direction::from_key(suite, &vec![filler; suite.key_bytes()], [filler ^ 0x5a; IV_BYTES], seq),
        Version::Tls13 => Direction::from_secret(suite, &vec![filler; suite.secret_bytes()], seq),
    }
    .expect("the lengths of the suite")
}

/// A client and a server after their handshake, at record `seq`.
fn pair_at(version: Version, suite: Suite, seq: u64) -> (InPlace, InPlace) {
    let (up, down) = (direction(version, suite, 1, seq), direction(version, suite, 2, seq));
    let client = InPlace::new(Side::Client, version, suite, None, &up, &down);
    (client, InPlace::new(Side::Server, version, suite, None, &down, &up))
}

fn pair(version: Version, suite: Suite) -> (InPlace, InPlace) {
    pair_at(version, suite, 1)
}

fn desk() -> Desk {
    Desk { keys: KeyCache::new(4), assembly: AssemblyBudget::new(crate::limits::MAX_RECORD_BYTES) }
}

#[derive(Debug, PartialEq)]
enum End {
    Open,
    PeerClosed,
    Failed(Fault),
}

/// Read `bytes` in pieces of `chunk`.
fn read(layer: &mut InPlace, desk: &mut Desk, bytes: &[u8], chunk: usize, out: &mut Vec<u8>) -> (Vec<u8>, End) {
    let mut plain = Vec::new();
    for piece in bytes.to_vec().chunks_mut(chunk) {
        let mut input = Input::new(piece);
        loop {
            match layer.open(desk, &mut input, out) {
                Ok(Opened::Plain(bytes)) => plain.extend_from_slice(bytes),
                Ok(Opened::Drained) => break,
                Ok(Opened::PeerClosed) => return (plain, End::PeerClosed),
                Err(fault) => return (plain, End::Failed(fault)),
            }
        }
    }
    (plain, End::Open)
}

fn say(layer: &mut InPlace, desk: &mut Desk, plain: &[u8], out: &mut Vec<u8>) {
    let sealing = layer.begin(desk, out);
    out.extend_from_slice(plain);
    layer.seal(desk, out, sealing).expect("seals");
}

/// A TLS 1.3 record with any inner bytes, sealed with the layer's next number.
fn raw_13(layer: &mut InPlace, inner: &[u8]) -> Vec<u8> {
    let (link, view) = layer.parts(TX);
    let key = LessSafeKey::new(UnboundKey::new(link.suite.aead(), view.key).expect("a key"));
    let mut body = inner.to_vec();
    let [high, low] = ((inner.len() + 16) as u16).to_be_bytes();
    let header = [23, 3, 3, high, low];
    let nonce = Nonce::assume_unique_for_key(nonce(view.iv, *view.seq));
    key.seal_in_place_append_tag(nonce, Aad::from(header), &mut body).expect("seals");
    *view.seq += 1;
    [&header[..], &body].concat()
}

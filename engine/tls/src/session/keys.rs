//! Raw keys of a connection, as few bytes as its suite takes.

use ring::aead;
use ring::hkdf::{self, KeyType, Prk};
use zeroize::Zeroize;

use crate::limits::{CHACHA_RECORDS, GCM_RECORDS};

/// Our direction.
pub(crate) const TX: usize = 0;
/// The peer's direction.
pub(crate) const RX: usize = 1;

/// Length of every nonce of these suites, bytes.
pub(crate) const IV_BYTES: usize = 12;
/// Longest key, bytes.
const MAX_KEY_BYTES: usize = 32;
/// Longest traffic secret (SHA-384), bytes.
pub(crate) const MAX_SECRET_BYTES: usize = 48;

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128-GCM, with SHA-256.
    Aes128Gcm,
    /// AES-256-GCM, with SHA-384.
    Aes256Gcm,
    /// ChaCha20-Poly1305, with SHA-256.
    ChaCha20Poly1305,
}

impl Suite {
    pub(crate) fn aead(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }

    fn hkdf(self) -> hkdf::Algorithm {
        match self {
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => hkdf::HKDF_SHA256,
            Self::Aes256Gcm => hkdf::HKDF_SHA384,
        }
    }

    pub(crate) const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length of a TLS 1.3 traffic secret, bytes.
    pub(crate) const fn secret_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::ChaCha20Poly1305 => 32,
            Self::Aes256Gcm => 48,
        }
    }

    /// Records under one key.
    pub(crate) const fn records(self) -> u64 {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => GCM_RECORDS,
            Self::ChaCha20Poly1305 => CHACHA_RECORDS,
        }
    }
}

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What protects one direction, on its way into a [`DirectionKeys`].
pub(crate) struct Direction {
    pub(crate) secret: [u8; MAX_SECRET_BYTES],
    pub(crate) key: [u8; MAX_KEY_BYTES],
    pub(crate) iv: [u8; IV_BYTES],
    pub(crate) seq: u64,
}

impl Direction {
    /// From a TLS 1.3 traffic secret.
    pub(crate) fn from_secret(suite: Suite, secret: &[u8], seq: u64) -> Option<Self> {
        let mut this = Self { secret: [0; MAX_SECRET_BYTES], key: [0; MAX_KEY_BYTES], iv: [0; IV_BYTES], seq };
        this.secret.get_mut(..suite.secret_bytes()).filter(|s| s.len() == secret.len())?.copy_from_slice(secret);
        expand(suite, secret, b"key", &mut this.key[..suite.key_bytes()]);
        expand(suite, secret, b"iv", &mut this.iv);
        Some(this)
    }

    /// From the keys of TLS 1.2, which has no traffic secrets.
    pub(crate) fn from_key(suite: Suite, key: &[u8], iv: [u8; IV_BYTES], seq: u64) -> Option<Self> {
        let mut this = Self { secret: [0; MAX_SECRET_BYTES], key: [0; MAX_KEY_BYTES], iv, seq };
        this.key.get_mut(..suite.key_bytes()).filter(|k| k.len() == key.len())?.copy_from_slice(key);
        Some(this)
    }
}

impl Drop for Direction {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.key.zeroize();
        self.iv.zeroize();
    }
}

/// Both directions, with `S` bytes of secret and `K` bytes of key each. Arrays by direction, so that nothing is padded, and in
/// this order, so that the first two are at the same place in all shapes.
#[repr(C)]
pub(crate) struct DirectionKeys<const S: usize, const K: usize> {
    pub(crate) seq: [u64; 2],
    iv: [[u8; IV_BYTES]; 2],
    key: [[u8; K]; 2],
    secret: [[u8; S]; 2],
}

impl<const S: usize, const K: usize> DirectionKeys<S, K> {
    pub(crate) fn new(tx: &Direction, rx: &Direction) -> Self {
        let mut this = Self { seq: [tx.seq, rx.seq], iv: [tx.iv, rx.iv], key: [[0; K]; 2], secret: [[0; S]; 2] };
        for (at, half) in [tx, rx].into_iter().enumerate() {
            this.key[at].copy_from_slice(&half.key[..K]);
            this.secret[at].copy_from_slice(&half.secret[..S]);
        }
        this
    }

    /// Forget what opens and seals; the numbers of the records stay.
    pub(crate) fn wipe(&mut self) {
        self.key.zeroize();
        self.iv.zeroize();
        self.secret.zeroize();
    }

    /// One direction, for another process.
    pub(super) fn half(&self, direction: usize) -> Half<'_> {
        Half {
            seq: self.seq[direction],
            iv: &self.iv[direction],
            key: &self.key[direction],
            secret: &self.secret[direction],
        }
    }

    pub(crate) fn view(&mut self, direction: usize) -> View<'_> {
        View {
            seq: &mut self.seq[direction],
            iv: &mut self.iv[direction],
            key: &mut self.key[direction],
            secret: &mut self.secret[direction],
        }
    }
}

impl<const S: usize, const K: usize> Drop for DirectionKeys<S, K> {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// One direction of any [`DirectionKeys`], to read.
pub(super) struct Half<'k> {
    pub(super) seq: u64,
    pub(super) iv: &'k [u8; IV_BYTES],
    pub(super) key: &'k [u8],
    /// Empty in TLS 1.2.
    pub(super) secret: &'k [u8],
}

/// One direction of any [`DirectionKeys`].
pub(crate) struct View<'k> {
    pub(crate) seq: &'k mut u64,
    pub(crate) iv: &'k mut [u8; IV_BYTES],
    pub(crate) key: &'k mut [u8],
    /// Empty in TLS 1.2.
    pub(crate) secret: &'k mut [u8],
}

impl View<'_> {
    /// Go over to the next traffic secret (RFC 8446, 7.2).
    pub(crate) fn update(&mut self, suite: Suite) {
        let mut next = [0; MAX_SECRET_BYTES];
        let next_secret = &mut next[..self.secret.len()];
        expand(suite, self.secret, b"traffic upd", next_secret);
        self.secret.copy_from_slice(next_secret);
        next.zeroize();
        expand(suite, self.secret, b"key", self.key);
        expand(suite, self.secret, b"iv", self.iv);
        *self.seq = 0;
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
fn expand(suite: Suite, secret: &[u8], label: &[u8], out: &mut [u8]) {
    let length = (out.len() as u16).to_be_bytes();
    let name_len = [6 + label.len() as u8];
    let parts: [&[u8]; 5] = [&length, &name_len, b"tls13 ", label, &[0]];
    // HKDF gives up to 255 hashes, and what is asked for here is at most two.
    Prk::new_less_safe(suite.hkdf(), secret)
        .expand(&parts, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .expect("48 bytes are within the reach of HKDF");
}

/// The nonce of a record: the number of the record over the iv (RFC 8446, 5.3; RFC 7905, 2).
pub(crate) fn nonce(iv: &[u8; IV_BYTES], seq: u64) -> [u8; IV_BYTES] {
    // In words of 8 and 4 bytes, as ring reads it: other writes would make its reads wait.
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *iv;
    let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ seq >> 32;
    let low = u32::from_be_bytes([i, j, k, l]) ^ seq as u32;
    let mut nonce = [0; IV_BYTES];
    nonce[..8].copy_from_slice(&high.to_be_bytes());
    nonce[8..].copy_from_slice(&low.to_be_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        hex.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).expect("ascii"), 16).expect("hex")).collect()
    }

    /// RFC 8448, 3: the server's application traffic secret, and what follows from it.
    #[test]
    fn derives_what_the_traces_of_rfc_8448_say() {
        let secret = bytes("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
        let half = Direction::from_secret(Suite::Aes128Gcm, &secret, 0).expect("32 bytes");
        assert_eq!(half.key[..16], bytes("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(half.iv[..], bytes("cf782b88dd83549aadf1e984"));
    }

    #[test]
    fn takes_secrets_and_keys_of_the_right_length_only() {
        assert!(Direction::from_secret(Suite::Aes128Gcm, &[1; 48], 0).is_none());
        assert!(Direction::from_secret(Suite::Aes256Gcm, &[1; 32], 0).is_none());
        assert!(Direction::from_key(Suite::ChaCha20Poly1305, &[1; 16], [0; IV_BYTES], 0).is_none());
        assert!(Direction::from_key(Suite::Aes128Gcm, &[1; 16], [0; IV_BYTES], 0).is_some());
    }

    #[test]
    fn an_update_changes_all_and_starts_at_zero() {
        let half = Direction::from_secret(Suite::Aes256Gcm, &[7; 48], 9).expect("48 bytes");
        let mut keys = DirectionKeys::<48, 32>::new(&half, &half);
        let before = (keys.iv[TX], keys.key[TX], keys.secret[TX]);
        keys.view(TX).update(Suite::Aes256Gcm);
        assert_eq!(keys.seq, [0, 9]);
        assert!(before.0 != keys.iv[TX] && before.1 != keys.key[TX] && before.2 != keys.secret[TX]);
        assert_eq!((keys.iv[RX], keys.key[RX], keys.secret[RX]), before);
    }

    #[test]
    fn nonces_count_in_the_last_eight_bytes() {
        let iv = [0xff; IV_BYTES];
        assert_eq!(nonce(&iv, 0), iv);
        assert_eq!(nonce(&iv, 0x0102), [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0xfe, 0xfd]);
    }
}

//! Tokens: their keyed digests, and which device each stands for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use linchpin_protocol::model::{DeviceId, Token};
use ring::hmac;

use crate::{Digest, TokenRight};

/// The process's digest key, prepared.
pub(crate) struct DigestKey(hmac::Key);

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

impl DigestKey {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(crate) fn digest(&self, token: &Token) -> Digest {
        let tag = hmac::sign(&self.0, token.expose().as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&tag.as_ref()[..16]);
        Digest(digest)
    }
}

/// Digest of one token, for those who add devices.
#[must_use]
pub fn digest(key: &[u8; 32], token: &Token) -> Digest {
    DigestKey::new(key).digest(token)
}

/// Digests are keyed and uniform: their own bytes are the hash.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The length prefix of the array comes through `write_length_prefix` or not at all; take the first 8 bytes.
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(7) ^ u64::from_le_bytes(word);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

type ByDigest<T> = HashMap<Digest, T, BuildHasherDefault<DigestHasher>>;

/// This shard's part of the token index: 21 bytes an entry at full load.
#[derive(Default)]
pub(crate) struct TokenIndex {
    devices: ByDigest<DeviceId>,
    /// Which of its device's tokens it is, of those that are not the first.
    epochs: ByDigest<u16>,
}

const _: () = assert!(size_of::<(Digest, DeviceId)>() == crate::limits::TOKEN_BYTES);

impl std::fmt::Debug for TokenIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenIndex({})", self.devices.len())
    }
}

impl TokenIndex {
    /// Add or replace an entry.
    pub(crate) fn put(&mut self, digest: Digest, TokenRight { device, epoch }: TokenRight) {
        self.devices.insert(digest, device);
        if epoch > 0 {
            self.epochs.insert(digest, epoch);
        } else {
            self.epochs.remove(&digest);
        }
    }

    /// Forget an entry.
    pub(crate) fn remove(&mut self, digest: &Digest) {
        self.devices.remove(digest);
        self.epochs.remove(digest);
    }

    pub(crate) fn reserve(&mut self, entries: usize) {
        self.devices.reserve(entries);
    }

    /// What a token stands for.
    pub(crate) fn get(&self, digest: &Digest) -> Option<TokenRight> {
        let device = *self.devices.get(digest)?;
        Some(TokenRight { device, epoch: self.epochs.get(digest).copied().unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_depend_on_key_and_token_and_find_their_device() {
        let token = |n: u8| Token::from_random(&[n; 24]);
        let mut index = TokenIndex::default();
        for n in 0..200 {
            let device = DeviceId::new(u32::from(n) + 1).expect("not zero");
            index.put(digest(&[7; 32], &token(n)), TokenRight { device, epoch: u16::from(n % 3) });
        }
        for n in 0..200 {
            let found = index.get(&digest(&[7; 32], &token(n))).map(|right| (right.device.get(), right.epoch));
            assert_eq!(found, Some((u32::from(n) + 1, u16::from(n % 3))));
        }
        assert_eq!(index.get(&digest(&[8; 32], &token(1))), None);
        assert_eq!(index.get(&digest(&[7; 32], &token(201))), None);
    }
}

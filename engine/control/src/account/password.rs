//! Passwords: what comes in, how it is stored, how it is compared.
//!
//! What comes in is not the password: clients of Blynk send `base64(SHA-256(password, SHA-256(lower-case e-mail)))`, and so
//! does the console. On the wire that is as good as the password; what it buys is that the server never sees the words
//! that people use elsewhere too. What is stored is argon2id of HMAC-SHA256(pepper, input): without the keyring nobody
//! can even try candidates.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::{digest, hmac};
use zeroize::Zeroizing;

/// What a client sends in the place of a password.
#[derive(Clone)]
pub struct PasswordInput(Zeroizing<[u8; 32]>);

impl fmt::Debug for PasswordInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordInput")
    }
}

fn sha256(parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(context.finish().as_ref());
    out
}

impl PasswordInput {
    /// Take it as it was sent.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // Exactly 44 characters: nothing longer is decoded.
        if text.len() != 44 {
            return None;
        }
        let bytes = Zeroizing::new(STANDARD.decode(text).ok()?);
        let mut input = Zeroizing::new([0; 32]);
        (bytes.len() == 32).then(|| input.copy_from_slice(&bytes))?;
        Some(Self(input))
    }

    /// Of a password itself: for the operator's command line, and to try weak ones.
    #[must_use]
    pub fn of(password: &[u8], folded_email: &str) -> Self {
        Self::salted(password, &Self::salt(folded_email))
    }

    pub(crate) fn salt(folded_email: &str) -> Zeroizing<[u8; 32]> {
        sha256(&[folded_email.as_bytes()])
    }

    pub(crate) fn salted(password: &[u8], salt: &[u8; 32]) -> Self {
        Self(sha256(&[password, salt]))
    }

    /// Are they the same? All bytes are compared, however early they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0.iter()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }

    fn peppered(&self, pepper: &hmac::Key) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        out.copy_from_slice(hmac::sign(pepper, &*self.0).as_ref());
        out
    }

    /// As a client sends it.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.0))
    }
}

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl HashCost {
    /// What OWASP names as the least: 19 MiB, 2 passes; about 18 ms of a core.
    pub const REAL: Self = Self { memory_kib: 19 << 10, passes: 2 };
    /// For tests: as little as argon2 takes.
    pub const TEST: Self = Self { memory_kib: 8, passes: 1 };

    fn params(self) -> Option<Params> {
        Params::new(self.memory_kib, self.passes, 1, Some(32)).ok()
    }
}

/// A stored password, taken apart.
struct Stored {
    cost: HashCost,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Stored {
    /// `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$argon2id$v=19$")?.split('$');
        let (costs, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let (memory, rest) = costs.strip_prefix("m=")?.split_once(",t=")?;
        let passes = rest.strip_suffix(",p=1")?;
        let cost = HashCost { memory_kib: memory.parse().ok()?, passes: passes.parse().ok()? };
        // A record cannot ask for more than we ever gave: it would be a way to take the memory.
        if parts.next().is_some() || cost.memory_kib > 64 << 10 || cost.passes > 16 {
            return None;
        }
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).ok();
        Some(Self { cost, salt: bytes(salt)?.try_into().ok()?, hash: bytes(hash)?.try_into().ok()? })
    }

    fn to_text(&self) -> Zeroizing<String> {
        let HashCost { memory_kib, passes } = self.cost;
        let (salt, hash) = (STANDARD_NO_PAD.encode(self.salt), STANDARD_NO_PAD.encode(self.hash));
        Zeroizing::new(format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${hash}"))
    }
}

/// Hashes with a buffer that is used again: one of these belongs to one thread.
pub(crate) struct Hasher {
    pepper: hmac::Key,
    cost: HashCost,
    memory: Vec<Block>,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Is it the password?
    pub is_right: bool,
    /// Was it stored at another cost than new ones are: hash it again?
    pub is_dated: bool,
}

impl Hasher {
    pub(crate) fn new(pepper: &[u8; 32], cost: HashCost) -> Self {
        Self { pepper: hmac::Key::new(hmac::HMAC_SHA256, pepper), cost, memory: Vec::new() }
    }

    fn run(&mut self, input: &PasswordInput, cost: HashCost, salt: &[u8; 16]) -> Option<[u8; 32]> {
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?);
        let blocks = argon.params().block_count();
        if self.memory.len() < blocks {
            self.memory.resize(blocks, Block::default());
        }
        let mut hash = [0; 32];
        let peppered = input.peppered(&self.pepper);
        argon.hash_password_into_with_memory(&*peppered, salt, &mut hash, &mut self.memory[..blocks]).ok()?;
        Some(hash)
    }

    /// The text to store.
    pub(crate) fn hash(&mut self, input: &PasswordInput, salt: [u8; 16]) -> Option<Zeroizing<String>> {
        let cost = self.cost;
        let hash = self.run(input, cost, &salt)?;
        Some(Stored { cost, salt, hash }.to_text())
    }

    /// Compare with what is stored; `None` or a text that is no hash costs the same and is never right.
    pub(crate) fn compare(&mut self, input: &PasswordInput, stored: Option<&str>) -> Compared {
        let known = stored.and_then(Stored::parse);
        let cost = known.as_ref().map_or(self.cost, |known| known.cost);
        let salt = known.as_ref().map_or([0x5a; 16], |known| known.salt);
        let hash = self.run(input, cost, &salt);
        let is_same = match (&known, hash) {
            (Some(known), Some(hash)) => known.hash.iter().zip(hash).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0,
            _ => false,
        };
        Compared { is_right: is_same, is_dated: is_same && cost != self.cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of Blynk's documents, computed apart.
    #[test]
    fn the_input_is_what_blynks_clients_send() {
        let input = PasswordInput::of(b"mySuperSecretPassword", "john@example.com");
        assert_eq!(&**input.to_text(), "vfj9huCdn/AWs2Rq5Mc3aq+VvnqF+hzdy6sStmxB0UE=");
        assert!(PasswordInput::parse(&input.to_text()).is_some_and(|parsed| parsed.is(&input)));
        for bad in ["", "vfj9huCdn", "vfj9huCdn/AWs2Rq5Mc3aq+VvnqF+hzdy6sStmxB0UE", &"x".repeat(10_000)] {
            assert!(PasswordInput::parse(bad).is_none());
        }
    }

    #[test]
    fn stored_passwords_compare_under_their_pepper_only() {
        let (mut hasher, mut other) = (Hasher::new(&[1; 32], HashCost::TEST), Hasher::new(&[2; 32], HashCost::TEST));
        let (right, wrong) = (PasswordInput::of(b"a", "e@x"), PasswordInput::of(b"b", "e@x"));
        let stored = hasher.hash(&right, [7; 16]).expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", &*stored);
        let is_right = |hasher: &mut Hasher, input: &PasswordInput| hasher.compare(input, Some(&stored)).is_right;
        assert!(is_right(&mut hasher, &right) && !is_right(&mut hasher, &wrong) && !is_right(&mut other, &right));
        assert!(!hasher.compare(&right, None).is_right);
        assert!(!hasher.compare(&right, Some("")).is_right);
        let mut dearer = Hasher::new(&[1; 32], HashCost { passes: 2, ..HashCost::TEST });
        assert_eq!(dearer.compare(&right, Some(&stored)), Compared { is_right: true, is_dated: true });
        let greedy = stored.replace("m=8", "m=4000000");
        assert!(!hasher.compare(&right, Some(&greedy)).is_right, "a record cannot take the memory");
        assert_ne!(*hasher.hash(&right, [8; 16]).expect("hashes"), *stored);
    }
}

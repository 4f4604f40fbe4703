//! Signed statements of how far an organization's chain reached: kept elsewhere (in the log, by whoever asks for
//! `audit/head`), one shows that the end was cut off or rewritten later.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};

use linchpin_storage::schema::OrgId;

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub org: OrgId,
    /// The last entry.
    pub number: u64,
    /// Its digest.
    pub digest: [u8; 32],
    /// When this was signed, ms since 1970.
    pub at_ms: u64,
    /// Over all of the above.
    pub signature: [u8; 64],
}

/// Signs.
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

fn message(org: OrgId, number: u64, digest: &[u8; 32], at_ms: u64) -> Vec<u8> {
    let mut bytes = b"linchpin audit checkpoint 1".to_vec();
    bytes.extend_from_slice(&org.get().to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(digest);
    bytes.extend_from_slice(&at_ms.to_be_bytes());
    bytes
}

impl Signer {
    /// With its seed; any 32 bytes are one.
    ///
    /// # Panics
    /// Never: a seed of Ed25519 has 32 bytes.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes") }
    }

    /// What others check signatures with.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        key
    }

    /// State it.
    #[must_use]
    pub fn sign(&self, org: OrgId, number: u64, digest: [u8; 32], at_ms: u64) -> Checkpoint {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(&message(org, number, &digest, at_ms)).as_ref());
        Checkpoint { org, number, digest, at_ms, signature }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(out)
}

impl Checkpoint {
    /// Was it signed with the key of this public half?
    #[must_use]
    pub fn is_signed_by(&self, public: &[u8; 32]) -> bool {
        let message = message(self.org, self.number, &self.digest, self.at_ms);
        UnparsedPublicKey::new(&ED25519, public).verify(&message, &self.signature).is_ok()
    }

    /// As it is shown, logged and read again.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "org": self.org.get(),
            "number": self.number,
            "digest": hex(&self.digest),
            "at_ms": self.at_ms,
            "signature": hex(&self.signature),
        })
    }

    /// Out of what [`Checkpoint::to_json`] makes.
    #[must_use]
    pub fn of_json(value: &Value) -> Option<Self> {
        Some(Self {
            org: OrgId::new(u32::try_from(value.get("org")?.as_u64()?).ok()?)?,
            number: value.get("number")?.as_u64()?,
            digest: unhex(value.get("digest")?.as_str()?)?,
            at_ms: value.get("at_ms")?.as_u64()?,
            signature: unhex(value.get("signature")?.as_str()?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_hold_for_what_they_say_only() {
        let signer = Signer::new(&[7; 32]);
        let good = signer.sign(OrgId::FIRST, 41, [9; 32], 5);
        assert!(good.is_signed_by(&signer.public_key()) && !good.is_signed_by(&Signer::new(&[8; 32]).public_key()));
        assert_eq!(Checkpoint::of_json(&good.to_json()), Some(good.clone()));
        let mut digest = good.digest;
        digest[0] ^= 1;
        let org = OrgId::new(2).expect("not zero");
        for bad in [
            Checkpoint { number: 40, ..good.clone() },
            Checkpoint { digest, ..good.clone() },
            Checkpoint { at_ms: 6, ..good.clone() },
            Checkpoint { org, ..good },
        ] {
            assert!(!bad.is_signed_by(&signer.public_key()), "{bad:?}");
        }
    }
}

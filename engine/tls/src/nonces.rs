//! For tests only: which key and nonce each record of this thread was sealed with. Keys are noted as digests.

use std::cell::RefCell;

/// Bytes of a nonce.
const NONCE_BYTES: usize = 12;

/// The digest of a key, and a nonce.
pub type SealedWith = ([u8; 32], [u8; NONCE_BYTES]);

thread_local! {
    static SEEN: RefCell<Option<Vec<SealedWith>>> = const { RefCell::new(None) };
}

/// Note what this thread seals from now on.
pub fn record() {
    SEEN.set(Some(Vec::new()));
}

/// What was noted since [`record`]; nothing more is.
#[must_use]
pub fn take() -> Vec<SealedWith> {
    SEEN.take().unwrap_or_default()
}

pub(crate) fn note(key: &[u8], nonce: &[u8; NONCE_BYTES]) {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        let mut digest = [0; 32];
        digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key).as_ref());
        seen.push((digest, *nonce));
    });
}

//! What a shard looks things up in: tokens, templates, firmwares.

use super::firmware::Blobs;
use super::templates::Templates;
use crate::login::index::{DigestKey, TokenIndex};

/// See the module's page.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Makes digests of tokens.
    pub(crate) key: DigestKey,
    /// This shard's part of the token index.
    pub(crate) tokens: TokenIndex,
    pub(crate) templates: Templates,
    /// What firmwares say of themselves.
    pub(crate) firmware: Blobs,
}

impl Catalog {
    pub(crate) fn new(seed: [u8; 16], digest_key: &[u8; 32]) -> Self {
        Self {
            key: DigestKey::new(digest_key),
            tokens: TokenIndex::default(),
            templates: Templates::default(),
            firmware: Blobs::new(seed),
        }
    }
}

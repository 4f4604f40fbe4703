//! Keys that came after the keyring's seven: derived from one of those by a label, so that the file stays as it is.

use super::body::{Fixed, Secret};
use crate::seal::unseal::derive;

/// What a derived key is for. Labels are for ever: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLabel {
    /// Digests of secrets of API keys and OAuth clients.
    Client,
    /// Digests of secrets of links that are good once.
    Invite,
    /// Digests of codes that claim a device.
    Claim,
    /// Digests of identities at other sign-in servers.
    Identity,
    /// Pepper of passwords.
    Pepper,
    /// Seed of the Ed25519 key that signs checkpoints of the audit log.
    Audit,
    /// MAC of cookies that mark a browser as known.
    Known,
    /// MAC of tokens against requests that another site makes a browser send.
    Csrf,
    /// MAC of access and refresh tokens.
    Token,
    /// MAC of cursors: where the next page of a list begins.
    Cursor,
    /// Digests of addresses that sessions came from, and of recovery codes.
    Address,
}

impl KeyLabel {
    const fn parts(self) -> (Fixed, &'static [u8]) {
        match self {
            Self::Client => (Fixed::Session, b"linchpin client"),
            Self::Invite => (Fixed::Session, b"linchpin invite"),
            Self::Claim => (Fixed::Token, b"linchpin claim"),
            Self::Identity => (Fixed::Email, b"linchpin identity"),
            Self::Pepper => (Fixed::Email, b"linchpin pepper"),
            Self::Audit => (Fixed::Sign, b"linchpin audit"),
            Self::Known => (Fixed::Session, b"linchpin known browser"),
            Self::Csrf => (Fixed::Session, b"linchpin csrf"),
            Self::Token => (Fixed::Session, b"linchpin token"),
            Self::Cursor => (Fixed::IndexMac, b"linchpin cursor"),
            Self::Address => (Fixed::Email, b"linchpin address"),
        }
    }
}

impl super::Keyring {
    /// A key for this purpose. It outlives rotations, as the seven do.
    pub(crate) fn labelled(&self, label: KeyLabel) -> Secret {
        let (fixed, text) = label.parts();
        derive(&self.fixed(fixed), &self.db_id, &[text])
    }
}

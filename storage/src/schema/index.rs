//! The index: from a keyed digest of a token or e-mail address to what it stands for. Whoever holds the disk can
//! neither log in with an entry nor make one: digests need the index key, entries carry a MAC.

use linchpin_protocol::model::Token;
use ring::hmac;

use super::{KeyBytes, OrgId, take};
use crate::schema::bytes::{Fields, Put as _, Shape};
use crate::seal::keyring::body::Fixed;
use crate::seal::keyring::{KeyLabel, Keyring};

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum IndexKind {
    /// Device tokens.
    Token = 1,
    /// E-mail addresses of users.
    Email = 2,
    /// Tokens of sessions.
    Session = 3,
    /// Secrets of API keys and OAuth clients.
    Client = 4,
    /// Secrets of links that are good once.
    Invite = 5,
    /// Codes that claim a device.
    Claim = 6,
    /// Identities at other sign-in servers.
    Identity = 7,
}

/// A keyed digest: 16 bytes for tokens, which are random; 32 for what can be guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Digest {
    /// Of a device token; the same that shards compute.
    Token([u8; 16]),
    /// Of an e-mail address, its ASCII letters in lower case.
    Email([u8; 32]),
    /// Of a session's token.
    Session([u8; 32]),
    /// Of a client's secret.
    Client([u8; 32]),
    /// Of a link's secret.
    Invite([u8; 32]),
    /// Of a code that claims a device.
    Claim([u8; 32]),
    /// Of an identity at another sign-in server.
    Identity([u8; 32]),
}

impl Digest {
    /// Its bytes, if they are 32: of everything but a device's token.
    #[must_use]
    pub const fn long(&self) -> Option<[u8; 32]> {
        match self {
            Self::Token(_) => None,
            Self::Email(digest)
            | Self::Session(digest)
            | Self::Client(digest)
            | Self::Invite(digest)
            | Self::Claim(digest)
            | Self::Identity(digest) => Some(*digest),
        }
    }

    pub(crate) fn key(&self) -> KeyBytes {
        let kind = |kind: IndexKind| KeyBytes::EMPTY.with(&[kind as u8]);
        match self {
            Self::Token(digest) => kind(IndexKind::Token).with(digest),
            Self::Email(digest) => kind(IndexKind::Email).with(digest),
            Self::Session(digest) => kind(IndexKind::Session).with(digest),
            Self::Client(digest) => kind(IndexKind::Client).with(digest),
            Self::Invite(digest) => kind(IndexKind::Invite).with(digest),
            Self::Claim(digest) => kind(IndexKind::Claim).with(digest),
            Self::Identity(digest) => kind(IndexKind::Identity).with(digest),
        }
    }

    pub(crate) fn parse(key: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(key);
        let digest = match fields.u8()? {
            1 => Self::Token(fields.array()?),
            2 => Self::Email(fields.array()?),
            3 => Self::Session(fields.array()?),
            4 => Self::Client(fields.array()?),
            5 => Self::Invite(fields.array()?),
            6 => Self::Claim(fields.array()?),
            7 => Self::Identity(fields.array()?),
            _ => return Err(Shape),
        };
        fields.end()?;
        Ok(digest)
    }
}

/// What a digest stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The organization.
    pub org: OrgId,
    /// The device, user or session there.
    pub number: u32,
}

const VERSION: u8 = 1;
const MAC: usize = 16;
/// Bytes of an entry: version, organization, number, MAC.
const LEN: usize = 1 + 4 + 4 + MAC;

/// The keys of the index, prepared.
pub(crate) struct IndexKeys {
    token: hmac::Key,
    email: hmac::Key,
    session: hmac::Key,
    client: hmac::Key,
    invite: hmac::Key,
    claim: hmac::Key,
    identity: hmac::Key,
    mac: hmac::Key,
    db_id: [u8; 16],
}

impl std::fmt::Debug for IndexKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexKeys")
    }
}

impl IndexKeys {
    pub(crate) fn new(keyring: &Keyring) -> Self {
        let key = |which| hmac::Key::new(hmac::HMAC_SHA256, &*keyring.fixed(which));
        Self {
            token: key(Fixed::Token),
            email: key(Fixed::Email),
            session: key(Fixed::Session),
            client: hmac::Key::new(hmac::HMAC_SHA256, &*keyring.labelled(KeyLabel::Client)),
            invite: hmac::Key::new(hmac::HMAC_SHA256, &*keyring.labelled(KeyLabel::Invite)),
            claim: hmac::Key::new(hmac::HMAC_SHA256, &*keyring.labelled(KeyLabel::Claim)),
            identity: hmac::Key::new(hmac::HMAC_SHA256, &*keyring.labelled(KeyLabel::Identity)),
            mac: key(Fixed::IndexMac),
            db_id: *keyring.db_id(),
        }
    }

    pub(crate) fn token(&self, token: &Token) -> Digest {
        let tag = hmac::sign(&self.token, token.expose().as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&tag.as_ref()[..16]);
        Digest::Token(digest)
    }

    /// Only ASCII letters are folded: by Unicode's rules the Kelvin sign becomes a `k`, and two addresses would be one.
    pub(crate) fn email(&self, address: &str) -> Digest {
        Digest::Email(long(&self.email, address.trim_ascii().to_ascii_lowercase().as_bytes()))
    }

    pub(crate) fn session(&self, token: &[u8]) -> Digest {
        Digest::Session(long(&self.session, token))
    }

    pub(crate) fn client(&self, secret: &[u8]) -> Digest {
        Digest::Client(long(&self.client, secret))
    }

    pub(crate) fn invite(&self, secret: &[u8]) -> Digest {
        Digest::Invite(long(&self.invite, secret))
    }

    pub(crate) fn claim(&self, code: &[u8]) -> Digest {
        Digest::Claim(long(&self.claim, code))
    }

    pub(crate) fn identity(&self, whole: &[u8]) -> Digest {
        Digest::Identity(long(&self.identity, whole))
    }

    fn mac(&self, key: &[u8], front: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&self.db_id);
        // Keys of one kind have one length, so no two pairs read the same.
        context.update(key);
        context.update(front);
        context.sign()
    }

    pub(crate) fn encode(&self, key: &[u8], entry: &IndexEntry, out: &mut Vec<u8>) {
        let begin = out.len();
        out.put_u8(VERSION);
        out.put_u32(entry.org.get());
        out.put_u32(entry.number);
        let mac = self.mac(key, &out[begin..]);
        out.extend_from_slice(&mac.as_ref()[..MAC]);
    }

    /// `None`: not an entry that was written for this key.
    pub(crate) fn decode(&self, key: &[u8], value: &[u8]) -> Option<IndexEntry> {
        let value: &[u8; LEN] = value.try_into().ok()?;
        let (front, mac) = value.split_at(LEN - MAC);
        // All bytes are looked at, however early they differ.
        let wanted = self.mac(key, front);
        if wanted.as_ref().iter().zip(mac).fold(0, |sum, (a, b)| sum | (a ^ b)) != 0 {
            return None;
        }
        let mut fields = Fields(front);
        fields.version(VERSION).ok()?;
        Some(IndexEntry { org: take::org(&mut fields).ok()?, number: fields.u32().ok()? })
    }
}

fn long(key: &hmac::Key, bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    digest.copy_from_slice(hmac::sign(key, bytes).as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::cipher::NonceWatch;
    use crate::seal::unseal::Unseal;
    use crate::testing::Folder;

    #[test]
    fn addresses_differ_unless_ascii_case_alone_does() {
        let folder = Folder::new("email");
        let unseal = Unseal::Key(zeroize::Zeroizing::new([1; 32]));
        let keyring = Keyring::create(&folder.0, &unseal, Default::default(), NonceWatch::default()).expect("creates");
        let keys = IndexKeys::new(&keyring);
        assert_eq!(keys.email(" Mike@Example.com "), keys.email("mike@example.com"));
        // The Kelvin sign, a capital I with a dot, a long s, a full-width m, a letter with a combining accent.
        let alike =
            ["mike@example.com", "mi\u{212a}e@example.com", "m\u{130}ke@example.com", "mike@example\u{17f}.com"];
        let alike =
            alike.into_iter().chain(["\u{ff4d}ike@example.com", "mike\u{301}@example.com", "mike@examples.com"]);
        let digests: std::collections::HashSet<Digest> = alike.map(|address| keys.email(address)).collect();
        assert_eq!(digests.len(), 7);
    }
}

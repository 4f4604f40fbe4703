//! What a keyring holds, as bytes: docs/storage.md has the map.

use std::collections::{BTreeMap, BTreeSet};

use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::schema::bytes::{Fields, Put as _, Shape};
use crate::{Error, limits};

/// A key while it is being moved; cleared afterwards.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// Keys that belong to the store as a whole and outlive rotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    /// Digest of device tokens.
    Token = 0,
    /// Digest of e-mail addresses.
    Email = 1,
    /// Digest of session and API tokens.
    Session = 2,
    /// MAC of index entries.
    IndexMac = 3,
    /// TLS session tickets derive from it.
    Ticket = 4,
    /// Seal of the inventory, the mark and the anchor.
    Inventory = 5,
    /// Seed of the Ed25519 key that signs backups.
    Sign = 6,
}

pub(crate) const FIXED: usize = 7;
const VERSION: u8 = 1;

/// One registered data key: all owners' data keys of an epoch derive from its salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) salt: [u8; 32],
    /// The version of the owners' keys that it derives from.
    pub(crate) key_version: u32,
    /// When it was registered, s since 1970.
    pub(crate) created_s: u64,
}

/// A keyring's content taken apart, to be changed.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) key_version: u32,
    pub(crate) next_epoch: u32,
    pub(crate) fixed: Vec<Secret>,
    /// (organization or 0 for the system, version) -> key.
    pub(crate) owners: BTreeMap<(u32, u32), Secret>,
    pub(crate) epochs: BTreeMap<u32, Epoch>,
    pub(crate) erased: BTreeSet<u32>,
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let failed = |_| Error::Key { reason: "the operating system gives no random bytes: try again".into() };
    SystemRandom::new().fill(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

pub(crate) fn fresh_secret() -> Result<Secret, Error> {
    random().map(Zeroizing::new)
}

impl Body {
    pub(crate) fn new() -> Result<Self, Error> {
        let fixed = (0..FIXED).map(|_| fresh_secret()).collect::<Result<_, _>>()?;
        let owners = BTreeMap::from([((0, 1), fresh_secret()?)]);
        let (epochs, erased) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { key_version: 1, next_epoch: 1, fixed, owners, epochs, erased })
    }

    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let room = 64 + FIXED * 32 + self.owners.len() * 40 + self.epochs.len() * 48 + self.erased.len() * 4;
        // With its whole room from the start no copy is left behind by growing.
        let mut out = Zeroizing::new(Vec::with_capacity(room));
        out.put_u8(VERSION);
        out.put_u32(self.key_version);
        out.put_u32(self.next_epoch);
        for key in &self.fixed {
            out.extend_from_slice(&**key);
        }
        out.put_u32(self.owners.len() as u32);
        for ((owner, version), key) in &self.owners {
            out.put_u32(*owner);
            out.put_u32(*version);
            out.extend_from_slice(&**key);
        }
        out.put_u32(self.epochs.len() as u32);
        for (number, epoch) in &self.epochs {
            out.put_u32(*number);
            out.put_u32(epoch.key_version);
            out.put_u64(epoch.created_s);
            out.extend_from_slice(&epoch.salt);
        }
        out.put_u32(self.erased.len() as u32);
        for org in &self.erased {
            out.put_u32(*org);
        }
        debug_assert!(out.len() <= room);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Shape> {
        let layout = KeyLayout::of(bytes)?;
        let key = |at: usize| bytes[at..].first_chunk().copied().map(Zeroizing::new).ok_or(Shape);
        Ok(Self {
            key_version: layout.key_version,
            next_epoch: layout.next_epoch,
            fixed: (0..FIXED).map(|n| key(layout.fixed_at + n * 32)).collect::<Result<_, _>>()?,
            owners: layout.owners.iter().map(|(id, at)| Ok((*id, key(*at)?))).collect::<Result<_, Shape>>()?,
            epochs: layout.epochs,
            erased: layout.erased,
        })
    }

    /// Is there still room for this?
    pub(crate) fn check(&self) -> Result<(), Error> {
        let orgs = self.owners.keys().filter(|(_, version)| *version == self.key_version).count();
        if orgs > limits::ORGS {
            return Err(Error::TooLarge { what: "organizations", len: orgs, limit: limits::ORGS });
        }
        Ok(())
    }
}

/// Where the keys stand in the bytes of a body: the keys themselves stay in their page.
#[derive(Clone, Debug)]
pub(crate) struct KeyLayout {
    pub(crate) key_version: u32,
    pub(crate) next_epoch: u32,
    pub(crate) fixed_at: usize,
    pub(crate) owners: BTreeMap<(u32, u32), usize>,
    pub(crate) epochs: BTreeMap<u32, Epoch>,
    pub(crate) erased: BTreeSet<u32>,
}

impl KeyLayout {
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Shape> {
        let mut fields = Fields(bytes);
        fields.version(VERSION)?;
        let (key_version, next_epoch) = (fields.u32()?, fields.u32()?);
        let fixed_at = bytes.len() - fields.0.len();
        fields.take(FIXED * 32)?;
        let mut owners = BTreeMap::new();
        for _ in 0..fields.u32()? {
            let id = (fields.u32()?, fields.u32()?);
            owners.insert(id, bytes.len() - fields.0.len());
            fields.take(32)?;
        }
        let mut epochs = BTreeMap::new();
        for _ in 0..fields.u32()? {
            let number = fields.u32()?;
            let (key_version, created_s, salt) = (fields.u32()?, fields.u64()?, fields.array()?);
            epochs.insert(number, Epoch { salt, key_version, created_s });
        }
        let count = fields.u32()?;
        let erased = (0..count).map(|_| fields.u32()).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self { key_version, next_epoch, fixed_at, owners, epochs, erased })
    }
}

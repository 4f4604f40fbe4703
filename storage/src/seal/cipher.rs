//! Seals and opens one value.
//!
//! ```text
//! version 1 | algorithm 1 | epoch 4 | nonce 12 | sealed bytes | tag 16
//! nonce = sealer 2 | salt of the epoch's process 4 | counter 6
//! ```
//! What is authenticated besides: the database's id, the column family and partition, RocksDB's key and the first six
//! bytes. A value that is moved to another key, family or store does not open.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ring::aead::{Aad, Nonce};
use ring::digest;

use crate::seal::keyring::Keyring;
use crate::{Error, Problem, limits};

pub(crate) const VERSION: u8 = 1;
pub(crate) const ALGORITHM: u8 = 1;
const HEAD: usize = 6;
const TEXT_AT: usize = HEAD + 12;
const TAG: usize = 16;
/// Longest additional text: label, database, family, partition, key with its length, head.
const AAD: usize = 11 + 16 + 1 + 4 + 1 + limits::KEY_BYTES + HEAD;

const _: () = assert!(TEXT_AT + TAG == limits::SEAL_BYTES);

/// Who counts a nonce: each has a counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Sealer {
    /// Batches of the control plane, sealed where they are made.
    Batch = 0,
    /// The thread of journal and history.
    Collector = 1,
    /// Re-sealing after a rotation.
    Sweep = 2,
}
const SEALERS: usize = 3;

/// Tests see every key and nonce that seals.
#[derive(Clone, Default)]
pub struct NonceWatch(Option<Arc<Watched>>);

type Seen = Box<dyn Fn([u8; 32], [u8; 12]) + Send + Sync>;

struct Watched {
    seen: Seen,
    /// (epoch, owner) -> digest of the key.
    keys: Mutex<HashMap<(u32, u32), [u8; 32]>>,
}

impl NonceWatch {
    /// `seen` gets the SHA-256 of the key and the nonce of every record that is sealed.
    pub fn new(seen: impl Fn([u8; 32], [u8; 12]) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Watched { seen: Box::new(seen), keys: Mutex::default() })))
    }

    pub(crate) fn key(&self, epoch: u32, owner: u32, key: &[u8; 32]) {
        if let Some(watched) = &self.0 {
            let mut id = [0; 32];
            id.copy_from_slice(digest::digest(&digest::SHA256, key).as_ref());
            watched.keys.lock().unwrap_or_else(PoisonError::into_inner).insert((epoch, owner), id);
        }
    }

    fn sealed(&self, epoch: u32, owner: u32, nonce: [u8; 12]) {
        if let Some(watched) = &self.0 {
            let id = watched.keys.lock().unwrap_or_else(PoisonError::into_inner)[&(epoch, owner)];
            (watched.seen)(id, nonce);
        }
    }
}

impl fmt::Debug for NonceWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "NonceWatch(on)" } else { "NonceWatch" })
    }
}

/// An epoch that this process registered: only such a one can seal, and only once does each counter pass a number.
pub(crate) struct Fresh {
    epoch: u32,
    nonce_salt: [u8; 4],
    created_s: u64,
    counters: [AtomicU64; SEALERS],
    bytes: AtomicU64,
    watch: NonceWatch,
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fresh({})", self.epoch)
    }
}

impl Fresh {
    pub(crate) fn new(epoch: u32, nonce_salt: [u8; 4], created_s: u64, watch: NonceWatch) -> Self {
        Self { epoch, nonce_salt, created_s, counters: Default::default(), bytes: AtomicU64::new(0), watch }
    }

    pub(crate) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Has it sealed so much, or for so long, that another should take over?
    pub(crate) fn is_spent(&self, now_s: u64) -> bool {
        let records: u64 = self.counters.iter().map(|counter| counter.load(Ordering::Relaxed)).sum();
        records >= limits::EPOCH_RECORDS
            || self.bytes.load(Ordering::Relaxed) >= limits::EPOCH_BYTES
            // Also one that a wrong clock has dated into the future.
            || now_s.abs_diff(self.created_s) >= limits::EPOCH_S
    }

    fn nonce(&self, sealer: Sealer, len: usize) -> [u8; 12] {
        let count = self.counters[sealer as usize].fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(len as u64, Ordering::Relaxed);
        let mut nonce = [0; 12];
        nonce[..2].copy_from_slice(&(sealer as u16).to_be_bytes());
        nonce[2..6].copy_from_slice(&self.nonce_salt);
        nonce[6..].copy_from_slice(&count.to_be_bytes()[2..]);
        nonce
    }
}

/// Where a value lives: sealed for this place, it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealedPlace<'a> {
    /// Number of the column family.
    pub(crate) family: u8,
    /// Number of its time partition, 0 if it has none.
    pub(crate) partition: u32,
    pub(crate) key: &'a [u8],
    /// Organization, or 0 for the system.
    pub(crate) owner: u32,
}

struct Additional {
    bytes: [u8; AAD],
    len: usize,
}

impl AsRef<[u8]> for Additional {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn additional(db_id: &[u8; 16], place: &SealedPlace<'_>, head: &[u8]) -> Additional {
    let mut aad = Additional { bytes: [0; AAD], len: 0 };
    let mut put = |bytes: &[u8]| {
        aad.bytes[aad.len..aad.len + bytes.len()].copy_from_slice(bytes);
        aad.len += bytes.len();
    };
    put(b"linchpin v1");
    put(db_id);
    put(&[place.family]);
    put(&place.partition.to_be_bytes());
    put(&[place.key.len() as u8]);
    put(place.key);
    put(head);
    aad
}

/// Append the sealed value. The key of the place is at most [`limits::KEY_BYTES`] long.
pub(crate) fn seal(
    keyring: &Keyring,
    fresh: &Fresh,
    sealer: Sealer,
    place: &SealedPlace<'_>,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let key = keyring.record_key(fresh.epoch, place.owner).map_err(|problem| match problem {
        Problem::UnknownKey if keyring.is_erased(place.owner) => Error::Erased { org: place.owner },
        _ => Error::Key { reason: format!("organization {} has no key: add it first", place.owner) },
    })?;
    let nonce = fresh.nonce(sealer, value.len());
    fresh.watch.sealed(fresh.epoch, place.owner, nonce);
    let begin = out.len();
    out.extend_from_slice(&[VERSION, ALGORITHM]);
    out.extend_from_slice(&fresh.epoch.to_be_bytes());
    let aad = additional(keyring.db_id(), place, &out[begin..begin + HEAD]);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(value);
    let text = &mut out[begin + TEXT_AT..];
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text)
        .expect("values are far below AES-GCM's limit");
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// The epoch of a sealed value.
pub(crate) fn epoch_of(sealed: &[u8]) -> Option<u32> {
    match sealed {
        [VERSION, ALGORITHM, a, b, c, d, rest @ ..] if rest.len() >= 12 + TAG => {
            Some(u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => None,
    }
}

/// Open a sealed value in place.
pub(crate) fn open<'a>(keyring: &Keyring, place: &SealedPlace<'_>, sealed: &'a mut [u8]) -> Result<&'a [u8], Problem> {
    let epoch = epoch_of(sealed).ok_or(Problem::Shape)?;
    let key = keyring.record_key(epoch, place.owner)?;
    let aad = additional(keyring.db_id(), place, &sealed[..HEAD]);
    let (front, text) = sealed.split_at_mut(TEXT_AT);
    let nonce = Nonce::try_assume_unique_for_key(&front[HEAD..]).map_err(|_| Problem::Shape)?;
    key.open_in_place(nonce, Aad::from(aad), text).map(|text| &*text).map_err(|_| Problem::NotAuthentic)
}

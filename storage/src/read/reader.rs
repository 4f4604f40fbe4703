//! Reads: every record is opened and authenticated, every iterator's status is checked.

use std::ops::ControlFlow;

use rocksdb::{Direction, IteratorMode, ReadOptions};

use crate::disk::rocks::Rocks;
use crate::schema::index::IndexKeys;
use crate::schema::key::hex;
use crate::schema::{self, Digest, Family, IndexEntry, KeyBytes, Record, RecordKey};
use crate::seal::cipher::{self, SealedPlace};
use crate::seal::keyring::Keyring;
use crate::{Error, Problem, limits};

/// Reads of one store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) rocks: &'a Rocks,
    pub(crate) keyring: &'a Keyring,
    pub(crate) index: &'a IndexKeys,
}

/// The error of a record that cannot be read.
pub(crate) fn broken(family: Family, key: &[u8], problem: Problem) -> Error {
    Error::Record { family: family.name(), key: hex(key), problem }
}

fn read_error(error: rocksdb::Error) -> Error {
    Error::Read { reason: error.into_string() }
}

impl Reader<'_> {
    /// Open a sealed value in place.
    pub(crate) fn open<'v>(
        &self,
        family: Family,
        partition: u32,
        key: &[u8],
        sealed: &'v mut [u8],
    ) -> Result<&'v [u8], Error> {
        let owner = family.owner(key).ok_or_else(|| broken(family, key, Problem::Shape))?;
        let place = SealedPlace { family: family as u8, partition, key, owner };
        cipher::open(self.keyring, &place, sealed).map_err(|problem| {
            if problem == Problem::UnknownKey && self.keyring.is_erased(owner) {
                Error::Erased { org: owner }
            } else {
                broken(family, key, problem)
            }
        })
    }

    pub(crate) fn get_opened(&self, family: Family, partition: u32, key: &KeyBytes) -> Result<Option<Vec<u8>>, Error> {
        let Some(column) = self.rocks.column(family, partition) else { return Ok(None) };
        let Some(mut sealed) = self.rocks.db.get_cf(&column, key).map_err(read_error)? else { return Ok(None) };
        self.open(family, partition, key.as_ref(), &mut sealed).map(|value| Some(value.to_vec()))
    }

    pub(crate) fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, Error> {
        let bytes = key.bytes();
        let Some(value) = self.get_opened(R::FAMILY, 0, &bytes)? else { return Ok(None) };
        schema::decode(&value).map(Some).map_err(|_| broken(R::FAMILY, bytes.as_ref(), Problem::Shape))
    }

    /// Raw records from a key on, up to (not including) another. An iterator that meets damage ends early, so its
    /// status is checked: a part is never taken for the whole.
    pub(crate) fn scan_raw(
        &self,
        family: Family,
        partition: u32,
        (from, to): (KeyBytes, Option<KeyBytes>),
        take: impl FnMut(&[u8], Box<[u8]>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        self.scan_with(ReadOptions::default(), (family, partition), (from, to), take)
    }

    /// As [`Reader::scan_raw`], for what is read once at start: the cache is left to others.
    pub(crate) fn scan_once(
        &self,
        family: Family,
        range: (KeyBytes, Option<KeyBytes>),
        take: impl FnMut(&[u8], Box<[u8]>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_readahead_size(limits::READ_AHEAD_BYTES);
        self.scan_with(options, (family, 0), range, take)
    }

    fn scan_with(
        &self,
        mut options: ReadOptions,
        (family, partition): (Family, u32),
        (from, to): (KeyBytes, Option<KeyBytes>),
        mut take: impl FnMut(&[u8], Box<[u8]>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let Some(column) = self.rocks.column(family, partition) else { return Ok(()) };
        if let Some(to) = to {
            options.set_iterate_upper_bound(to.as_ref().to_vec());
        }
        let mode = IteratorMode::From(from.as_ref(), Direction::Forward);
        for entry in self.rocks.db.iterator_cf_opt(&column, options, mode) {
            let (key, value) = entry.map_err(read_error)?;
            if take(&key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Records of a kind. Those of erased organizations are passed over: a restored backup may still hold some.
    pub(crate) fn scan<R: Record>(
        &self,
        prefix: KeyBytes,
        mut take: impl FnMut(R::Key, R) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.scan_raw(R::FAMILY, 0, (prefix, prefix.behind()), |key, mut sealed| {
            let shape = |_| broken(R::FAMILY, key, Problem::Shape);
            match self.open(R::FAMILY, 0, key, &mut sealed) {
                Ok(value) => Ok(take(R::Key::parse(key).map_err(shape)?, schema::decode(value).map_err(shape)?)),
                Err(Error::Erased { .. }) => Ok(ControlFlow::Continue(())),
                Err(error) => Err(error),
            }
        })
    }

    /// The last record whose key begins like this.
    pub(crate) fn last<R: Record>(&self, prefix: KeyBytes) -> Result<Option<(R::Key, R)>, Error> {
        let (family, behind) = (R::FAMILY, prefix.behind());
        let Some(column) = self.rocks.column(family, 0) else { return Ok(None) };
        let mode = behind.as_ref().map_or(IteratorMode::End, |to| IteratorMode::From(to.as_ref(), Direction::Reverse));
        let Some(entry) = self.rocks.db.iterator_cf(&column, mode).next() else { return Ok(None) };
        let (key, mut sealed) = entry.map_err(read_error)?;
        if !key.starts_with(prefix.as_ref()) {
            return Ok(None);
        }
        let shape = |_| broken(family, &key, Problem::Shape);
        let value = self.open(family, 0, &key, &mut sealed)?;
        Ok(Some((R::Key::parse(&key).map_err(shape)?, schema::decode(value).map_err(shape)?)))
    }

    fn entry(&self, key: &[u8], value: &[u8]) -> Result<IndexEntry, Error> {
        self.index.decode(key, value).ok_or_else(|| broken(Family::Index, key, Problem::NotAuthentic))
    }

    pub(crate) fn lookup(&self, digest: &Digest) -> Result<Option<IndexEntry>, Error> {
        let key = digest.key();
        let Some(column) = self.rocks.column(Family::Index, 0) else { return Ok(None) };
        let found = self.rocks.db.get_pinned_cf(&column, key).map_err(read_error)?;
        found.map(|value| self.entry(key.as_ref(), &value)).transpose()
    }

    /// All entries of one kind.
    pub(crate) fn scan_index(&self, prefix: KeyBytes, mut take: impl FnMut(Digest, IndexEntry)) -> Result<(), Error> {
        self.scan_raw(Family::Index, 0, (prefix, prefix.behind()), |key, value| {
            let digest = Digest::parse(key).map_err(|_| broken(Family::Index, key, Problem::Shape))?;
            take(digest, self.entry(key, &value)?);
            Ok(ControlFlow::Continue(()))
        })
    }
}

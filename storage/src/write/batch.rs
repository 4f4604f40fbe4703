//! Writes that become visible and durable together. Values are sealed where the batch is made, not where it is
//! committed.

use rocksdb::WriteBatch;
use zeroize::Zeroize as _;

use crate::disk::rocks::Rocks;
use crate::schema::bytes::{Fields, Put as _, Shape};
use crate::schema::{self, Digest, Family, IndexEntry, KeyBytes, Record, RecordKey as _};
use crate::seal::cipher::SealedPlace;
use crate::seal::seals::BatchSealing;
use crate::{Error, limits};

const PUT: u8 = 1;
const DELETE: u8 = 2;
const DELETE_RANGE: u8 = 3;

/// Encoded writes.
#[derive(Default)]
pub(crate) struct EncodedWrites {
    bytes: Vec<u8>,
    /// Partitions of time that it touches.
    partitions: Vec<(Family, u32)>,
    pub(crate) count: usize,
}

impl EncodedWrites {
    pub(crate) const fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn begin(&mut self, operation: u8, family: Family, partition: u32, key: &[u8]) {
        self.count += 1;
        if partition > 0 && !self.partitions.contains(&(family, partition)) {
            self.partitions.push((family, partition));
        }
        self.bytes.put_u8(operation);
        self.bytes.put_u8(family as u8);
        self.bytes.put_u32(partition);
        self.bytes.put_u8(key.len() as u8);
        self.bytes.extend_from_slice(key);
    }

    pub(crate) fn put(
        &mut self,
        family: Family,
        partition: u32,
        key: &[u8],
        value: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let begin = self.bytes.len();
        self.begin(PUT, family, partition, key);
        let len_at = self.bytes.len();
        self.bytes.put_u32(0);
        if let Err(error) = value(&mut self.bytes) {
            self.bytes.truncate(begin);
            self.count -= 1;
            return Err(error);
        }
        let len = (self.bytes.len() - len_at - 4) as u32;
        self.bytes[len_at..len_at + 4].copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    pub(crate) fn delete(&mut self, family: Family, partition: u32, key: &[u8]) {
        self.begin(DELETE, family, partition, key);
    }

    /// An empty range is left out: RocksDB counts it as a write, and does not when it reads its log again, so that the log
    /// would seem to end before its last sync.
    pub(crate) fn delete_range(&mut self, family: Family, partition: u32, from: &[u8], to: &[u8]) {
        if from >= to {
            return;
        }
        self.begin(DELETE_RANGE, family, partition, from);
        self.bytes.put_bytes(to);
    }

    /// Make the partitions that do not exist yet, such as for late points. That takes several syncs each: whoever makes a
    /// batch does it, so that the committing thread need not.
    pub(crate) fn make_partitions(&self, rocks: &Rocks) -> Result<(), rocksdb::Error> {
        self.partitions.iter().try_for_each(|(family, partition)| rocks.ensure(*family, *partition).map(drop))
    }

    /// As RocksDB takes it; partitions that were dropped since are made again.
    pub(crate) fn to_rocks(&self, rocks: &Rocks) -> Result<WriteBatch, rocksdb::Error> {
        let mut out = WriteBatch::default();
        let mut fields = Fields(&self.bytes);
        while !fields.0.is_empty() {
            Self::one(&mut fields, rocks, &mut out)?.expect("batches are written by this file");
        }
        Ok(out)
    }

    fn one(fields: &mut Fields<'_>, rocks: &Rocks, out: &mut WriteBatch) -> Result<Result<(), Shape>, rocksdb::Error> {
        let mut head = || Ok((fields.u8()?, fields.u8()?, fields.u32()?, fields.u8()?));
        let (operation, family, partition, key_len) = match head() {
            Ok(head) => head,
            Err(Shape) => return Ok(Err(Shape)),
        };
        let family = Family::of_number(family).expect("batches are written by this file");
        let column = rocks.ensure(family, partition)?;
        let mut rest = || -> Result<(), Shape> {
            let key = fields.take(usize::from(key_len))?;
            match operation {
                PUT => {
                    let len = fields.u32()? as usize;
                    out.put_cf(&column, key, fields.take(len)?);
                }
                DELETE => out.delete_cf(&column, key),
                DELETE_RANGE => out.delete_range_cf(&column, key, fields.bytes()?),
                _ => return Err(Shape),
            }
            Ok(())
        };
        Ok(rest())
    }
}

/// A batch of sealed records.
pub struct Batch {
    pub(crate) sealing: BatchSealing,
    pub(crate) writes: EncodedWrites,
    scratch: Vec<u8>,
    limit_bytes: usize,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} writes, {} bytes)", self.writes.count, self.writes.len_bytes())
    }
}

fn within(what: &'static str, len: usize, limit: usize) -> Result<(), Error> {
    if len > limit { Err(Error::TooLarge { what, len, limit }) } else { Ok(()) }
}

impl Batch {
    pub(crate) fn new(sealing: BatchSealing) -> Self {
        Self { sealing, writes: EncodedWrites::default(), scratch: Vec::new(), limit_bytes: limits::BATCH_BYTES }
    }

    /// For the collector: a device's records are never torn apart, and it bounds its batches itself.
    pub(crate) fn without_limit(sealing: BatchSealing) -> Self {
        Self { limit_bytes: usize::MAX, ..Self::new(sealing) }
    }

    /// Where it ends now.
    pub(crate) const fn mark(&self) -> (usize, usize) {
        (self.writes.bytes.len(), self.writes.count)
    }

    /// Take back what was put since a mark.
    pub(crate) fn rewind(&mut self, (len_bytes, count): (usize, usize)) {
        self.writes.bytes.truncate(len_bytes);
        self.writes.count = count;
    }

    /// Is nothing in it?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writes.count == 0
    }

    /// Its size, bytes.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.writes.len_bytes()
    }

    /// Set a record.
    ///
    /// # Errors
    /// Its organization has no key or was erased, or the record or the batch would be too large; the batch is as before.
    /// [`Error::NotUpgraded`]: an older store has no place for it.
    pub fn put<R: Record>(&mut self, key: &R::Key, record: &R) -> Result<(), Error> {
        let families = self.sealing.families();
        families.need(R::FAMILY)?;
        let mut value = std::mem::take(&mut self.scratch);
        value.clear();
        let result = if schema::encode_for(record, families, &mut value) {
            self.put_sealed(R::FAMILY, 0, &key.bytes(), &value)
        } else {
            Err(Error::NotUpgraded { family: R::FAMILY.name() })
        };
        // It may have held a secret.
        value.zeroize();
        self.scratch = value;
        result
    }

    pub(crate) fn put_sealed(
        &mut self,
        family: Family,
        partition: u32,
        key: &KeyBytes,
        value: &[u8],
    ) -> Result<(), Error> {
        within("a record", value.len(), limits::VALUE_BYTES)?;
        within("a batch", self.len_bytes() + value.len() + limits::SEAL_BYTES + limits::KEY_BYTES, self.limit_bytes)?;
        let owner = family.owner(key.as_ref()).expect("keys of the schema name their owner");
        let place = SealedPlace { family: family as u8, partition, key: key.as_ref(), owner };
        let sealing = &self.sealing;
        self.writes.put(family, partition, key.as_ref(), |out| sealing.seal(&place, value, out))
    }

    /// Remove a record.
    ///
    /// # Errors
    /// The batch would be too large. [`Error::NotUpgraded`]: an older store has no place for such records.
    pub fn delete<R: Record>(&mut self, key: &R::Key) -> Result<(), Error> {
        self.sealing.families().need(R::FAMILY)?;
        within("a batch", self.len_bytes() + 2 * limits::KEY_BYTES, self.limit_bytes)?;
        self.writes.delete(R::FAMILY, 0, key.bytes().as_ref());
        Ok(())
    }

    /// Remove all records of a kind from one key on and before another.
    pub(crate) fn delete_below<R: Record>(&mut self, from: &R::Key, before: &R::Key) -> Result<(), Error> {
        self.sealing.families().need(R::FAMILY)?;
        within("a batch", self.len_bytes() + 4 * limits::KEY_BYTES, self.limit_bytes)?;
        self.writes.delete_range(R::FAMILY, 0, from.bytes().as_ref(), before.bytes().as_ref());
        Ok(())
    }

    /// Let a digest stand for something.
    ///
    /// # Errors
    /// The batch would be too large.
    pub fn put_index(&mut self, digest: &Digest, entry: &IndexEntry) -> Result<(), Error> {
        within("a batch", self.len_bytes() + 2 * limits::KEY_BYTES, self.limit_bytes)?;
        let (key, index) = (digest.key(), self.sealing.index());
        self.writes.put(Family::Index, 0, key.as_ref(), |out| {
            index.encode(key.as_ref(), entry, out);
            Ok(())
        })
    }

    /// Forget a digest.
    ///
    /// # Errors
    /// The batch would be too large.
    pub fn delete_index(&mut self, digest: &Digest) -> Result<(), Error> {
        within("a batch", self.len_bytes() + 2 * limits::KEY_BYTES, self.limit_bytes)?;
        self.writes.delete(Family::Index, 0, digest.key().as_ref());
        Ok(())
    }
}

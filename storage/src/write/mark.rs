//! How far the write-ahead logs must reach: synced with each class A commit, before it is acknowledged.
//!
//! Two slots are written in turn, so that a torn write leaves the one before. The log is always synced first: what the
//! mark says is on the disk.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::hmac;

use crate::disk::durable;
use crate::disk::inventory::{authentic, close};
use crate::schema::bytes::{Fields, Put as _, Shape};
use crate::{Error, limits};

const MAGIC: &[u8; 8] = b"LPMARK\0\x01";

/// What was on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskMark {
    /// The epoch when the store was opened.
    pub(crate) start_epoch: u64,
    /// Counts marks.
    pub(crate) count: u64,
    /// RocksDB's sequence number.
    pub(crate) sequence: u64,
    /// Number and length of each log.
    pub(crate) logs: Vec<(u64, u64)>,
}

impl DiskMark {
    pub(crate) fn encode(&self, key: &hmac::Key) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.put_u64(self.start_epoch);
        out.put_u64(self.count);
        out.put_u64(self.sequence);
        // The newest matter: older logs are closed, and RocksDB itself tracks those.
        let logs = &self.logs[self.logs.len().saturating_sub(limits::MARK_LOGS)..];
        out.put_u16(logs.len() as u16);
        for (number, len) in logs {
            out.put_u64(*number);
            out.put_u64(*len);
        }
        close(out, key)
    }

    pub(crate) fn decode(slot: &[u8], key: &hmac::Key) -> Result<Self, Shape> {
        let count_at = MAGIC.len() + 24;
        let logs = Fields(slot.get(count_at..).ok_or(Shape)?).u16()?;
        let len = count_at + 2 + usize::from(logs) * 16 + 32;
        let front = authentic(slot.get(..len).ok_or(Shape)?, key).ok_or(Shape)?;
        let mut fields = Fields(front);
        if fields.array::<8>()? != *MAGIC {
            return Err(Shape);
        }
        let (start_epoch, count, sequence) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let logs = (0..fields.u16()?).map(|_| Ok((fields.u64()?, fields.u64()?))).collect::<Result<_, Shape>>()?;
        Ok(Self { start_epoch, count, sequence, logs })
    }

    /// The newest of the two slots.
    pub(crate) fn read(path: &Path, key: &hmac::Key) -> Result<Option<Self>, Error> {
        let Some(bytes) = durable::read(path)? else { return Ok(None) };
        let slots = bytes.chunks(limits::MARK_SLOT_BYTES).filter_map(|slot| Self::decode(slot, key).ok());
        let newest = slots.max_by_key(|mark| mark.count);
        newest
            .map(Some)
            .ok_or_else(|| Error::Damaged { what: format!("{} is not what this store wrote", path.display()) })
    }
}

/// The mark's file, and the folder of the logs that it describes.
pub(crate) struct MarkFile {
    file: File,
    path: PathBuf,
    wal: PathBuf,
    key: hmac::Key,
    start_epoch: u64,
    count: u64,
}

impl std::fmt::Debug for MarkFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MarkFile({})", self.path.display())
    }
}

/// Logs of a folder: number and length, sorted.
pub(crate) fn logs(wal: &Path) -> Result<Vec<(u64, u64)>, Error> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(wal).map_err(durable::failed(wal, "list"))? {
        let entry = entry.map_err(durable::failed(wal, "list"))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log")?.parse().ok());
        if let Some(number) = number {
            // A log may be deleted between the list and the look: then it is not needed any more.
            if let Ok(metadata) = entry.metadata() {
                logs.push((number, metadata.len()));
            }
        }
    }
    logs.sort_unstable();
    Ok(logs)
}

impl MarkFile {
    /// Start a new file; the old one is replaced as a whole.
    pub(crate) fn create(
        path: &Path,
        wal: &Path,
        key: &hmac::Key,
        start_epoch: u64,
        sequence: u64,
    ) -> Result<Self, Error> {
        let mark = DiskMark { start_epoch, count: 1, sequence, logs: logs(wal)? };
        let mut bytes = mark.encode(key);
        bytes.resize(2 * limits::MARK_SLOT_BYTES, 0);
        durable::write_private(path, &bytes)?;
        let file = OpenOptions::new().write(true).mode(0o600).open(path).map_err(durable::failed(path, "open"))?;
        let (path, wal, key) = (path.to_owned(), wal.to_owned(), key.clone());
        Ok(Self { file, path, wal, key, start_epoch, count: 1 })
    }

    /// The logs were synced: remember how far they reach.
    pub(crate) fn write(&mut self, sequence: u64) -> Result<(), Error> {
        self.count += 1;
        let mark = DiskMark { start_epoch: self.start_epoch, count: self.count, sequence, logs: logs(&self.wal)? };
        let at = (self.count + 1) % 2 * limits::MARK_SLOT_BYTES as u64;
        self.file.write_all_at(&mark.encode(&self.key), at).map_err(durable::failed(&self.path, "write"))
    }

    /// On the disk when this returns.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(durable::failed(&self.path, "sync"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn a_torn_slot_leaves_the_mark_before() {
        let folder = Folder::new("mark");
        let wal = folder.0.join("wal");
        std::fs::create_dir(&wal).expect("a folder");
        std::fs::write(wal.join("000007.log"), [0; 10]).expect("a log");
        let (path, key) = (folder.0.join("mark"), hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]));
        let mut file = MarkFile::create(&path, &wal, &key, 3, 100).expect("creates");
        for sequence in 101..105 {
            file.write(sequence).expect("writes");
            file.sync().expect("syncs");
            let mark = DiskMark::read(&path, &key).expect("reads").expect("is there");
            assert_eq!((mark.start_epoch, mark.sequence, mark.logs), (3, sequence, vec![(7, 10)]));
        }
        let newest = (file.count + 1) as usize % 2 * limits::MARK_SLOT_BYTES;
        let mut torn = std::fs::read(&path).expect("reads");
        torn[newest + 20] ^= 1;
        std::fs::write(&path, &torn).expect("writes");
        assert_eq!(DiskMark::read(&path, &key).expect("reads").expect("is there").sequence, 103);
        torn[limits::MARK_SLOT_BYTES - newest + 20] ^= 1;
        std::fs::write(&path, &torn).expect("writes");
        assert!(matches!(DiskMark::read(&path, &key), Err(Error::Damaged { .. })));
    }
}

//! One RocksDB.

use std::path::Path;

use rocksdb::{DB, DBRecoveryMode, IteratorMode, Options, WriteBatch, WriteOptions};

use crate::poison::Poison;
use crate::{Error, limits};

/// Writes that become visible and durable together.
#[derive(Default)]
pub struct Batch {
    writes: WriteBatch,
    len_bytes: usize,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} bytes)", self.len_bytes)
    }
}

fn within(len_bytes: usize, limit_bytes: usize) -> Result<(), Error> {
    if len_bytes > limit_bytes {
        Err(Error::TooLarge { what: "a batch", len: len_bytes, limit: limit_bytes })
    } else {
        Ok(())
    }
}

impl Batch {
    /// Set a key.
    ///
    /// # Errors
    /// The key, the value or the batch would be too large; the batch is as before.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        within(key.len(), limits::KEY_BYTES)?;
        within(value.len(), limits::VALUE_BYTES)?;
        within(self.len_bytes + key.len() + value.len(), limits::BATCH_BYTES)?;
        self.len_bytes += key.len() + value.len();
        self.writes.put(key, value);
        Ok(())
    }

    /// Remove a key.
    ///
    /// # Errors
    /// The key or the batch would be too large.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Error> {
        within(key.len(), limits::KEY_BYTES)?;
        within(self.len_bytes + key.len(), limits::BATCH_BYTES)?;
        self.len_bytes += key.len();
        self.writes.delete(key);
        Ok(())
    }
}

/// An open store. Blocking: never called from a shard.
pub struct Store {
    db: DB,
    poison: Poison,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.db.path().display())
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    // RocksDB's default skips damage in its log silently; this one forgets a torn end only.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A log that was deleted or is shorter than it was is refused.
    options.set_track_and_verify_wals_in_manifest(true);
    // Values are compressed before they are sealed; sealed bytes do not compress.
    options.set_compression_type(rocksdb::DBCompressionType::None);
    // Group commit decides when the log is written and synced.
    options.set_manual_wal_flush(true);
    options.set_max_open_files(limits::OPEN_FILES);
    options.set_write_buffer_size(limits::WRITE_BUFFER_BYTES);
    options.set_keep_log_file_num(1);
    options
}

impl Store {
    /// Open or create the store in a folder.
    ///
    /// # Errors
    /// [`Error::Open`]: nothing was changed then.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let db = DB::open(&options(), path)
            .map_err(|error| Error::Open { path: path.into(), reason: error.into_string() })?;
        Ok(Self { db, poison: Poison::default() })
    }

    /// Write a batch and sync it: durable when this returns.
    ///
    /// # Errors
    /// [`Error::Write`] poisons the store, [`Error::Poisoned`] from then on.
    pub fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.poison.check()?;
        self.poison.guard(self.db.write_opt(batch.writes, &WriteOptions::default()))?;
        self.poison.guard(self.db.flush_wal(true))
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Read`]: the disk failed or the record is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.db.get(key).map_err(|error| Error::Read { reason: error.into_string() })
    }

    /// All records in the order of their keys, until `take` says no. An iterator that meets damage ends early, so its
    /// status is checked: a part is never taken for the whole.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn scan(&self, mut take: impl FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        for entry in self.db.iterator(IteratorMode::Start) {
            let (key, value) = entry.map_err(|error| Error::Read { reason: error.into_string() })?;
            if !take(&key, &value) {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("linchpin-store-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn log(&self) -> PathBuf {
            let files = std::fs::read_dir(&self.0).expect("the folder").map(|file| file.expect("a file").path());
            files.filter(|path| path.extension().is_some_and(|e| e == "log")).max().expect("a write-ahead log")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn filled(folder: &Folder, records: u32) {
        let store = Store::open(&folder.0).expect("opens");
        for n in 0..records {
            let mut batch = Batch::default();
            batch.put(&n.to_be_bytes(), &[n as u8; 100]).expect("fits");
            store.commit(batch).expect("commits");
        }
    }

    fn count(store: &Store) -> u32 {
        let mut records = 0;
        store
            .scan(|_, _| {
                records += 1;
                true
            })
            .expect("reads");
        records
    }

    #[test]
    fn commits_are_there_after_a_restart_and_deletes_stay_deleted() {
        let folder = Folder::new("restart");
        filled(&folder, 20);
        let store = Store::open(&folder.0).expect("opens");
        let mut batch = Batch::default();
        batch.delete(&3u32.to_be_bytes()).expect("fits");
        store.commit(batch).expect("commits");
        drop(store);
        let store = Store::open(&folder.0).expect("opens");
        assert_eq!(count(&store), 19);
        assert_eq!(store.get(&4u32.to_be_bytes()).expect("reads"), Some(vec![4; 100]));
        assert_eq!(store.get(&3u32.to_be_bytes()).expect("reads"), None);
    }

    #[test]
    fn a_torn_end_of_the_log_loses_the_last_record_only() {
        let folder = Folder::new("torn");
        filled(&folder, 20);
        let log = folder.log();
        let length = std::fs::metadata(&log).expect("the log").len();
        std::fs::OpenOptions::new().write(true).open(&log).expect("opens").set_len(length - 3).expect("cuts");
        let store = Store::open(&folder.0).expect("a torn end is ordinary after a power cut");
        assert_eq!(count(&store), 19);
    }

    #[test]
    fn damage_inside_the_log_is_refused() {
        let folder = Folder::new("damage");
        filled(&folder, 20);
        let log = folder.log();
        let mut bytes = std::fs::read(&log).expect("the log");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&log, bytes).expect("writes");
        let error = Store::open(&folder.0).expect_err("damage must not be skipped");
        assert!(matches!(error, Error::Open { .. }), "{error}");
    }

    #[test]
    fn a_poisoned_store_acknowledges_nothing_but_still_reads() {
        let folder = Folder::new("poison");
        filled(&folder, 2);
        let store = Store::open(&folder.0).expect("opens");
        store.poison.strike();
        let mut batch = Batch::default();
        batch.put(b"k", b"v").expect("fits");
        assert!(matches!(store.commit(batch), Err(Error::Poisoned)));
        assert_eq!(store.get(b"k").expect("reads"), None);
        assert_eq!(count(&store), 2);
    }

    #[test]
    fn batches_are_bounded() {
        let mut batch = Batch::default();
        assert!(matches!(batch.put(&[0; limits::KEY_BYTES + 1], b""), Err(Error::TooLarge { .. })));
        let value = vec![0; limits::VALUE_BYTES];
        let fitted = (0..100u32).take_while(|n| batch.put(&n.to_be_bytes(), &value).is_ok()).count();
        assert_eq!(fitted, limits::BATCH_BYTES / (limits::VALUE_BYTES + 4));
    }
}

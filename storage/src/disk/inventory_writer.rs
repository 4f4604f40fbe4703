//! Writing the inventory. Once a second a thread compares what is live with what was listed, writes a new
//! inventory if that differs, moves the anchor, and only then lets RocksDB delete what is obsolete.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use ring::hmac;

use crate::disk::inventory::{
    Anchor, Inventory, InventoryPhase, ManifestPrefix, Table, digest_of, manifest_now, manifest_size, table_path,
};
use crate::disk::rocks::{Rocks, live};
use crate::settings::Layout;
use crate::{Error, limits};

/// What was listed last.
struct Listed {
    epoch: u64,
    /// Tables up to this number were compared in the background since the start.
    compared: u64,
    tables: BTreeMap<u64, Table>,
    manifest: Option<ManifestPrefix>,
    keyring_generation: u64,
}

/// Writes inventories.
pub(crate) struct InventoryWriter {
    layout: Layout,
    anchor: Option<PathBuf>,
    key: hmac::Key,
    db_id: [u8; 16],
    start_epoch: u64,
    listed: Mutex<Listed>,
}

impl std::fmt::Debug for InventoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InventoryWriter(start {})", self.start_epoch)
    }
}

impl InventoryWriter {
    pub(crate) fn new(
        layout: &Layout,
        anchor: Option<PathBuf>,
        key: &hmac::Key,
        db_id: [u8; 16],
        start_epoch: u64,
        tables: &[Table],
    ) -> Self {
        let listed = Listed {
            // The inventory of this opening carries the epoch before.
            epoch: start_epoch - 1,
            compared: 0,
            tables: tables.iter().map(|table| (table.number, *table)).collect(),
            manifest: None,
            keyring_generation: 0,
        };
        Self { layout: layout.clone(), anchor, key: key.clone(), db_id, start_epoch, listed: Mutex::new(listed) }
    }

    /// Bring the inventory up to date. Writes nothing if nothing has changed and the phase is still `Running`.
    pub(crate) fn update(&self, rocks: &Rocks, keyring_generation: u64, phase: InventoryPhase) -> Result<(), Error> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_stale = false;
        loop {
            // It only grows: of the same length it is the same, and need not be digested.
            let size = manifest_size(&self.layout.db)?;
            let is_same = listed.manifest.is_some_and(|known| (known.number, known.len) == size)
                && listed.keyring_generation == keyring_generation;
            if is_same && !is_stale && phase == InventoryPhase::Running {
                return Ok(());
            }
            let manifest = manifest_now(&self.layout.db)?;
            let tables = self.tables(rocks, &listed.tables)?;
            let epoch = listed.epoch + 1;
            let inventory = Inventory {
                phase,
                db_id: self.db_id,
                epoch,
                start_epoch: self.start_epoch,
                keyring_generation,
                manifest: Some(manifest),
                tables: tables.values().copied().collect(),
            };
            inventory.write(&self.layout.inventory, &self.key)?;
            *listed = Listed { epoch, compared: listed.compared, tables, manifest: Some(manifest), keyring_generation };
            if let Some(path) = &self.anchor {
                Anchor { db_id: self.db_id, epoch }.write(path, &self.key)?;
            }
            self.purge(rocks)?;
            // What changed while obsolete files were deleted is listed at once. An edit is in the MANIFEST before it is
            // in force: tables are compared as well, or one that was deleted just now would stay listed.
            let is_settled = manifest_size(&self.layout.db)? == (manifest.number, manifest.len)
                && live(&rocks.db)?.iter().map(|table| table.0).eq(listed.tables.keys().copied());
            if phase == InventoryPhase::Closed || is_settled {
                return Ok(());
            }
            is_stale = true;
        }
    }

    fn tables(&self, rocks: &Rocks, known: &BTreeMap<u64, Table>) -> Result<BTreeMap<u64, Table>, Error> {
        let mut tables = BTreeMap::new();
        for (number, len) in live(&rocks.db)? {
            let table = match known.get(&number) {
                Some(table) => *table,
                None => {
                    let path = table_path(&self.layout.db, number);
                    let sha256 = digest_of(&path, len)?;
                    let what = || format!("{} is shorter than {len} bytes", path.display());
                    Table { number, len, sha256: sha256.ok_or_else(|| Error::Damaged { what: what() })? }
                }
            };
            tables.insert(number, table);
        }
        Ok(tables)
    }

    /// Let RocksDB delete obsolete files, now and not at any other time.
    fn purge(&self, rocks: &Rocks) -> Result<(), Error> {
        let failed = |error: rocksdb::Error| Error::Write { reason: error.into_string() };
        rocks.db.enable_file_deletions().map_err(failed)?;
        rocks.db.disable_file_deletions().map_err(failed)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).epoch
    }

    /// Compare some more tables with their digests, from the oldest on, once after each start.
    pub(crate) fn compare_some(&self) -> Result<(), Error> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = 0;
        while bytes < limits::TICK_VERIFY_BYTES {
            let Some((number, table)) = listed.tables.range(listed.compared + 1..).next() else { return Ok(()) };
            let (number, path) = (*number, table_path(&self.layout.db, *number));
            bytes += table.len;
            if digest_of(&path, table.len)? != Some(table.sha256) {
                return Err(Error::Damaged { what: format!("{} has changed", path.display()) });
            }
            listed.compared = number;
        }
        Ok(())
    }

    /// Compare every listed table with its digest; how many.
    pub(crate) fn verify(&self) -> Result<usize, Error> {
        // Held meanwhile: without a new inventory nothing that is listed is deleted.
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        for table in listed.tables.values() {
            let path = table_path(&self.layout.db, table.number);
            if digest_of(&path, table.len)? != Some(table.sha256) {
                return Err(Error::Damaged { what: format!("{} has changed", path.display()) });
            }
        }
        Ok(listed.tables.len())
    }
}

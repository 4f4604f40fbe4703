//! Is the folder what it was? Asked before RocksDB may change anything, and answered with what to do.

use std::collections::BTreeMap;

use ring::hmac;

use crate::disk::inventory::{
    Anchor, Inventory, InventoryPhase, ManifestPrefix, Table, current_manifest, digest_of, manifest_now, table_path,
};
use crate::disk::rocks::{Glance, Rocks, glance};
use crate::seal::keyring::Keyring;
use crate::settings::{Layout, Settings};
use crate::write::mark::{DiskMark, logs};
use crate::{Error, limits};

/// What was found to be in order.
pub(crate) struct Found {
    pub(crate) epoch: u64,
    /// The sequence number that RocksDB must reach; 0 for a new store.
    pub(crate) sequence: u64,
    /// Tables that must still be there after opening.
    pub(crate) tables: Vec<Table>,
    /// Make the database?
    pub(crate) create: bool,
}

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged { what: what.into() }
}

/// Compare the folder with the inventory, the mark and the anchor, and write the inventory of the opening.
pub(crate) fn check(settings: &Settings, layout: &Layout, keyring: &Keyring, key: &hmac::Key) -> Result<Found, Error> {
    let inventory = match Inventory::read(&layout.inventory, key) {
        Ok(Some(inventory)) => inventory,
        // A crash between the first keyring and the first inventory: there is nothing yet.
        Ok(None) if !layout.db.exists() && !layout.mark.exists() => {
            check_anchor(settings, keyring, key, None)?;
            return creating(layout, keyring, key, 0);
        }
        Ok(None) if !settings.accept_rollback => return Err(no_inventory(layout)),
        Err(error) if !settings.accept_rollback => return Err(error),
        Ok(None) | Err(_) => return accept(settings, layout, keyring, key),
    };
    if inventory.db_id != *keyring.db_id() {
        return Err(other_store());
    }
    if settings.accept_rollback {
        return accept(settings, layout, keyring, key);
    }
    check_age(settings, keyring, key, &inventory)?;
    if inventory.phase == InventoryPhase::Creating {
        return creating(layout, keyring, key, inventory.epoch);
    }
    let mark = check_mark(layout, key, &inventory)?;
    let same_manifest = check_manifest(layout, inventory.manifest.as_ref())?;
    let glance = glance(layout)?;
    let tables = check_tables(layout, &inventory, &glance, same_manifest)?;
    check_logs(layout, &mark, glance.first_log)?;
    let manifest = Some(manifest_now(&layout.db)?);
    let epoch = inventory.epoch + 1;
    Inventory { phase: InventoryPhase::Opening, epoch, manifest, tables: tables.clone(), ..inventory }
        .write(&layout.inventory, key)?;
    Ok(Found { epoch, sequence: mark.sequence, tables, create: false })
}

/// The same comparison for a look that writes nothing. `open` opens the database without writing: it is not compared with
/// what RocksDB finds before, because nothing can be lost by it.
pub(crate) fn check_to_read(
    settings: &Settings,
    layout: &Layout,
    keyring: &Keyring,
    key: &hmac::Key,
    open: impl FnOnce() -> Result<Rocks, Error>,
) -> Result<(Found, Rocks), Error> {
    let inventory = Inventory::read(&layout.inventory, key)?.ok_or_else(|| no_inventory(layout))?;
    if inventory.db_id != *keyring.db_id() {
        return Err(other_store());
    }
    check_age(settings, keyring, key, &inventory)?;
    if inventory.phase == InventoryPhase::Creating {
        let reason = "the store was never opened to its end: start the server once".into();
        return Err(Error::Open { path: layout.folder.clone(), reason });
    }
    let mark = check_mark(layout, key, &inventory)?;
    let same_manifest = check_manifest(layout, inventory.manifest.as_ref())?;
    let rocks = open()?;
    let glance = Glance::of(&rocks.db, layout)?;
    let tables = check_tables(layout, &inventory, &glance, same_manifest)?;
    check_logs(layout, &mark, glance.first_log)?;
    let found = Found { epoch: inventory.epoch, sequence: mark.sequence, tables, create: false };
    confirm(&found, &glance.tables, rocks.db.latest_sequence_number())?;
    Ok((found, rocks))
}

fn no_inventory(layout: &Layout) -> Error {
    damaged(format!(
        "{} is missing (if it cannot be put back, --accept-rollback makes a new one from what is there)",
        layout.inventory.display()
    ))
}

fn other_store() -> Error {
    damaged("the keyring belongs to another store: put the right one back")
}

/// Is the inventory as new as the anchor says, and the keyring as new as the inventory says?
fn check_age(settings: &Settings, keyring: &Keyring, key: &hmac::Key, inventory: &Inventory) -> Result<(), Error> {
    check_anchor(settings, keyring, key, Some(inventory))?;
    let (has, wants) = (keyring.generation(), inventory.keyring_generation);
    if has < wants {
        return Err(Error::RolledBack { what: format!("the keyring is generation {has}, {wants} is the newest") });
    }
    Ok(())
}

/// The mark, if it is of the inventory's start.
fn check_mark(layout: &Layout, key: &hmac::Key, inventory: &Inventory) -> Result<DiskMark, Error> {
    let mark =
        DiskMark::read(&layout.mark, key)?.ok_or_else(|| damaged(format!("{} is missing", layout.mark.display())))?;
    // While opening, the mark is replaced before the inventory.
    let mark_fits = mark.start_epoch == inventory.start_epoch
        || (inventory.phase == InventoryPhase::Opening && mark.start_epoch == inventory.epoch + 1);
    if !mark_fits {
        let what =
            format!("the mark is of start {}, the inventory of start {}", mark.start_epoch, inventory.start_epoch);
        return Err(Error::RolledBack { what });
    }
    Ok(mark)
}

fn creating(layout: &Layout, keyring: &Keyring, key: &hmac::Key, epoch: u64) -> Result<Found, Error> {
    let inventory = Inventory {
        phase: InventoryPhase::Creating,
        db_id: *keyring.db_id(),
        epoch: epoch + 1,
        start_epoch: epoch + 1,
        keyring_generation: keyring.generation(),
        manifest: None,
        tables: Vec::new(),
    };
    inventory.write(&layout.inventory, key)?;
    Ok(Found { epoch: epoch + 1, sequence: 0, tables: Vec::new(), create: true })
}

/// Take the folder as it is: the operator said so. The epoch goes beyond the anchor's.
fn accept(settings: &Settings, layout: &Layout, keyring: &Keyring, key: &hmac::Key) -> Result<Found, Error> {
    let known = |path: &std::path::PathBuf| Anchor::read(path, key).ok().flatten().map_or(0, |anchor| anchor.epoch);
    let anchor = settings.anchor.as_ref().map_or(0, known);
    let inventory = Inventory::read(&layout.inventory, key).ok().flatten().map_or(0, |inventory| inventory.epoch);
    let epoch = anchor.max(inventory) + 1;
    if !layout.db.exists() {
        return creating(layout, keyring, key, epoch);
    }
    let glance = glance(layout)?;
    let tables =
        glance.tables.iter().map(|(number, len)| table(layout, *number, *len)).collect::<Result<Vec<_>, _>>()?;
    let inventory = Inventory {
        phase: InventoryPhase::Opening,
        db_id: *keyring.db_id(),
        epoch,
        start_epoch: epoch,
        keyring_generation: keyring.generation(),
        manifest: Some(manifest_now(&layout.db)?),
        tables: tables.clone(),
    };
    inventory.write(&layout.inventory, key)?;
    tracing::warn!(epoch, "the store was accepted as it is: what was written after this copy is lost");
    Ok(Found { epoch, sequence: 0, tables, create: false })
}

fn check_anchor(
    settings: &Settings,
    keyring: &Keyring,
    key: &hmac::Key,
    inventory: Option<&Inventory>,
) -> Result<(), Error> {
    let Some(path) = &settings.anchor else { return Ok(()) };
    let epoch = inventory.map_or(0, |inventory| inventory.epoch);
    let is_new = inventory.is_none_or(|inventory| inventory.phase == InventoryPhase::Creating);
    match Anchor::read(path, key)? {
        None if is_new => Ok(()),
        None => Err(damaged(format!(
            "the anchor {} is missing (if it was never there or cannot be put back, --accept-rollback makes a new one)",
            path.display()
        ))),
        Some(anchor) if anchor.db_id != *keyring.db_id() => {
            Err(damaged(format!("the anchor {} belongs to another store", path.display())))
        }
        Some(anchor) if anchor.epoch > epoch => Err(Error::RolledBack {
            what: format!("the folder is of epoch {epoch}, the anchor {} of {}", path.display(), anchor.epoch),
        }),
        Some(_) => Ok(()),
    }
}

/// Is the MANIFEST the one of the inventory, unchanged up to its length then? `false`: it is a newer one.
fn check_manifest(layout: &Layout, known: Option<&ManifestPrefix>) -> Result<bool, Error> {
    let known = known.ok_or_else(|| damaged("the inventory names no MANIFEST"))?;
    let number = current_manifest(&layout.db)?;
    if number > known.number {
        return Ok(false);
    }
    if number < known.number {
        return Err(damaged(format!("CURRENT names MANIFEST-{number:06}, MANIFEST-{:06} is the newest", known.number)));
    }
    let path = layout.db.join(format!("MANIFEST-{number:06}"));
    if !path.exists() {
        return Err(damaged(format!("{} is missing", path.display())));
    }
    match digest_of(&path, known.len)? {
        Some(sha256) if sha256 == known.sha256 => Ok(true),
        Some(_) => Err(damaged(format!("{} has changed", path.display()))),
        None => Err(damaged(format!("{} is shorter than the {} bytes it had", path.display(), known.len))),
    }
}

fn table(layout: &Layout, number: u64, len: u64) -> Result<Table, Error> {
    let path = table_path(&layout.db, number);
    let sha256 =
        digest_of(&path, len)?.ok_or_else(|| damaged(format!("{} is shorter than {len} bytes", path.display())))?;
    Ok(Table { number, len, sha256 })
}

/// Live tables against the inventory. A table may be gone only by an edit of the MANIFEST that we know: a newer
/// MANIFEST begins with a copy of what was live, and compaction waits until the inventory names it.
fn check_tables(
    layout: &Layout,
    inventory: &Inventory,
    glance: &Glance,
    same_manifest: bool,
) -> Result<Vec<Table>, Error> {
    let known: BTreeMap<u64, &Table> = inventory.tables.iter().map(|table| (table.number, table)).collect();
    if !same_manifest {
        let live = |number: &u64| glance.tables.binary_search_by_key(number, |table| table.0).is_ok();
        if let Some(number) = known.keys().find(|number| !live(number)) {
            return Err(damaged(format!("the MANIFEST has forgotten table {number:06}.sst")));
        }
    }
    let mut tables = Vec::with_capacity(glance.tables.len());
    let mut checked_bytes = 0;
    for (number, len) in glance.tables.iter().rev() {
        let path = table_path(&layout.db, *number);
        let found = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        if found != *len {
            return Err(damaged(format!("{} has {found} bytes, {len} are expected", path.display())));
        }
        match known.get(number) {
            None => tables.push(table(layout, *number, *len)?),
            Some(known) => {
                checked_bytes += len;
                // The newest first; the rest is checked in the background, and block by block when it is read.
                let is_same = checked_bytes > limits::START_VERIFY_BYTES
                    || digest_of(&path, *len)?.is_some_and(|sha256| sha256 == known.sha256);
                if known.len != *len || !is_same {
                    return Err(damaged(format!("{} has changed", path.display())));
                }
                tables.push(**known);
            }
        }
    }
    tables.reverse();
    Ok(tables)
}

/// Every log that is still needed must reach as far as the mark says.
fn check_logs(layout: &Layout, mark: &DiskMark, first_log: u64) -> Result<(), Error> {
    let present: BTreeMap<u64, u64> = logs(&layout.wal)?.into_iter().collect();
    for (number, len) in mark.logs.iter().filter(|(number, _)| *number >= first_log) {
        let path = layout.wal.join(format!("{number:06}.log"));
        match present.get(number) {
            None => return Err(damaged(format!("{} is missing", path.display()))),
            Some(found) if found < len => {
                return Err(damaged(format!("{} has {found} bytes, at least {len} were synced", path.display())));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// After opening: did RocksDB find everything?
pub(crate) fn confirm(found: &Found, live: &[(u64, u64)], sequence: u64) -> Result<(), Error> {
    let is_live = |table: &&Table| live.binary_search_by_key(&table.number, |known| known.0).is_err();
    if let Some(table) = found.tables.iter().find(is_live) {
        return Err(damaged(format!("table {:06}.sst was lost while opening", table.number)));
    }
    if sequence < found.sequence {
        return Err(damaged(format!(
            "the logs end at write {sequence}, write {} was synced: a log is incomplete",
            found.sequence
        )));
    }
    Ok(())
}

//! Backups: a checkpoint of the open store, stored as objects named by their content, so that the next backup stores only
//! what is new. Values are sealed already; the keyring goes along, sealed by its unseal key. The list of files is signed.

mod folder;
mod manifest;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::PoisonError;

use linchpin_protocol::model::DAY_MS;
use ring::digest;

use crate::disk::durable;
use crate::disk::verify::Verified;
use crate::schema::key::hex;
use crate::seal::keyring;
use crate::seal::keyring::{body::Fixed, file};
use crate::seal::unseal::Unseal;
use crate::settings::{Layout, Settings};
use crate::store::Store;
use crate::{Error, schema};

pub use folder::FolderTarget;
pub use manifest::{BackupFile, Manifest};

/// Where backups are stored. Calls block and may be slow. Names are of letters, digits, `-`, `.` and `/`.
pub trait BackupTarget {
    /// Store an object; replaces one of the same name as a whole.
    ///
    /// # Errors
    /// It was not stored.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error>;
    /// An object, or `None`.
    ///
    /// # Errors
    /// It cannot be read.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error>;
    /// The size of an object, bytes; `None`: there is none.
    ///
    /// # Errors
    /// It cannot be known.
    fn len(&self, name: &str) -> Result<Option<u64>, Error>;
    /// Names that begin like this, sorted.
    ///
    /// # Errors
    /// They cannot be listed.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;
    /// Remove an object; it need not exist.
    ///
    /// # Errors
    /// It is still there.
    fn delete(&self, name: &str) -> Result<(), Error>;
}

/// What making a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its name.
    pub id: String,
    /// Files of the store.
    pub files: usize,
    /// Objects that were not in an earlier backup, or were damaged there.
    pub new_objects: usize,
    /// Their size, bytes.
    pub new_bytes: u64,
}

fn object_of(sha256: &[u8; 32]) -> String {
    format!("objects/{}", hex(sha256))
}

fn manifest_of(id: &str) -> String {
    format!("backups/{id}.manifest")
}

fn keyring_of(id: &str) -> String {
    format!("backups/{id}.keyring")
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    sum
}

fn unusable(what: impl Into<String>) -> Error {
    Error::Backup { what: what.into() }
}

impl Store {
    /// The number that only this store and its copies have: backups carry it.
    #[must_use]
    pub fn db_id(&self) -> [u8; 16] {
        *self.inner.keyring.db_id()
    }

    /// Back up the store while it is in use.
    ///
    /// # Errors
    /// Those of the target; [`Error::Io`], [`Error::Write`]. Objects already stored stay for the next try.
    pub fn back_up(&self, target: &dyn BackupTarget) -> Result<Created, Error> {
        let inner = &self.inner;
        inner.check_writable()?;
        let _one = inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        // A checkpoint writes what is in memory: not into the reserve.
        inner.space.check()?;
        inner.settle()?;
        let folder = inner.layout.folder.join("checkpoint");
        // Left over by a crash.
        let _ = std::fs::remove_dir_all(&folder);
        let checkpoint = rocksdb::checkpoint::Checkpoint::new(&inner.rocks.db)?;
        checkpoint.create_checkpoint_with_log_size(&folder, 0)?;
        inner.settings.steps.reach("backup: checkpoint made");
        let result = self.upload(target, &folder);
        let _ = std::fs::remove_dir_all(&folder);
        result
    }

    fn upload(&self, target: &dyn BackupTarget, folder: &Path) -> Result<Created, Error> {
        let inner = &self.inner;
        let (mut files, mut new_objects, mut new_bytes) = (Vec::new(), 0, 0);
        let created_ms = inner.settings.clock.now_ms();
        for entry in std::fs::read_dir(folder).map_err(durable::failed(folder, "list"))? {
            let entry = entry.map_err(durable::failed(folder, "list"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = std::fs::read(entry.path()).map_err(durable::failed(folder, "read"))?;
            let sha256 = sha256(&bytes);
            let object = object_of(&sha256);
            if !is_whole(target, &object, &bytes, created_ms)? {
                target.put(&object, &bytes)?;
                new_objects += 1;
                new_bytes += bytes.len() as u64;
                inner.settings.steps.reach("backup: object stored");
            }
            files.push(BackupFile { name, len: bytes.len() as u64, sha256 });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let random: [u8; 4] = keyring::body::random()?;
        let id = format!("{created_ms:013}-{}", hex(&random));
        let (keyring_generation, keyring) = inner.keyring.sealed()?;
        let manifest = Manifest {
            id: id.clone(),
            db_id: *inner.keyring.db_id(),
            created_ms,
            keyring_generation,
            epoch: inner.inventory.epoch(),
            files,
        };
        target.put(&keyring_of(&id), &keyring)?;
        inner.settings.steps.reach("backup: keyring stored");
        // Last: a backup without it is none.
        target.put(&manifest_of(&id), &manifest.sign(&inner.keyring.fixed(Fixed::Sign)))?;
        Ok(Created { id, files: manifest.files.len(), new_objects, new_bytes })
    }
}

/// Is this object in the place already, as it should be? Its size is compared each time, and its bytes on one day of each
/// seven: what has rotted would else be inherited by every later backup.
fn is_whole(target: &dyn BackupTarget, name: &str, bytes: &[u8], now_ms: u64) -> Result<bool, Error> {
    match target.len(name)? {
        None => return Ok(false),
        Some(len) if len == bytes.len() as u64 => {}
        Some(len) => {
            tracing::warn!(name, len, wanted = bytes.len(), "an object of the backups is damaged: it is stored again");
            return Ok(false);
        }
    }
    let day = now_ms / DAY_MS % 7;
    let is_its_day = u64::from(name.bytes().fold(0u8, u8::wrapping_add)) % 7 == day;
    if !is_its_day || target.get(name)?.is_some_and(|stored| stored == bytes) {
        return Ok(true);
    }
    tracing::warn!(name, "an object of the backups is damaged: it is stored again");
    Ok(false)
}

/// The newest complete backup of one store in a place that others may share, and when it was made, ms since 1970. Its
/// signature is not looked at.
///
/// # Errors
/// Those of the target.
pub fn newest_of(target: &dyn BackupTarget, db_id: &[u8; 16]) -> Result<Option<(String, u64)>, Error> {
    Ok(latest(target, db_id, 1)?.pop().map(|backup| (backup.id, backup.created_ms)))
}

/// A backup in a list; its signature was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupHead {
    /// Its name.
    pub id: String,
    /// When it was made, ms since 1970.
    pub created_ms: u64,
    /// Its files, bytes.
    pub bytes: u64,
}

/// The newest backups of a store, at most so many, the newest first.
///
/// # Errors
/// Those of the target.
pub fn latest(target: &dyn BackupTarget, db_id: &[u8; 16], most: usize) -> Result<Vec<BackupHead>, Error> {
    let mut found = Vec::new();
    for id in list(target)?.into_iter().rev() {
        if found.len() == most {
            break;
        }
        let manifest = target.get(&manifest_of(&id))?.and_then(|bytes| Manifest::unverified(&bytes));
        if let Some(manifest) = manifest.filter(|manifest| manifest.db_id == *db_id) {
            let bytes = manifest.files.iter().map(|file| file.len).sum();
            found.push(BackupHead { id, created_ms: manifest.created_ms, bytes });
        }
    }
    Ok(found)
}

/// Names of all complete backups, the oldest first.
///
/// # Errors
/// Those of the target.
pub fn list(target: &dyn BackupTarget) -> Result<Vec<String>, Error> {
    let names = target.list("backups/")?;
    let id = |name: &String| Some(name.strip_prefix("backups/")?.strip_suffix(".manifest")?.to_owned());
    Ok(names.iter().filter_map(id).collect())
}

/// What a backup says of itself. Nothing vouches for it: see [`verify`].
///
/// # Errors
/// Its list of files cannot be read.
pub fn peek(target: &dyn BackupTarget, id: &str) -> Result<Manifest, Error> {
    let bytes =
        target.get(&manifest_of(id))?.ok_or_else(|| unusable(format!("the list of files of {id} is missing")))?;
    Manifest::unverified(&bytes).ok_or_else(|| unusable(format!("the list of files of {id} is damaged")))
}

fn keyring_file(target: &dyn BackupTarget, id: &str) -> Result<Vec<u8>, Error> {
    target.get(&keyring_of(id))?.ok_or_else(|| unusable(format!("the keyring of {id} is missing: use another backup")))
}

fn signed(target: &dyn BackupTarget, id: &str, unseal: &Unseal) -> Result<(Manifest, Vec<u8>), Error> {
    let keyring = keyring_file(target, id)?;
    let opened = file::open(&keyring, "the keyring of the backup", unseal)?;
    let body = keyring::body::Body::decode(&opened.body).map_err(|_| unusable("its keyring is of another version"))?;
    let bytes = target
        .get(&manifest_of(id))?
        .ok_or_else(|| unusable(format!("there is no backup {id}: `linchpin backup list` shows them")))?;
    let manifest = Manifest::verify(&bytes, &body.fixed[Fixed::Sign as usize])
        .ok_or_else(|| unusable(format!("the list of files of {id} is damaged or not signed by this store")))?;
    if manifest.id != id {
        return Err(unusable(format!("the list of files of {id} is that of {}", manifest.id)));
    }
    if manifest.db_id != opened.head.db_id || manifest.keyring_generation != opened.head.generation {
        return Err(unusable(format!("the keyring of {id} is not the one that was stored with it")));
    }
    Ok((manifest, keyring))
}

fn object(target: &dyn BackupTarget, file: &BackupFile) -> Result<Vec<u8>, Error> {
    let name = object_of(&file.sha256);
    let bytes = target.get(&name)?.ok_or_else(|| unusable(format!("{name} ({}) is missing", file.name)))?;
    if bytes.len() as u64 != file.len || sha256(&bytes) != file.sha256 {
        return Err(unusable(format!("{name} ({}) is damaged", file.name)));
    }
    Ok(bytes)
}

/// Is every object of a backup there, as it was stored?
///
/// # Errors
/// [`Error::Backup`]: what is wrong. [`Error::Key`].
pub fn verify(target: &dyn BackupTarget, id: &str, unseal: &Unseal) -> Result<Manifest, Error> {
    let (manifest, _) = signed(target, id, unseal)?;
    for file in &manifest.files {
        object(target, file)?;
    }
    Ok(manifest)
}

/// Restore a backup into an empty folder, open it, and read every record. What was written after the backup is lost:
/// the anchor of the settings, if there is one, moves on.
///
/// # Errors
/// [`Error::Backup`], [`Error::Key`], and those of [`Store::open`] and [`Store::verify`].
pub fn restore(target: &dyn BackupTarget, id: &str, settings: Settings) -> Result<Verified, Error> {
    let layout = Layout::new(&settings.folder);
    let is_empty = std::fs::read_dir(&layout.folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(unusable(format!("{} is not empty: restore into an empty folder", layout.folder.display())));
    }
    // The keyring that was checked is the one that is used: the place is asked once.
    let (manifest, keyring) = signed(target, id, &settings.unseal)?;
    for folder in [&layout.folder, &layout.db, &layout.wal] {
        std::fs::create_dir_all(folder).map_err(durable::failed(folder, "create"))?;
    }
    for file in &manifest.files {
        let is_log = file.name.ends_with(".log");
        let folder = if is_log { &layout.wal } else { &layout.db };
        durable::write_private(&folder.join(&file.name), &object(target, file)?)?;
    }
    // Last: without it the folder is not taken for a store.
    for name in file::NAMES {
        durable::write_private(&layout.folder.join(name), &keyring)?;
    }
    let store = Store::open(Settings { accept_rollback: true, create: false, ..settings })?;
    let verified = store.verify()?;
    store.close()?;
    Ok(verified)
}

/// Retain the newest backups of a store only, and no object that no backup needs. Backups of other stores in the same place
/// stay, with all that they need. Returns how many backups were removed.
///
/// # Errors
/// Those of the target; [`Error::Backup`]: a retained backup cannot be read, then nothing is removed.
pub fn prune(target: &dyn BackupTarget, retain: usize, unseal: &Unseal, db_id: &[u8; 16]) -> Result<usize, Error> {
    let mut ours = Vec::new();
    let mut needed = BTreeSet::new();
    for id in list(target)? {
        let Some(bytes) = target.get(&manifest_of(&id))? else { continue };
        match Manifest::unverified(&bytes) {
            Some(manifest) if manifest.db_id == *db_id => ours.push(id),
            Some(manifest) => needed.extend(manifest.files.iter().map(|file| object_of(&file.sha256))),
            None => return Err(unusable(format!("the list of files of {id} cannot be read, so nothing was removed"))),
        }
    }
    let (old, retained) = ours.split_at(ours.len().saturating_sub(retain.max(1)));
    for id in retained {
        needed.extend(signed(target, id, unseal)?.0.files.iter().map(|file| object_of(&file.sha256)));
    }
    for id in old {
        target.delete(&manifest_of(id))?;
        target.delete(&keyring_of(id))?;
    }
    for name in target.list("objects/")? {
        if !needed.contains(&name) {
            target.delete(&name)?;
        }
    }
    Ok(old.len())
}

/// Destroy the key of an organization in all backups of a store. Returns in how many. A place that retains versions of its
/// objects, or snapshots of its file system, still has the keyrings of before: they open with the unseal key of then.
///
/// # Errors
/// Those of the target; [`Error::Key`]: a backup has another unseal key.
pub fn erase_org(
    target: &dyn BackupTarget,
    unseal: &Unseal,
    db_id: &[u8; 16],
    org: schema::OrgId,
) -> Result<usize, Error> {
    change_keyrings(target, db_id, |bytes| keyring::without_org(bytes, unseal, org.get()))
}

/// Let all backups of a store be opened by another unseal key from now on. Returns how many.
///
/// # Errors
/// As [`erase_org`].
pub fn rewrap(target: &dyn BackupTarget, old: &Unseal, new: &Unseal, db_id: &[u8; 16]) -> Result<usize, Error> {
    change_keyrings(target, db_id, |bytes| keyring::rewrapped(bytes, old, new))
}

fn change_keyrings(
    target: &dyn BackupTarget,
    db_id: &[u8; 16],
    change: impl Fn(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<usize, Error> {
    let names = target.list("backups/")?;
    let mut count = 0;
    for name in names.iter().filter(|name| name.ends_with(".keyring")) {
        let Some(bytes) = target.get(name)?.filter(|bytes| file::db_id(bytes) == Some(*db_id)) else { continue };
        target.put(name, &change(&bytes)?)?;
        count += 1;
    }
    Ok(count)
}

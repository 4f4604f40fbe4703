//! What operators do with the store: keys, erasing, checks, backups. The same functions serve the admin socket of a running
//! server and a store that no server has open; all of them block for the disk.

use std::ops::ControlFlow;

use linchpin_protocol::model::OrgId;
use linchpin_storage::schema::{Device, DeviceKey, Org};
use linchpin_storage::{Error, Settings, TimeFormat, Unseal, Zone, backup};

use super::request::{
    AcceptedClock, BackupCreate, BackupList, BackupVerify, CheckedBackup, EraseDevice, EraseOrg, ErasedDevice,
    ErasedOrg, FamilyLine, Keyring, KeysRewrap, KeysRotate, KeysRotateRoot, KeysStatus, MadeBackup, RestoredBackup,
    Rewrapped, Rotated, StoreAcceptClock, StoreStats, StoreVerify, StoredNow, VerifiedStore,
};
use crate::backup::{BackupPlace, Upkeep};
use crate::{Code, CommandError};

/// Said wherever one device is erased: its records are sealed with its organization's key, which others need.
pub(super) const NOT_IN_BACKUPS: &str = "backups made before still hold it until they are removed";

pub(super) fn keys_status(upkeep: &Upkeep, _: &KeysStatus) -> Result<Keyring, CommandError> {
    Ok(keyring(upkeep))
}

pub(super) fn keys_rotate(upkeep: &Upkeep, _: &KeysRotate) -> Result<Rotated, CommandError> {
    let done = upkeep.keep().store().rotate_keys()?;
    Ok(Rotated { resealed: done.resealed, retired: done.retired })
}

pub(super) fn keys_rotate_root(upkeep: &Upkeep, _: &KeysRotateRoot) -> Result<Keyring, CommandError> {
    upkeep.keep().store().rotate_root(&upkeep.unseal())?;
    Ok(keyring(upkeep))
}

fn keyring(upkeep: &Upkeep) -> Keyring {
    let status = upkeep.keep().store().key_status();
    Keyring {
        generation: status.generation,
        root_version: status.root_version,
        key_version: status.key_version,
        newest_epoch: status.newest_epoch,
        newest_created_s: status.newest_created_s,
        epochs: status.epochs as u64,
        epoch_limit: status.epoch_limit as u64,
        orgs: status.orgs as u64,
        erased: status.erased as u64,
        locked_in_memory: status.is_locked,
        unsealed_by: format!("{:?}", upkeep.unseal()),
    }
}

/// Another source of the unseal key, for the store and for the backups that can be reached.
pub(super) fn keys_rewrap(upkeep: &Upkeep, asked: &KeysRewrap) -> Result<Rewrapped, CommandError> {
    let KeysRewrap { file, credential, environment, to } = asked.clone();
    let new = match (file, credential, environment) {
        (Some(path), None, None) if path.is_absolute() => Unseal::File(path),
        (Some(_), None, None) => return Err(CommandError::parameter("file", "an absolute path")),
        (None, Some(name), None) => Unseal::Credential(name),
        (None, None, Some(name)) => Unseal::Environment(name),
        _ => {
            let text = "name one new source: file, credential or environment";
            return Err(CommandError::new(Code::BadParameter, text));
        }
    };
    let old = upkeep.unseal();
    upkeep.keep().store().rewrap(&new)?;
    upkeep.set_unseal(new.clone());
    let backups = match upkeep.optional_place(to.as_deref())? {
        Some(place) => backup::rewrap(&*place.open()?, &old, &new, &upkeep.keep().store().db_id())?,
        None => 0,
    };
    Ok(Rewrapped { unsealed_by: format!("{new:?}"), backups: backups as u64 })
}

/// The first organization cannot be erased alone.
pub(super) fn may_be_erased(org: OrgId) -> Result<(), CommandError> {
    if org != OrgId::FIRST {
        return Ok(());
    }
    let text = "organization 1 is the server's own and cannot be erased alone: to erase everything, stop the server and \
                remove its data directory and its backups";
    Err(CommandError::new(Code::Refused, text))
}

pub(super) fn erase_org(upkeep: &Upkeep, asked: &EraseOrg) -> Result<ErasedOrg, CommandError> {
    let org = asked.org.0;
    may_be_erased(org)?;
    match upkeep.keep().store().get::<Org>(&org) {
        // Once more: it may still be in backups.
        Ok(Some(_)) | Err(Error::Erased { .. }) => {}
        Ok(None) => return Err(CommandError::no_such_org(org)),
        Err(error) => return Err(error.into()),
    }
    upkeep.keep().store().erase_org(org)?;
    let backups = match upkeep.optional_place(asked.to.as_deref())? {
        Some(place) => backup::erase_org(&*place.open()?, &upkeep.unseal(), &upkeep.keep().store().db_id(), org)
            .map_err(|error| {
                let text = format!("organization {org} is erased here, but not in the backups: {error}");
                CommandError::new(Code::Backup, text)
            })?,
        None => 0,
    };
    Ok(ErasedOrg { erased: org.get(), backups: backups as u64 })
}

pub(super) fn erase_device(upkeep: &Upkeep, asked: &EraseDevice) -> Result<ErasedDevice, CommandError> {
    let device = asked.device.0;
    let mut found = None;
    let store = upkeep.keep().store();
    store.scan::<Device>(|key, _| {
        if key.device() == device {
            found = Some(key.org());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let org = found.ok_or_else(|| CommandError::no_such_device(device))?;
    store.erase_device(DeviceKey::new(org, device))?;
    Ok(ErasedDevice { erased: device.get(), note: NOT_IN_BACKUPS.to_owned() })
}

pub(super) fn stats(upkeep: &Upkeep, _: &StoreStats) -> Result<StoredNow, CommandError> {
    let store = upkeep.keep().store();
    let families = store.families().into_iter().map(|family| FamilyLine {
        name: family.name.to_owned(),
        partitions: family.partitions as u64,
        records: family.records,
        bytes: family.bytes,
    });
    let figures = store.figures();
    Ok(StoredNow {
        families: families.collect(),
        epoch: figures.epoch,
        commits: figures.commits,
        syncs: figures.syncs,
        slowest_sync_us: figures.slowest_sync_us,
        points: figures.telemetry_points,
        at_risk_ms: figures.unsynced_ms,
        clock_ahead_s: figures.clock_ahead_s,
        full: figures.is_full,
        poisoned: figures.is_poisoned,
    })
}

pub(super) fn verify(upkeep: &Upkeep, _: &StoreVerify) -> Result<VerifiedStore, CommandError> {
    let found = upkeep.keep().store().verify()?;
    Ok(VerifiedStore { records: found.records, bytes: found.bytes, tables: found.tables as u64 })
}

pub(super) fn accept_clock(upkeep: &Upkeep, _: &StoreAcceptClock) -> Result<AcceptedClock, CommandError> {
    let accepted_ms = upkeep.keep().store().accept_clock()?;
    Ok(AcceptedClock { accepted_ms, accepted: TimeFormat::Iso.text(accepted_ms, &Zone::UTC) })
}

pub(super) fn backup_create(upkeep: &Upkeep, asked: &BackupCreate) -> Result<MadeBackup, CommandError> {
    upkeep.back_up(&upkeep.place(asked.to.as_deref())?, asked.keep)
}

pub(super) fn backup_list(upkeep: &Upkeep, asked: &BackupList) -> Result<Vec<String>, CommandError> {
    list_backups(&upkeep.place(asked.to.as_deref())?)
}

pub(super) fn backup_verify(upkeep: &Upkeep, asked: &BackupVerify) -> Result<CheckedBackup, CommandError> {
    let place = upkeep.place(asked.to.as_deref())?;
    let id = named_or_newest(&*place.open()?, asked.backup.as_deref())?;
    let checked = verify_backup(&place, Some(&id), &upkeep.unseal());
    upkeep.note_verified(&id, checked.is_ok());
    checked
}

/// The named backup, else the newest complete one.
fn named_or_newest(target: &dyn backup::BackupTarget, id: Option<&str>) -> Result<String, CommandError> {
    match id {
        Some(id) => Ok(id.to_owned()),
        None => {
            let none = || CommandError::new(Code::Backup, "there is no complete backup in this place");
            backup::list(target)?.pop().ok_or_else(none)
        }
    }
}

/// Restore a backup into an empty folder, with everything in it read once.
///
/// # Errors
/// What is wrong with the backup, the key or the folder.
pub fn restore_backup(
    place: &BackupPlace,
    id: Option<&str>,
    settings: Settings,
) -> Result<RestoredBackup, CommandError> {
    let target = place.open()?;
    let id = named_or_newest(&*target, id)?;
    let folder = settings.folder.clone();
    let found = backup::restore(&*target, &id, settings)?;
    Ok(RestoredBackup { id, folder, records: found.records, bytes: found.bytes, tables: found.tables as u64 })
}

/// Check a backup without a store of its own.
///
/// # Errors
/// What is wrong with it.
pub fn verify_backup(place: &BackupPlace, id: Option<&str>, unseal: &Unseal) -> Result<CheckedBackup, CommandError> {
    let target = place.open()?;
    let id = named_or_newest(&*target, id)?;
    let manifest = backup::verify(&*target, &id, unseal)?;
    let bytes = manifest.files.iter().map(|file| file.len).sum();
    Ok(CheckedBackup { id, files: manifest.files.len() as u64, bytes, created_ms: manifest.created_ms })
}

/// The backups of a place, the oldest first.
///
/// # Errors
/// It cannot be read.
pub fn list_backups(place: &BackupPlace) -> Result<Vec<String>, CommandError> {
    Ok(backup::list(&*place.open()?)?)
}

/// A backup as its own list of files says; whether that is signed only `verify` knows.
#[derive(Clone, Debug)]
pub struct ListedBackup {
    /// Its name.
    pub id: String,
    /// When it was made, Unix ms.
    pub created_ms: u64,
    /// Files of the store in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The same with dates and sizes, without any key.
///
/// # Errors
/// The place cannot be read.
pub fn describe_backups(place: &BackupPlace) -> Result<Vec<ListedBackup>, CommandError> {
    let target = place.open()?;
    let mut listed = Vec::new();
    for id in backup::list(&*target)? {
        let said = backup::peek(&*target, &id)?;
        let bytes = said.files.iter().map(|file| file.len).sum();
        listed.push(ListedBackup { id, created_ms: said.created_ms, files: said.files.len() as u64, bytes });
    }
    Ok(listed)
}

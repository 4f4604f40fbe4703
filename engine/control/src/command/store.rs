//! What operators do with the store: keys, erasing, checks, backups, organizations. The same commands work through the
//! admin socket of a running server and on a store that no server has open; all of them block for the disk.

use linchpin_protocol::model::OrgId;
use linchpin_storage::schema::{Counter, CounterName, Device, DeviceKey, Org};
use linchpin_storage::{Error, TimeFormat, Unseal, backup};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::backup::{BackupFigures, BackupPlace, BackupPlan};
use crate::command::parameters::{device_id, no_such_device, optional_text, optional_u32};
use crate::{CommandError, Keep, limits};

/// An open store, and what its upkeep needs besides. Copies are cheap.
#[derive(Clone, Debug)]
pub struct Upkeep {
    keep: Keep,
    /// What opens the keyring: changed by `keys.rewrap`.
    unseal: Arc<Mutex<Unseal>>,
    plan: Option<BackupPlan>,
    figures: Arc<Mutex<BackupFigures>>,
}

type Answer = Result<Value, CommandError>;

fn failed(error: &Error) -> CommandError {
    let code = match error {
        Error::Backup { .. } => "backup",
        Error::Key { .. } => "key",
        _ => "store",
    };
    CommandError::new(code, error.to_string())
}

impl Upkeep {
    /// On an open store, with what opened it and where its backups go.
    #[must_use]
    pub fn new(keep: Keep, unseal: Unseal, plan: Option<BackupPlan>) -> Self {
        Self { keep, unseal: Arc::new(Mutex::new(unseal)), plan, figures: Arc::default() }
    }

    /// The store for other work.
    #[must_use]
    pub const fn keep(&self) -> &Keep {
        &self.keep
    }

    pub(crate) const fn plan(&self) -> Option<&BackupPlan> {
        self.plan.as_ref()
    }

    /// What backups did so far.
    #[must_use]
    pub fn figures(&self) -> BackupFigures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unseal(&self) -> Unseal {
        self.unseal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Is this one of its commands?
    #[must_use]
    pub fn knows(command: &str) -> bool {
        ["keys.", "erase.", "store.", "backup.", "org."].iter().any(|kind| command.starts_with(kind))
    }

    /// Does this command leave the store as it is? Without a server it is carried out on a store that is open to read only.
    #[must_use]
    pub fn only_reads(command: &str) -> bool {
        ["keys.status", "store.stats", "store.verify", "org.list"].contains(&command)
    }

    /// Carry out one command with its parameters. A running server must have told its shards before an erasure.
    ///
    /// # Errors
    /// What the store or the place of backups says; a parameter is wrong.
    pub fn carry_out(&self, command: &str, parameters: &Value) -> Answer {
        let store = self.keep.store();
        match command {
            "keys.status" => Ok(self.key_status()),
            "keys.rotate" => {
                let done = store.rotate_keys().map_err(|error| failed(&error))?;
                Ok(json!({"resealed": done.resealed, "retired": done.retired}))
            }
            "keys.rotate-root" => {
                store.rotate_root(&self.unseal()).map_err(|error| failed(&error))?;
                Ok(self.key_status())
            }
            "keys.rewrap" => self.rewrap(parameters),
            "erase.org" => self.erase_org(parameters),
            "erase.device" => self.erase_device(parameters),
            "store.stats" => Ok(self.stats()),
            "store.accept-clock" => {
                let now_ms = store.accept_clock().map_err(|error| failed(&error))?;
                Ok(json!({"accepted_ms": now_ms, "accepted": TimeFormat::Iso.text(now_ms, 0)}))
            }
            "store.verify" => {
                let found = store.verify().map_err(|error| failed(&error))?;
                Ok(json!({"records": found.records, "bytes": found.bytes, "tables": found.tables}))
            }
            "backup.create" => self.back_up(&self.place(parameters)?, optional_u32(parameters, "keep")?),
            "backup.list" => {
                let target = self.place(parameters)?.open()?;
                let ids = backup::list(&*target).map_err(|error| failed(&error))?;
                Ok(ids.into_iter().map(Value::from).collect())
            }
            "backup.verify" => self.verify_backup(parameters),
            "org.list" => self.orgs(),
            "org.add" => self.add_org(parameters),
            _ => {
                Err(CommandError::new("unknown-command", format!("there is no command {command:?}; see docs/admin.md")))
            }
        }
    }

    fn key_status(&self) -> Value {
        let status = self.keep.store().key_status();
        json!({
            "generation": status.generation,
            "root_version": status.root_version,
            "key_version": status.key_version,
            "newest_epoch": status.newest_epoch,
            "newest_created_s": status.newest_created_s,
            "epochs": status.epochs,
            "epoch_limit": status.epoch_limit,
            "orgs": status.orgs,
            "erased": status.erased,
            "locked_in_memory": status.is_locked,
            "unsealed_by": format!("{:?}", self.unseal()),
        })
    }

    fn stats(&self) -> Value {
        let (store, mut families) = (self.keep.store(), Vec::new());
        for family in store.families() {
            families.push(json!({
                "name": family.name,
                "partitions": family.partitions,
                "records": family.records,
                "bytes": family.bytes,
            }));
        }
        let figures = store.figures();
        json!({
            "families": families,
            "epoch": figures.epoch,
            "commits": figures.commits,
            "syncs": figures.syncs,
            "slowest_sync_us": figures.slowest_sync_us,
            "points": figures.telemetry_points,
            "at_risk_ms": figures.unsynced_ms,
            "full": figures.is_full,
            "poisoned": figures.is_poisoned,
            "clock_ahead_s": figures.clock_ahead_s,
        })
    }

    /// Another source of the unseal key, for the store and for the backups that can be reached.
    fn rewrap(&self, parameters: &Value) -> Answer {
        let new = source(parameters)?;
        let old = self.unseal();
        self.keep.store().rewrap(&new).map_err(|error| failed(&error))?;
        *self.unseal.lock().unwrap_or_else(PoisonError::into_inner) = new.clone();
        let backups = match self.optional_place(parameters)? {
            Some(place) => {
                let target = place.open()?;
                backup::rewrap(&*target, &old, &new).map_err(|error| failed(&error))?
            }
            None => 0,
        };
        Ok(json!({"unsealed_by": format!("{new:?}"), "backups": backups}))
    }

    fn erase_org(&self, parameters: &Value) -> Answer {
        let org = erased_org(parameters)?;
        self.known(org)?;
        self.keep.store().erase_org(org).map_err(|error| failed(&error))?;
        let backups = match self.optional_place(parameters)? {
            Some(place) => {
                let target = place.open()?;
                backup::erase_org(&*target, &self.unseal(), org).map_err(|error| {
                    let text = format!("organization {org} is erased here, but not in the backups: {error}");
                    CommandError::new("backup", text)
                })?
            }
            None => 0,
        };
        Ok(json!({"erased": org.get(), "backups": backups}))
    }

    fn erase_device(&self, parameters: &Value) -> Answer {
        let device = device_id(parameters)?;
        let mut found = None;
        let store = self.keep.store();
        let looked = store.scan::<Device>(|key, _| {
            if key.device() == device {
                found = Some(key.org());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        looked.map_err(|error| failed(&error))?;
        let org = found.ok_or_else(|| no_such_device(device))?;
        store.erase_device(DeviceKey::new(org, device)).map_err(|error| failed(&error))?;
        Ok(json!({"erased": device.get(), "note": NOT_IN_BACKUPS}))
    }

    /// Make a backup, and remove those that are too old.
    pub(crate) fn back_up(&self, place: &BackupPlace, keep: Option<u32>) -> Answer {
        let begun = std::time::Instant::now();
        let result = self.try_back_up(place, keep);
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.note(&result, begun.elapsed());
        result.map(|(created, removed)| {
            json!({
                "id": created.id,
                "files": created.files,
                "new_objects": created.new_objects,
                "new_bytes": created.new_bytes,
                "removed": removed,
            })
        })
    }

    fn try_back_up(&self, place: &BackupPlace, keep: Option<u32>) -> Result<(backup::Created, usize), CommandError> {
        let target = place.open()?;
        let created = self.keep.store().back_up(&*target).map_err(|error| failed(&error))?;
        let removed = match keep.filter(|keep| *keep > 0) {
            Some(keep) => backup::prune(&*target, keep as usize, &self.unseal()).map_err(|error| failed(&error))?,
            None => 0,
        };
        Ok((created, removed))
    }

    fn verify_backup(&self, parameters: &Value) -> Answer {
        let target = self.place(parameters)?.open()?;
        let id = match optional_text(parameters, "backup")? {
            Some(id) => id.to_owned(),
            None => newest(&*target)?,
        };
        let manifest = backup::verify(&*target, &id, &self.unseal()).map_err(|error| failed(&error))?;
        let bytes: u64 = manifest.files.iter().map(|file| file.len).sum();
        Ok(json!({"id": id, "files": manifest.files.len(), "bytes": bytes, "created_ms": manifest.created_ms}))
    }

    fn orgs(&self) -> Answer {
        let mut orgs = Vec::new();
        let scanned = self.keep.store().scan::<Org>(|id, org| {
            orgs.push(
                json!({"org": id.get(), "name": &*org.name, "created_ms": org.created_ms, "raw_days": org.raw_days}),
            );
            ControlFlow::Continue(())
        });
        scanned.map_err(|error| failed(&error))?;
        Ok(orgs.into())
    }

    fn add_org(&self, parameters: &Value) -> Answer {
        let name = optional_text(parameters, "name")?.unwrap_or_default();
        if name.is_empty() || name.len() > limits::NAME_BYTES {
            return Err(CommandError::parameter("name", &format!("a text of 1 to {} bytes", limits::NAME_BYTES)));
        }
        let next = self.keep.store().get::<Counter>(&CounterName::Org).map_err(|error| failed(&error))?;
        let number = next.map_or(1, |counter| counter.0);
        let org = u32::try_from(number).ok().and_then(OrgId::new);
        let org = org.ok_or_else(|| CommandError::new("refused", "there are no more numbers for organizations"))?;
        self.keep.add_org(org, name).map_err(|error| failed(&error))?;
        Ok(json!({"org": org.get(), "name": name}))
    }

    fn known(&self, org: OrgId) -> Result<(), CommandError> {
        match self.keep.store().get::<Org>(&org) {
            Ok(Some(_)) | Err(Error::Erased { .. }) => Ok(()),
            Ok(None) => {
                let text = format!("there is no organization {org}: `linchpin org list` shows them");
                Err(CommandError::new("no-such-org", text))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    fn optional_place(&self, parameters: &Value) -> Result<Option<BackupPlace>, CommandError> {
        match optional_text(parameters, "to")? {
            Some(text) => BackupPlace::parse(text)
                .map(Some)
                .map_err(|error| CommandError::new("bad-parameter", error.to_string())),
            None => Ok(self.plan.as_ref().map(|plan| plan.place.clone())),
        }
    }

    fn place(&self, parameters: &Value) -> Result<BackupPlace, CommandError> {
        self.optional_place(parameters)?.ok_or_else(|| {
            let text =
                "no place for backups is configured: name one with --to, or set [backup] to in the configuration";
            CommandError::new("backup", text)
        })
    }
}

/// Said wherever one device is erased: its records are sealed with its organization's key, which others need.
pub(crate) const NOT_IN_BACKUPS: &str = "backups made before still hold it until they are removed";

/// The newest complete backup.
///
/// # Errors
/// There is none, or the place cannot be read.
pub(crate) fn newest(target: &dyn backup::BackupTarget) -> Result<String, CommandError> {
    let ids = backup::list(target).map_err(|error| failed(&error))?;
    ids.last().cloned().ok_or_else(|| CommandError::new("backup", "there is no complete backup in this place"))
}

/// Restore a backup into an empty folder, with everything in it read once.
///
/// # Errors
/// What is wrong with the backup, the key or the folder.
pub fn restore(place: &BackupPlace, id: Option<&str>, settings: linchpin_storage::Settings) -> Answer {
    let target = place.open()?;
    let id = match id {
        Some(id) => id.to_owned(),
        None => newest(&*target)?,
    };
    let folder = settings.folder.clone();
    let found = backup::restore(&*target, &id, settings).map_err(|error| failed(&error))?;
    Ok(json!({"id": id, "folder": folder, "records": found.records, "bytes": found.bytes, "tables": found.tables}))
}

/// Check a backup without a store of its own.
///
/// # Errors
/// What is wrong with it.
pub fn verify(place: &BackupPlace, id: Option<&str>, unseal: &Unseal) -> Answer {
    let target = place.open()?;
    let id = match id {
        Some(id) => id.to_owned(),
        None => newest(&*target)?,
    };
    let manifest = backup::verify(&*target, &id, unseal).map_err(|error| failed(&error))?;
    let bytes: u64 = manifest.files.iter().map(|file| file.len).sum();
    Ok(json!({"id": id, "files": manifest.files.len(), "bytes": bytes, "created_ms": manifest.created_ms}))
}

/// The backups of a place, the oldest first.
///
/// # Errors
/// It cannot be read.
pub fn list(place: &BackupPlace) -> Answer {
    let target = place.open()?;
    let ids = backup::list(&*target).map_err(|error| failed(&error))?;
    Ok(ids.into_iter().map(Value::from).collect())
}

fn org(parameters: &Value) -> Result<OrgId, CommandError> {
    let org = optional_u32(parameters, "org")?.and_then(OrgId::new);
    org.ok_or_else(|| CommandError::parameter("org", "an organization's number, 1 or more"))
}

/// The new source of the unseal key that a command names.
fn source(parameters: &Value) -> Result<Unseal, CommandError> {
    let text = |name: &str| optional_text(parameters, name);
    match (text("file")?, text("credential")?, text("environment")?) {
        (Some(path), None, None) if Path::new(path).is_absolute() => Ok(Unseal::File(path.into())),
        (Some(_), None, None) => Err(CommandError::parameter("file", "an absolute path")),
        (None, Some(name), None) => Ok(Unseal::Credential(name.to_owned())),
        (None, None, Some(name)) => Ok(Unseal::Environment(name.to_owned())),
        _ => Err(CommandError::new("bad-parameter", "name one new source: file, credential or environment")),
    }
}

/// An organization that an erasure is about.
pub(crate) fn erased_org(parameters: &Value) -> Result<OrgId, CommandError> {
    match org(parameters)? {
        OrgId::FIRST => Err(CommandError::new(
            "refused",
            "organization 1 is the server's own and cannot be erased alone: to erase everything, stop the server and \
             remove its data directory and its backups",
        )),
        org => Ok(org),
    }
}

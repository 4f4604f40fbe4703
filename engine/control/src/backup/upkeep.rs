//! An open store, and what operators do with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use linchpin_storage::backup::BackupHead;
use linchpin_storage::{Unseal, backup};

use super::{BackupFigures, BackupPlace, BackupPlan};
use crate::command::request::{MadeBackup, ServerBackup};
use crate::loader::Loader;
use crate::{Code, CommandError, Keep, clock, limits};

/// What was seen of backups since the start.
#[derive(Debug, Default)]
struct SeenBackups {
    /// The newest, when they were last looked for, and how many had been made then.
    listed: Option<(Instant, u64, Vec<BackupHead>)>,
    /// Those that were verified: name, when (ms since 1970), and whether they are good. The latest last.
    verified: Vec<(String, u64, bool)>,
}

/// An open store, what opened it and where its backups go. Copies are cheap.
#[derive(Clone, Debug)]
pub struct Upkeep {
    keep: Keep,
    /// What opens the keyring: changed by `keys.rewrap`.
    unseal: Arc<Mutex<Unseal>>,
    plan: Option<BackupPlan>,
    figures: Arc<Mutex<BackupFigures>>,
    seen: Arc<Mutex<SeenBackups>>,
    /// Made when it is first needed: an older store has no room for people.
    loader: Arc<Mutex<Option<Arc<Loader>>>>,
}

impl Upkeep {
    /// On an open store, with what opened it and where its backups go.
    #[must_use]
    pub fn new(keep: Keep, unseal: Unseal, plan: Option<BackupPlan>) -> Self {
        Self {
            keep,
            unseal: Arc::new(Mutex::new(unseal)),
            plan,
            figures: Arc::default(),
            seen: Arc::default(),
            loader: Arc::default(),
        }
    }

    /// The store for other work.
    #[must_use]
    pub const fn keep(&self) -> &Keep {
        &self.keep
    }

    /// The way to the records of people, the same for all of this process.
    ///
    /// # Errors
    /// The store is of an older version and was not upgraded, or cannot be read.
    pub fn loader(&self) -> Result<Arc<Loader>, CommandError> {
        let mut loader = self.loader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loader) = &*loader {
            return Ok(Arc::clone(loader));
        }
        let opened = Arc::new(Loader::open(Arc::clone(self.keep.store()))?);
        Ok(Arc::clone(loader.insert(opened)))
    }

    pub(crate) const fn plan(&self) -> Option<&BackupPlan> {
        self.plan.as_ref()
    }

    /// What backups did so far.
    #[must_use]
    pub fn figures(&self) -> BackupFigures {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unseal(&self) -> Unseal {
        self.unseal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_unseal(&self, unseal: Unseal) {
        *self.unseal.lock().unwrap_or_else(PoisonError::into_inner) = unseal;
    }

    /// The place that is named, else the configuration's, if there is one.
    pub(crate) fn optional_place(&self, named: Option<&str>) -> Result<Option<BackupPlace>, CommandError> {
        match named {
            Some(text) => BackupPlace::parse(text)
                .map(Some)
                .map_err(|error| CommandError::new(Code::BadParameter, error.to_string())),
            None => Ok(self.plan.as_ref().map(|plan| plan.place.clone())),
        }
    }

    /// The place that is named, else the configuration's.
    pub(crate) fn place(&self, named: Option<&str>) -> Result<BackupPlace, CommandError> {
        self.optional_place(named)?.ok_or_else(|| {
            let text =
                "no place for backups is configured: name one with --to, or set [backup] to in the configuration";
            CommandError::new(Code::Backup, text)
        })
    }

    /// When the newest backup of this store in a place was made, s since 1970; `None`: there is none.
    pub(crate) fn newest_backup_s(&self, place: &BackupPlace) -> Result<Option<u64>, CommandError> {
        let newest = backup::newest_of(&*place.open()?, &self.keep.store().db_id())?;
        Ok(newest.map(|(_, created_ms)| created_ms / 1_000))
    }

    /// The newest backups of this store in a place, the newest first. The place is asked once a minute at most.
    pub(crate) fn newest_backups(&self, place: &BackupPlace) -> Result<Vec<ServerBackup>, CommandError> {
        let made = self.figures().made;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh =
            matches!(&seen.listed, Some((at, before, _)) if *before == made && at.elapsed() < limits::BACKUP_LOOK);
        if !is_fresh {
            let found = backup::latest(&*place.open()?, &self.keep.store().db_id(), limits::BACKUPS_SHOWN)?;
            seen.listed = Some((Instant::now(), made, found));
        }
        let verified = |id: &str| seen.verified.iter().rev().find(|(known, ..)| known == id).map(|(_, _, good)| *good);
        let line = |backup: &BackupHead| ServerBackup {
            id: backup.id.clone(),
            at_ms: backup.created_ms,
            bytes: backup.bytes,
            verified: verified(&backup.id),
        };
        Ok(seen.listed.iter().flat_map(|(_, _, found)| found).map(line).collect())
    }

    /// When a backup was last verified since the start, ms since 1970.
    pub(crate) fn verified_ms(&self) -> Option<u64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).verified.last().map(|(_, at_ms, _)| *at_ms)
    }

    /// A backup was verified.
    pub(crate) fn note_verified(&self, id: &str, is_good: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.verified.retain(|(known, ..)| known != id);
        if seen.verified.len() >= limits::BACKUPS_SHOWN {
            seen.verified.remove(0);
        }
        seen.verified.push((id.to_owned(), clock::now_ms(), is_good));
    }

    /// Make a backup, and remove those that are too old.
    pub(crate) fn back_up(&self, place: &BackupPlace, keep: Option<u32>) -> Result<MadeBackup, CommandError> {
        let begun = Instant::now();
        let result = self.try_back_up(place, keep);
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.note(&result, begun.elapsed());
        result
    }

    fn try_back_up(&self, place: &BackupPlace, keep: Option<u32>) -> Result<MadeBackup, CommandError> {
        let target = place.open()?;
        let created = self.keep.store().back_up(&*target)?;
        let removed = match keep.filter(|keep| *keep > 0) {
            // The backup is made, whatever becomes of the old ones.
            Some(keep) => {
                let pruned = backup::prune(&*target, keep as usize, &self.unseal(), &self.keep.store().db_id());
                pruned.unwrap_or_else(|error| {
                    tracing::warn!(%error, "old backups were not removed: the next backup tries it again");
                    0
                })
            }
            None => 0,
        };
        Ok(MadeBackup {
            id: created.id,
            files: created.files as u64,
            new_objects: created.new_objects as u64,
            new_bytes: created.new_bytes,
            removed: removed as u64,
        })
    }
}

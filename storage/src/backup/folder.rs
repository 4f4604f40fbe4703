//! Backups in a folder: on another disk, or mounted from elsewhere.

use std::path::{Path, PathBuf};

use super::BackupTarget;
use crate::disk::durable;
use crate::{Error, limits};

/// A folder.
#[derive(Clone, Debug)]
pub struct FolderTarget(PathBuf);

impl FolderTarget {
    /// It is made when the first object is stored.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Is this unfinished file older than any backup takes?
fn is_old(entry: &std::fs::DirEntry) -> bool {
    let age = entry.metadata().and_then(|facts| facts.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > limits::PART_AGE)
}

impl BackupTarget for FolderTarget {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(durable::failed(folder, "create"))?;
        durable::write_private(&path, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        durable::read(&self.path(name))
    }

    fn len(&self, name: &str) -> Result<Option<u64>, Error> {
        let path = self.path(name);
        match std::fs::metadata(&path) {
            Ok(facts) => Ok(Some(facts.len())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(durable::failed(&path, "read")(error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        // Prefixes are folders.
        let folder = self.path(prefix);
        let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(durable::failed(&folder, "list"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(durable::PART) {
                names.push(format!("{prefix}{name}"));
            } else if is_old(&entry) {
                // A backup that a crash ended left it.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(durable::failed(&path, "delete")(error)),
            _ => Ok(()),
        }
    }
}

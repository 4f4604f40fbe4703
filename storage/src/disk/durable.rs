//! Files that are there as a whole or not at all, also after a power cut.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::Error;

/// Add what was being done to an error of the operating system.
pub(crate) fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Io { path, doing, reason: error.to_string() }
}

/// Names in a folder are durable only when the folder is synced.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder, "sync"))
}

/// The name under which a file is written before it takes its place.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// A new file, fsync, rename over the old, fsync of the folder. Readable by the owner only.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = part_of(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .map_err(failed(&part, "create"))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(&part, "write"))?;
    std::fs::rename(&part, path).map_err(failed(path, "rename"))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// The whole file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "read")(error)),
    }
}

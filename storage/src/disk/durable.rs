//! Files that are there as a whole or not at all, also after a power cut, and folders that are nobody else's.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::schema::key::hex;
use crate::seal::keyring::body::random;

/// Add what was being done to an error of the operating system.
pub(crate) fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Io { path, doing, reason: error.to_string() }
}

/// Names in a folder are durable only when the folder is synced.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder, "sync"))
}

/// What the names of unfinished files end with.
pub(crate) const PART: &str = ".part";

/// The name under which a file is written before it takes its place. Nobody can guess it: in a folder that others may write
/// into it could be a link of theirs by then.
fn part_of(path: &Path) -> Result<PathBuf, Error> {
    let random: [u8; 8] = random()?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{PART}", hex(&random)));
    Ok(path.with_file_name(name))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Write a file that only its owner may read, whole or not at all, also if the power fails: a new file that did not exist
/// before (so that no link is followed), fsync, rename over the old one, fsync of the folder.
///
/// # Errors
/// [`Error::Io`]: what is at the path is as it was.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let part = part_of(path)?;
    let write = || {
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let mut file = new.map_err(failed(&part, "create"))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed(&part, "write"))?;
        std::fs::rename(&part, path).map_err(failed(path, "rename"))
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })?;
    sync_folder(folder_of(path))
}

/// Remove what a crash left of files that were being written. For a folder in which nobody else writes now.
pub(crate) fn remove_parts(folder: &Path) -> Result<(), Error> {
    for entry in std::fs::read_dir(folder).map_err(failed(folder, "list"))? {
        let path = entry.map_err(failed(folder, "list"))?.path();
        if path.as_os_str().as_encoded_bytes().ends_with(PART.as_bytes()) && path.is_file() {
            std::fs::remove_file(&path).map_err(failed(&path, "delete"))?;
        }
    }
    Ok(())
}

/// Is this existing folder ours alone to write into? What another user owns or may write into could be exchanged under us;
/// and what root writes into a user's folder that user's server cannot open afterwards.
///
/// # Errors
/// [`Error::Folder`]: whose it is, and what to do.
pub fn check_folder(path: &Path) -> Result<(), Error> {
    let ours = rustix::process::geteuid().as_raw();
    let refused = |reason: String| Err(Error::Folder { path: path.to_owned(), reason });
    let link = std::fs::symlink_metadata(path).map_err(failed(path, "read"))?;
    if link.is_symlink() && link.uid() != ours && link.uid() != 0 {
        return refused(format!("it is a link of user {}, who could point it elsewhere", link.uid()));
    }
    let folder = std::fs::metadata(path).map_err(failed(path, "read"))?;
    if folder.uid() != ours {
        let owner = folder.uid();
        return refused(format!(
            "it belongs to user {owner} and this is user {ours}: run it as its owner (sudo -u '#{owner}')"
        ));
    }
    if folder.mode() & 0o022 != 0 {
        let mode = folder.mode() & 0o777;
        return refused(format!("it has mode {mode:o}, others may write into it: run chmod go-w on it"));
    }
    Ok(())
}

/// The whole file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, "read")(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;
    use crate::testing::Folder;

    fn names(folder: &Path) -> Vec<String> {
        let names = std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("is there").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_private_whole_and_replace_links_without_following_them() {
        let folder = Folder::new("durable");
        let path = folder.0.join("file");
        write_private(&path, b"one").expect("writes");
        write_private(&path, b"two").expect("writes over");
        assert_eq!(std::fs::read(&path).expect("reads"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("is there").mode() & 0o777, 0o600);
        let (victim, aimed) = (folder.0.join("victim"), folder.0.join("aimed"));
        std::fs::write(&victim, b"untouched").expect("writes");
        symlink(&victim, &aimed).expect("a link");
        // Names that an attacker could have guessed, before and now.
        let guess = [format!("aimed.{}.tmp", std::process::id()), "aimed.part".to_owned()];
        guess.iter().for_each(|name| symlink(&victim, folder.0.join(name)).expect("a link"));
        write_private(&aimed, b"secret").expect("writes");
        assert_eq!(std::fs::read(&victim).expect("reads"), b"untouched");
        assert!(!std::fs::symlink_metadata(&aimed).expect("is there").is_symlink());
        assert!(write_private(&folder.0.join("no/such/folder"), b"").is_err());
        assert_eq!(names(&folder.0).len(), 5, "nothing is left: {:?}", names(&folder.0));
        std::fs::write(folder.0.join("inventory.0011.part"), b"half").expect("writes");
        remove_parts(&folder.0).expect("removes");
        assert_eq!(names(&folder.0).len(), 4, "{:?}", names(&folder.0));
    }

    #[test]
    fn folders_that_others_may_write_into_are_refused() {
        let folder = Folder::new("owner");
        let set = |mode| std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(mode)).expect("is ours");
        for (mode, is_good) in [(0o700, true), (0o755, true), (0o770, false), (0o777, false), (0o702, false)] {
            set(mode);
            assert_eq!(check_folder(&folder.0).is_ok(), is_good, "{mode:o}");
        }
        set(0o700);
        // Only root can give a folder away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&folder.0, Some(65_534), None).expect("chowns");
            let error = check_folder(&folder.0).expect_err("is another's").to_string();
            assert!(error.contains("belongs to user 65534"), "{error}");
            std::os::unix::fs::chown(&folder.0, Some(0), None).expect("chowns");
            let link = folder.0.with_extension("link");
            symlink(&folder.0, &link).expect("a link");
            assert!(check_folder(&link).is_ok());
            std::os::unix::fs::lchown(&link, Some(65_534), None).expect("chowns");
            assert!(check_folder(&link).is_err());
            std::fs::remove_file(&link).expect("removes");
        } else {
            assert!(check_folder(Path::new("/")).is_err(), "it is root's");
        }
    }
}

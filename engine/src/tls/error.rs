//! What keeps TLS from being set up.

use std::error::Error;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cause::Cause;
use crate::cli::owner::user_name;

/// See the module's page; names the file, if it is about one.
#[derive(Debug)]
pub(crate) struct TlsError {
    path: Option<PathBuf>,
    cause: Cause,
}

impl TlsError {
    /// Of no file.
    pub(super) fn new(cause: impl Into<Cause>) -> Self {
        Self { path: None, cause: cause.into() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.cause),
            None => self.cause.fmt(f),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Something is wrong with this file.
pub(super) fn wrong(path: &Path, cause: impl Into<Cause>) -> TlsError {
    TlsError { path: Some(path.to_owned()), cause: cause.into() }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            let user = user_name(rustix::process::geteuid().as_raw());
            wrong(path, format!("{user} may not read it: give it to the group of {user} (chgrp {user}, chmod 0640), and its folders too"))
        }
        _ => wrong(path, error),
    })
}

/// What is wrong with who may read or write a key. Its group may read it: so a service gets the key of another program.
pub(super) fn exposed(key: &Path) -> Option<String> {
    let mode = std::fs::metadata(key).ok()?.mode() & 0o777;
    (mode & 0o027 != 0).then(|| format!("others may read or exchange this key (mode {mode:o}): run chmod o=,g-w on it"))
}

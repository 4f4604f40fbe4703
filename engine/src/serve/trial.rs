//! Would a server start? The same steps as a start, without anything that stays.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use linchpin_control::StartError;
use linchpin_storage::{Error, Store};
use rustix::fs::{Access, access};

use super::Server;
use super::advice::DATA_ADVICE;
use super::boot;
use super::error::ServeError;
use super::ports;
use crate::config::{StoreConfig, default_key_file, store_folder};
use crate::store::{self, StoreError};
use crate::tls::TlsConfig;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It would start.
    WouldStart,
    /// It runs already: ports and store are its own, and were not tried.
    Runs,
}

/// Try it; nothing is changed. `made`: a folder that is made before the server starts, if it is not there.
///
/// # Errors
/// What a start would end with.
pub(crate) fn trial(server: &Server, made: Option<&Path>) -> Result<Trial, ServeError> {
    if made != Some(&*server.data_path) || server.data_path.exists() {
        data_folder(&server.data_path)?;
    }
    let runs = UnixStream::connect(server.data_path.join("admin.sock")).is_ok();
    if !runs {
        ports::check_free(&server.listen).map_err(ServeError::Boot)?;
        if let Some(config) = &server.store {
            try_store(&server.data_path, config).map_err(ServeError::Store)?;
        }
    }
    server.tls.as_ref().map_or(Ok(()), TlsConfig::would_open).map_err(ServeError::Tls)?;
    boot::try_driver(&server.engine).map_err(ServeError::Boot)?;
    if let Some(address) = server.listen.metrics.filter(|address| !runs && address.port() != 0) {
        let bound = TcpListener::bind(address).map(drop);
        bound.map_err(|source| ServeError::Control(StartError::Metrics { address, source }))?;
    }
    Ok(if runs { Trial::Runs } else { Trial::WouldStart })
}

/// May this user write there?
fn is_writable(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
}

/// The nearest folder above that exists.
pub(crate) fn existing(path: &Path) -> std::path::PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn data_folder(path: &Path) -> Result<(), ServeError> {
    let failed = |advice| {
        move |source: io::Error| ServeError::Io {
            what: format!("data directory {}", path.display()),
            source: source.into(),
            advice,
        }
    };
    if path.is_dir() {
        linchpin_storage::check_folder(path).map_err(|error| ServeError::Store(error.into()))?;
        return is_writable(path).map_err(failed(""));
    }
    is_writable(&existing(path)).map_err(failed(DATA_ADVICE))
}

fn try_store(data_path: &Path, config: &StoreConfig) -> Result<(), StoreError> {
    let folder = store_folder(data_path);
    if folder.exists() {
        let opened = Store::open_to_read(store::settings(data_path, config))?;
        opened.close()?;
    } else if !config.unseal.is_file(&default_key_file(data_path)) || default_key_file(data_path).exists() {
        config.unseal.check()?;
    }
    match config.anchor.as_deref().and_then(Path::parent) {
        Some(beside) => is_writable(beside).map_err(|error| {
            let (path, reason) = (beside.to_owned(), error.to_string());
            StoreError::Store(Error::Io { path, doing: "write the anchor in", reason })
        }),
        None => Ok(()),
    }
}

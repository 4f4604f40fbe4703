//! What the machine is checked for.

use std::path::PathBuf;

use linchpin_control::BackupPlace;

use crate::config::EngineOptions;

/// What the server is to be started with.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) engine: EngineOptions,
    pub(crate) data_path: PathBuf,
    pub(crate) lowest_port: u16,
    /// Where backups go by themselves.
    pub(crate) backup: Option<BackupPlace>,
}

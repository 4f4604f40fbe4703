//! What the machine is checked for.

use std::path::PathBuf;

use linchpin_control::BackupPlace;

use crate::config::EngineOptions;

/// What the server is to be started with.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) engine: EngineOptions,
    pub(super) data_path: PathBuf,
    pub(super) lowest_port: u16,
    /// Where backups go by themselves.
    pub(super) backup: Option<BackupPlace>,
}

//! What the machine is checked for.

use std::path::PathBuf;

use crate::config::EngineOptions;

/// What the server is to be started with.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) engine: EngineOptions,
    pub(super) data_path: PathBuf,
    pub(super) lowest_port: u16,
}

//! Where the store is, what opens it and how long it keeps history.

use std::path::{Path, PathBuf};

use linchpin_storage::{Retention, Unseal};

/// What a store is opened with.
#[derive(Clone, Debug)]
pub(crate) struct StoreConfig {
    /// What opens its keyring.
    pub(crate) unseal: Unseal,
    /// Where the epoch is kept a second time; beside the store if nothing is said.
    pub(crate) anchor: Option<PathBuf>,
    /// How long history is kept.
    pub(crate) retention: Retention,
    /// Open a folder that is older than the anchor says.
    pub(crate) accept_rollback: bool,
}

/// The folder of the store in the data directory.
pub(crate) fn store_folder(data_path: &Path) -> PathBuf {
    data_path.join("store")
}

/// The file with the key, where nothing else is said.
pub(crate) fn default_key_file(data_path: &Path) -> PathBuf {
    data_path.join("unseal.key")
}

impl StoreConfig {
    /// With a key file in the data directory, which protects nothing from whoever has the directory: for `linchpin dev`.
    pub(crate) fn for_dev(data_path: &Path) -> Self {
        Self {
            unseal: Unseal::File(default_key_file(data_path)),
            anchor: None,
            retention: Retention::default(),
            accept_rollback: false,
        }
    }
}

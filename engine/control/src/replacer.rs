//! What replaces the running process: the engine has it, commands use it.

use std::path::PathBuf;

use crate::request::UpgradeReport;

/// Replaces the running server by a new process.
pub trait Replacer: Send + Sync {
    /// Begin, with this program or the one that runs. Returns the number of the attempt. Does not wait.
    ///
    /// # Errors
    /// It cannot begin now; the text says why.
    fn begin(&self, binary: Option<PathBuf>) -> Result<u64, String>;

    /// How the last one went or goes.
    fn last(&self) -> UpgradeReport;
}

//! Everything that commands need.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::backup::Upkeep;
use crate::{Code, CommandError, Facts, Keep, Registry, Shards};

/// See the module's page.
pub(crate) struct Desk {
    pub(crate) shards: Arc<Shards>,
    pub(crate) registry: Mutex<Registry>,
    /// The store, and what operators do with it; `None`: state is in memory only.
    pub(crate) upkeep: Option<Upkeep>,
    pub(crate) facts: Facts,
}

fn failed_inside() -> CommandError {
    CommandError::new(Code::Store, "the command failed inside the server: see its log")
}

impl Desk {
    /// Let a thread that may wait for the disk do it; `None`: there is no store.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn with_store<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Keep) -> Result<T, linchpin_storage::Error> + Send + 'static,
    ) -> Result<Option<T>, CommandError> {
        let Some(keep) = self.upkeep.as_ref().map(|upkeep| upkeep.keep().clone()) else { return Ok(None) };
        let done = tokio::task::spawn_blocking(move || job(&keep)).await.map_err(|_| failed_inside())?;
        Ok(Some(done?))
    }

    /// The same for what operators do with the store.
    ///
    /// # Errors
    /// What it says; there is no store.
    pub(crate) async fn with_upkeep<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Upkeep) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let none = || CommandError::new(Code::Refused, "this server has no store: its state is in memory only");
        let upkeep = self.upkeep.clone().ok_or_else(none)?;
        tokio::task::spawn_blocking(move || job(&upkeep)).await.map_err(|_| failed_inside())?
    }
}

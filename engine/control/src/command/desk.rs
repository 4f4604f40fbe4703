//! Everything that commands need.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::RowCall;
use crate::acme::AcmeDesk;
use crate::backup::Upkeep;
use crate::people::People;
use crate::shards::{Desired, Fact};
use crate::{Code, CommandError, Facts, Keep, Registry, Shards, limits};

/// See the module's page.
pub(crate) struct Desk {
    pub(crate) shards: Arc<Shards>,
    pub(crate) registry: Arc<Mutex<Registry>>,
    /// Brings the shards to what the registry says.
    pub(crate) desired: Arc<Desired>,
    /// The store, and what operators do with it; `None`: state is in memory only.
    pub(crate) upkeep: Option<Upkeep>,
    /// Certificates that are ordered; `None`: none is.
    pub(crate) acme: Option<AcmeDesk>,
    /// People, and how they sign in; `None`: there is no room for them.
    pub(crate) people: Option<People>,
    pub(crate) facts: Facts,
}

fn failed_inside() -> CommandError {
    CommandError::new(Code::Store, "the command failed inside the server: see its log")
}

impl Desk {
    /// Who exists. For moments: never held while something is waited for.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Let the shards know of a change that is durable, and wait a while for them: whoever asked may use at once what was
    /// made. A shard that does not keep up gets it later.
    pub(crate) async fn publish(&self, facts: impl IntoIterator<Item = Fact>) {
        let marks = self.desired.changed(facts);
        if !self.desired.acknowledged(&marks, limits::ANSWER_TIMEOUT).await {
            tracing::warn!("not every shard knows of a change yet; it is sent until it does");
        }
    }

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

    /// The same for what is done with people's records, for this caller.
    ///
    /// # Errors
    /// What it says.
    pub(crate) async fn with_people<T: Send + 'static>(
        &self,
        call: &Arc<RowCall>,
        job: impl FnOnce(&RowCall) -> Result<T, CommandError> + Send + 'static,
    ) -> Result<T, CommandError> {
        let call = Arc::clone(call);
        tokio::task::spawn_blocking(move || job(&call)).await.map_err(|_| failed_inside())?
    }

    /// People, and how they sign in.
    ///
    /// # Errors
    /// There is no room for them.
    pub(crate) fn people(&self) -> Result<&People, CommandError> {
        let text = "this server holds no people: it has no store, or `linchpin upgrade finalize` has not run";
        self.people.as_ref().ok_or_else(|| CommandError::new(Code::Refused, text))
    }
}

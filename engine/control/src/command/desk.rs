//! Everything that commands need.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::call::RowCall;
use super::work::LongWork;
use crate::acme::AcmeDesk;
use crate::backup::Upkeep;
use crate::fleet::FleetDesk;
use crate::people::People;
use crate::player::Players;
use crate::shards::{Desired, Fact};
use crate::{Code, CommandError, Facts, Keep, Registry, Replacer, Shards, limits};

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
    pub(crate) people: Option<Arc<People>>,
    pub(crate) facts: Facts,
    /// All devices, for lists.
    pub(crate) fleet: FleetDesk,
    /// Virtual devices.
    pub(crate) players: Arc<Players>,
    /// Long work that was begun over HTTP.
    pub(crate) work: Arc<LongWork>,
    /// Replaces the running process; `None`: it cannot be.
    pub(crate) replacer: Option<Arc<dyn Replacer>>,
}

fn failed_inside() -> CommandError {
    CommandError::new(Code::Store, "the command failed inside the server: see its log")
}

impl Desk {
    /// Who exists. For moments: never held while something is waited for.
    /// The store; `None`: state is in memory only.
    pub(crate) fn keep(&self) -> Option<Keep> {
        self.upkeep.as_ref().map(|upkeep| upkeep.keep().clone())
    }

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

    /// Where devices find this server: host, plain port, port with TLS.
    pub(crate) fn address(&self) -> (String, u16, u16) {
        let url = self.people.as_ref().and_then(|people| people.settings().public_url.clone());
        let host = url.as_deref().and_then(|url| url.split("://").nth(1)).map(|rest| {
            let host = rest.split(['/', '?']).next().unwrap_or_default();
            host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host)
        });
        let all = self.facts.plain.first().or(self.facts.tls.first());
        let host = host.map_or_else(|| all.map(|at| at.ip().to_string()).unwrap_or_default(), str::to_owned);
        let port = |list: &[std::net::SocketAddr]| list.first().map_or(0, std::net::SocketAddr::port);
        (host, port(&self.facts.plain), port(&self.facts.tls))
    }

    /// People, and how they sign in.
    ///
    /// # Errors
    /// There is no room for them.
    pub(crate) fn people(&self) -> Result<&Arc<People>, CommandError> {
        let text = "this server holds no people: it has no store, or `linchpin upgrade finalize` has not run";
        self.people.as_ref().ok_or_else(|| CommandError::new(Code::Refused, text))
    }
}

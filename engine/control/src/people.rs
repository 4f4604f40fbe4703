//! People in the running server: their records, the door they come in by, and the threads that hash their passwords.

use std::sync::Arc;

use linchpin_storage::KeyLabel;

use crate::account::{HashPool, PoolPlan};
use crate::backup::Upkeep;
use crate::loader::Loader;
use crate::loader::sign_in::SignInDoor;

/// How people sign in.
#[derive(Clone, Debug, Default)]
pub struct PeopleSettings {
    /// Where browsers find this server, such as `https://iot.example`: what links begin with. Never taken from a request.
    pub public_url: Option<Box<str>>,
    /// Does a known browser have a count of failed sign-ins of its own instead of its address's?
    pub own_count: bool,
    /// May browsers sign in over plain HTTP from elsewhere than this machine?
    pub plain_from_lan: bool,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct People {
    loader: Arc<Loader>,
    pool: Arc<HashPool>,
    door: SignInDoor,
    settings: PeopleSettings,
}

impl People {
    /// In a store; `None`: it has no room for people.
    ///
    /// # Errors
    /// The operating system gives no thread or no random bytes.
    pub(crate) fn open(upkeep: &Upkeep, settings: PeopleSettings) -> std::io::Result<Option<Self>> {
        let loader = match upkeep.loader() {
            Ok(loader) => loader,
            Err(error) => {
                tracing::warn!(%error, "nobody can sign in");
                return Ok(None);
            }
        };
        let pepper = upkeep.keep().store().labelled_key(KeyLabel::Pepper);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Arc::new(HashPool::start(&pepper, PoolPlan::for_cores(cores))?);
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|_| std::io::Error::other("the operating system gave no random bytes"))?;
        let seed = u64::from_ne_bytes(seed);
        let door = SignInDoor::new(Arc::clone(&loader), Arc::clone(&pool), seed, settings.own_count);
        Ok(Some(Self { loader, pool, door, settings }))
    }

    /// Their records.
    pub(crate) const fn loader(&self) -> &Arc<Loader> {
        &self.loader
    }

    /// The threads that hash passwords.
    pub(crate) const fn pool(&self) -> &Arc<HashPool> {
        &self.pool
    }

    /// The door.
    pub(crate) const fn door(&self) -> &SignInDoor {
        &self.door
    }

    /// How they sign in.
    pub(crate) const fn settings(&self) -> &PeopleSettings {
        &self.settings
    }
}

//! People in the running server: their records, the door they come in by, and the threads that hash their passwords.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linchpin_storage::KeyLabel;
use tokio::sync::Semaphore;

use crate::account::{GivenSecret, HashPool, PoolPlan, SecretKind};
use crate::backup::Upkeep;
use crate::limits;
use crate::loader::sign_in::SignInDoor;
use crate::loader::{Loader, LoaderFault};
use crate::mail::{MailFigures, MailServer, MailTask};
use crate::oidc::flow::OidcFlows;
use crate::oidc::{OidcProvider, OidcServer};

/// How people sign in.
#[derive(Clone, Debug, Default)]
pub struct PeopleSettings {
    /// Where browsers find this server, such as `https://iot.example`: what links begin with. Never taken from a request.
    pub public_url: Option<Box<str>>,
    /// Does a known browser have a count of failed sign-ins of its own instead of its address's?
    pub own_count: bool,
    /// The mail server; `None`: mails are files for the operator.
    pub mail: Option<MailServer>,
    /// Where those files are: `DATA/mail`.
    pub mail_path: Option<PathBuf>,
    /// The organization of people who sign up by themselves, as its Users; `None`: nobody does.
    pub sign_up: Option<linchpin_storage::schema::OrgId>,
    /// Where those report who found a weakness, such as `mailto:security@example.com`.
    pub security_contacts: Vec<Box<str>>,
    /// Servers where people may sign in, at most [`limits::OIDC_SERVERS`].
    pub oidc: Vec<OidcServer>,
    /// Where the link stands that sets the server up, while there is nobody: `DATA/bootstrap`.
    pub setup_path: Option<PathBuf>,
    /// Which devices are played: `DATA/played`.
    pub played_path: Option<PathBuf>,
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
    mails: Arc<MailFigures>,
    providers: Vec<OidcProvider>,
    flows: Mutex<OidcFlows>,
    /// Seats of exports.
    pub(crate) exports: Arc<Semaphore>,
    setup: Mutex<Option<SetupSecret>>,
}

/// The secret that sets the server up.
#[derive(Debug)]
struct SetupSecret {
    secret: GivenSecret,
    until_ms: u64,
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
        let providers = settings.oidc.iter().cloned().map(OidcProvider::new).collect::<Result<_, _>>();
        let providers = providers.map_err(std::io::Error::other)?;
        let exports = Arc::new(Semaphore::new(limits::EXPORTS));
        if settings.mail.is_some() {
            loader.outbox().send_notices();
        }
        Ok(Some(Self {
            loader,
            pool,
            door,
            settings,
            mails: Arc::default(),
            providers,
            flows: Mutex::default(),
            exports,
            setup: Mutex::default(),
        }))
    }

    fn setup(&self) -> MutexGuard<'_, Option<SetupSecret>> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link that sets the server up; the one before ends. `None`: there is somebody already.
    ///
    /// # Errors
    /// There are no random bytes.
    pub(crate) fn renew_setup(&self, now_ms: u64) -> Result<Option<(String, u64)>, LoaderFault> {
        if !self.loader.is_empty() {
            *self.setup() = None;
            self.forget_setup_file();
            return Ok(None);
        }
        let (secret, until_ms) = (GivenSecret::fresh(SecretKind::Invite)?, now_ms + limits::SETUP_MS);
        let link = format!("{}/welcome#{}", self.public_url(), secret.expose());
        *self.setup() = Some(SetupSecret { secret, until_ms });
        if let Some(path) = &self.settings.setup_path
            && let Err(error) = linchpin_storage::write_private(path, format!("{link}\n").as_bytes())
        {
            tracing::warn!(%error, "the link that sets the server up was not written to {}", path.display());
        }
        Ok(Some((link, until_ms)))
    }

    fn forget_setup_file(&self) {
        if let Some(path) = &self.settings.setup_path {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Use the link that sets the server up: of two at once one gets through. What `job` refuses leaves it as it was.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`], or what the job says.
    pub(crate) fn use_setup<T>(
        &self,
        given: &str,
        now_ms: u64,
        job: impl FnOnce() -> Result<T, LoaderFault>,
    ) -> Result<T, LoaderFault> {
        let mut setup = self.setup();
        let is_right = setup.as_ref().is_some_and(|setup| {
            let wanted = setup.secret.expose();
            let same = wanted.len() == given.len()
                && wanted.bytes().zip(given.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0;
            same && now_ms < setup.until_ms
        });
        if !is_right {
            return Err(LoaderFault::Spent);
        }
        let done = job()?;
        *setup = None;
        self.forget_setup_file();
        Ok(done)
    }

    /// Is this the secret of the link? It is not used up by that.
    pub(crate) fn knows_setup(&self, given: &str, now_ms: u64) -> bool {
        let looked: Result<(), LoaderFault> = self.use_setup(given, now_ms, || Err(LoaderFault::Missing));
        matches!(looked, Err(LoaderFault::Missing))
    }

    /// What links begin with.
    pub(crate) fn public_url(&self) -> &str {
        self.settings.public_url.as_deref().unwrap_or("http://localhost")
    }

    /// May somebody at this address sign up now? It is counted.
    pub(crate) fn admits_sign_up(&self, address: std::net::IpAddr, now_ms: u64) -> bool {
        // IPv6: one network of 64 bits is one address.
        let short = match address.to_canonical() {
            std::net::IpAddr::V4(address) => u64::from(address.to_bits()),
            std::net::IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&short.to_be_bytes());
        self.loader.outbox().admits(&key, limits::SIGN_UPS_PER_ADDRESS, now_ms)
    }

    /// What sends their mails.
    ///
    /// # Errors
    /// The settings are not usable; says why.
    pub(crate) fn mail_task(&self) -> Result<MailTask, String> {
        let ways = (self.settings.mail.as_ref(), self.settings.mail_path.as_deref());
        MailTask::new(&self.loader, ways, self.public_url(), &self.mails)
    }

    /// Servers where people may sign in.
    pub(crate) fn providers(&self) -> &[OidcProvider] {
        &self.providers
    }

    /// Sign-ins under way there.
    pub(crate) const fn flows(&self) -> &Mutex<OidcFlows> {
        &self.flows
    }

    /// Figures of mails, in Prometheus' text format.
    pub(crate) fn mail_metrics(&self) -> String {
        self.mails.metrics(&self.loader)
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

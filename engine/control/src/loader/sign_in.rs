//! Signing in: throttle, password, factor, session, in this order. What it says to a stranger is the same for a wrong
//! password, an unknown address, a suspended and a pending account, and costs the same.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use linchpin_storage::schema::{AccountLink, AccountState, Actor, OrgId, SessionKind};
use zeroize::Zeroizing;

use super::person::Person;
use super::session::NewSession;
use super::{Asker, Loader, LoaderFault};
use crate::access::{Assurance, PersonRef};
use crate::account::{
    Attempt, AttemptEnd, Blocked, EmailAddress, GivenSecret, HashPool, LiveSession, PasswordInput, PoolFull, Throttle,
};
use crate::audit::{AuditAction, By, Note, ObjectKind};

/// Who wants in.
#[derive(Clone, Debug)]
pub struct SignInAsked {
    /// Their address.
    pub email: EmailAddress,
    /// What stands for their password.
    pub input: PasswordInput,
    /// A code of their second factor, or a recovery code.
    pub code: Option<Zeroizing<String>>,
    /// The mark of a known browser, if one was sent.
    pub known: Option<Box<str>>,
    /// Where from.
    pub address: IpAddr,
    /// What kind of program.
    pub agent: Box<str>,
    /// The request.
    pub request: u64,
}

/// What one gets.
#[derive(Debug)]
pub struct SignedIn {
    /// The token of the session, for its cookie.
    pub token: GivenSecret,
    /// The session.
    pub session: Arc<LiveSession>,
    /// Who it is.
    pub person: PersonRef,
    /// A second factor must be given, or set up, before anything else.
    pub owes_factor: bool,
}

/// Why one does not get in.
#[derive(Clone, Debug)]
pub enum SignInFault {
    /// Address, password or code: nobody learns which.
    Wrong,
    /// Too many failures: nothing was looked at.
    Blocked(Blocked),
    /// Too many passwords wait: nothing was looked at.
    Full,
    /// Their organization does not let them in from there.
    Elsewhere,
    /// The store.
    Fault(LoaderFault),
}

impl From<LoaderFault> for SignInFault {
    fn from(fault: LoaderFault) -> Self {
        Self::Fault(fault)
    }
}

/// The door.
#[derive(Debug)]
pub struct SignInDoor {
    loader: Arc<Loader>,
    pool: Arc<HashPool>,
    throttle: Mutex<Throttle>,
    /// Does a known browser have a count of its own instead of its address's?
    own_count: bool,
}

impl SignInDoor {
    /// With what it needs; `seed` keeps others from choosing who shares their place in the throttle.
    #[must_use]
    pub fn new(loader: Arc<Loader>, pool: Arc<HashPool>, seed: u64, own_count: bool) -> Self {
        Self { loader, pool, throttle: Mutex::new(Throttle::new(seed)), own_count }
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Loader) -> Result<T, LoaderFault> + Send + 'static,
    ) -> Result<T, LoaderFault> {
        let loader = Arc::clone(&self.loader);
        let closed = || LoaderFault::Store(linchpin_storage::Error::Closed);
        tokio::task::spawn_blocking(move || job(&loader)).await.map_err(|_| closed())?
    }

    /// Let somebody in.
    ///
    /// # Errors
    /// [`SignInFault`].
    pub async fn sign_in(&self, asked: SignInAsked, now_ms: u64) -> Result<SignedIn, SignInFault> {
        let account = self.loader.email_key(&asked.email);
        let mark = asked.known.as_deref().and_then(|known| self.loader.marks().is_known(&account, known, now_ms));
        let browser = mark.filter(|_| self.own_count);
        let short = u128::from_be_bytes(*account.first_chunk().unwrap_or(&[0; 16]));
        let begun = self.throttle().begin(now_ms, asked.address, short, browser, mark.is_some());
        let attempt = begun.map_err(SignInFault::Blocked)?;
        let outcome = self.look(&asked, mark.is_some(), now_ms).await;
        let end = match &outcome {
            Ok(_) => AttemptEnd::Passed,
            Err(SignInFault::Wrong) => AttemptEnd::Failed,
            Err(_) => AttemptEnd::Void,
        };
        self.throttle().end(now_ms, attempt, end);
        let (person, assurance) = match outcome {
            Ok(found) => found,
            Err(fault) => {
                if matches!(fault, SignInFault::Wrong) {
                    self.note_refusal(&asked, now_ms).await?;
                }
                return Err(fault);
            }
        };
        let by = by(&asked, Actor::Person(person.id.0, person.id.1));
        if !self.comes_from_allowed(person.id.0, asked.address) {
            return Err(SignInFault::Elsewhere);
        }
        let new =
            NewSession { kind: SessionKind::Browser, assurance, agent: asked.agent.clone(), address: asked.address };
        let id = person.id;
        let opened = self.blocking(move |loader| {
            let opened = loader.open_session(by, &person, &new, now_ms)?;
            if mark.is_none() {
                loader.say_new_sign_in(&person, now_ms);
            }
            Ok(opened)
        });
        let (token, session) = opened.await?;
        let asker = self.loader.asker(&session, asked.address, &asked.agent, asked.request);
        let owes_factor = asker.standing.owes_factor(&self.loader.directory().tree, None);
        Ok(SignedIn { token, session, person: id, owes_factor })
    }

    /// Password, state, factor.
    async fn look(&self, asked: &SignInAsked, is_known: bool, now_ms: u64) -> Result<(Person, Assurance), SignInFault> {
        let email = asked.email.clone();
        let person = self.blocking(move |loader| loader.find_person(&email)).await?;
        let stored = person.as_ref().map(|person| person.account.password.clone());
        let compared = self.pool.compare(asked.input.clone(), stored, is_known).await;
        let compared = compared.map_err(|PoolFull| SignInFault::Full)?;
        let person = person.filter(|person| compared.is_right && person.account.state == AccountState::Active);
        let person = person.ok_or(SignInFault::Wrong)?;
        let Some(code) = asked.code.clone().filter(|_| person.account.has_factor()) else {
            return Ok((person, Assurance::PASSWORD));
        };
        let (id, by) = (person.id, by(asked, Actor::Person(person.id.0, person.id.1)));
        let right = self.blocking(move |loader| loader.take_factor(by, id, &code, now_ms)).await?;
        if right { Ok((person, Assurance::PASSWORD.and(Assurance::FACTOR))) } else { Err(SignInFault::Wrong) }
    }

    /// Let somebody in whom another server has signed in. It proves as much as a password: a second factor is due as ever.
    ///
    /// # Errors
    /// [`SignInFault::Wrong`]: nobody here is called that there, or they may not sign in.
    pub(crate) async fn sign_in_elsewhere(
        &self,
        (link, email): (AccountLink, Option<EmailAddress>),
        (address, agent, request): (IpAddr, Box<str>, u64),
        now_ms: u64,
    ) -> Result<SignedIn, SignInFault> {
        let by = |actor| By { actor, address: address.to_string().into(), agent: agent.clone(), request };
        let stranger = by(Actor::Nobody);
        let person =
            self.blocking(move |loader| loader.person_of_identity(stranger, &link, email.as_ref(), now_ms)).await?;
        let person = person.filter(|person| person.account.state == AccountState::Active).ok_or(SignInFault::Wrong)?;
        if !self.comes_from_allowed(person.id.0, address) {
            return Err(SignInFault::Elsewhere);
        }
        let (id, by) = (person.id, by(Actor::Person(person.id.0, person.id.1)));
        let new =
            NewSession { kind: SessionKind::Browser, assurance: Assurance::PASSWORD, agent: agent.clone(), address };
        let (token, session) = self.blocking(move |loader| loader.open_session(by, &person, &new, now_ms)).await?;
        let asker = self.loader.asker(&session, address, &agent, request);
        let owes_factor = asker.standing.owes_factor(&self.loader.directory().tree, None);
        Ok(SignedIn { token, session, person: id, owes_factor })
    }

    /// May people whose home this is sign in from there?
    fn comes_from_allowed(&self, home: OrgId, address: IpAddr) -> bool {
        self.loader.directory().tree.path(home).all(|(_, node)| {
            let ranges = &node.policy.sign_in_from;
            ranges.is_empty() || ranges.iter().any(|range| range.contains(address))
        })
    }

    /// Count a try of somebody with a session, before anything is looked at.
    ///
    /// # Errors
    /// [`SignInFault::Blocked`].
    pub(crate) async fn attempt(&self, asker: &Asker, now_ms: u64) -> Result<Attempt, SignInFault> {
        let id = asker.standing.person.ok_or(LoaderFault::Missing)?;
        let person = self.blocking(move |loader| loader.myself(id)).await?;
        let account = self.loader.email_key(&EmailAddress::parse(&person.user.email).map_err(LoaderFault::from)?);
        let short = u128::from_be_bytes(*account.first_chunk().unwrap_or(&[0; 16]));
        self.throttle().begin(now_ms, asker.standing.address, short, None, true).map_err(SignInFault::Blocked)
    }

    /// What came of it.
    pub(crate) fn attempted(&self, attempt: Attempt, is_right: bool, now_ms: u64) {
        let end = if is_right { AttemptEnd::Passed } else { AttemptEnd::Failed };
        self.throttle().end(now_ms, attempt, end);
    }

    /// Let somebody with a session prove again who they are, by their password or a code. It is counted as a sign-in is: a
    /// stolen session gets no more guesses.
    ///
    /// # Errors
    /// [`SignInFault`].
    pub async fn step_up(
        &self,
        asker: &Asker,
        given: Result<PasswordInput, Zeroizing<String>>,
        now_ms: u64,
    ) -> Result<Assurance, SignInFault> {
        let id = asker.standing.person.ok_or(LoaderFault::Missing)?;
        let person = self.blocking(move |loader| loader.myself(id)).await?;
        let attempt = self.attempt(asker, now_ms).await?;
        let outcome = match given {
            Ok(input) => {
                let stored = Some(person.account.password.clone());
                let compared = self.pool.compare(input, stored, true).await;
                compared.map_err(|PoolFull| SignInFault::Full).map(|compared| (compared.is_right, Assurance::PASSWORD))
            }
            Err(code) => {
                let by = asker.by();
                let taken = self.blocking(move |loader| loader.take_factor(by, id, &code, now_ms)).await;
                taken.map_err(SignInFault::Fault).map(|is_right| (is_right, Assurance::FACTOR))
            }
        };
        let (end, proven) = match outcome {
            Ok((true, assurance)) => (AttemptEnd::Passed, Ok(assurance)),
            Ok((false, _)) => (AttemptEnd::Failed, Err(SignInFault::Wrong)),
            Err(fault) => (AttemptEnd::Void, Err(fault)),
        };
        self.throttle().end(now_ms, attempt, end);
        proven
    }

    async fn note_refusal(&self, asked: &SignInAsked, now_ms: u64) -> Result<(), LoaderFault> {
        let by = by(asked, Actor::Nobody);
        self.blocking(move |loader| {
            let note = Note::new(AuditAction::SignInFailed, ObjectKind::Session, 0u32, "");
            Ok(loader.ledger().refuse(by, OrgId::FIRST, note, now_ms)?)
        })
        .await
    }

    /// Set a new password by a reset link. It signs nobody in: a second factor is due as ever.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub async fn reset(
        &self,
        by: By,
        secret: GivenSecret,
        input: PasswordInput,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let looked = secret.clone();
        let person = self.blocking(move |loader| loader.reset_of(&looked, now_ms)).await?;
        let email = EmailAddress::parse(&person.user.email)?;
        let text = self.pool.hash(input, &email.folded(), vec![person.user.name.clone()]).await?;
        self.blocking(move |loader| loader.use_reset(by, &secret, text, now_ms)).await?;
        Ok(())
    }
}

fn by(asked: &SignInAsked, actor: Actor) -> By {
    By { actor, address: asked.address.to_string().into(), agent: asked.agent.clone(), request: asked.request }
}

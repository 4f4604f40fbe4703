//! The only way from people's requests to the records of an organization, and back. Blocks for the disk: not on the
//! runtime's threads, nor on any shard's.
//!
//! Loaders take a [`Scope`] and build their keys from it: what belongs to another organization is missing. Whatever
//! changes something goes through a [`AuditedChange`](crate::audit::Change), which writes the audit entry in the same batch and
//! holds the organization from the first read to the commit. What requests go by (the directory, sessions) is changed
//! after the store and before the answer.
//!
//! | file | what |
//! |---|---|
//! | [`person`] | people and their accounts |
//! | [`session`] | sessions: opened, found, ended |
//! | `address` | signing up, and taking another address |
//! | `identity` | identities at other sign-in servers |
//! | [`profile`] | what people change of themselves, and what they agreed to |
//! | `leave` | people who are removed, or move |
//! | `privacy`, `erasures` | people who are erased |
//! | [`role`] | roles and memberships |
//! | [`org`] | organizations: made, changed, moved, suspended |
//! | [`invite`] | links that are good once |
//! | `mail` | mails, put into the batch of what causes them |
//! | [`client`] | API keys, OAuth clients and their tokens |
//! | [`device`] | devices, their tokens and shares |
//! | [`template`] | templates and their versions |
//! | [`event`] | events: listed, resolved |
//! | [`transfer`] | devices that go to another organization |
//! | [`static_token`] | devices that are claimed by a code |
//! | [`client`], `personal` | API keys, OAuth clients and their tokens; keys of people |
//! | [`history`] | pages of the audit log; cursors |
//! | `setup` | the first person |
//! | [`sign_in`] | the door: throttle, password, factor, session |

mod address;
pub mod client;
pub mod device;
mod erasures;
pub mod event;
pub mod fault;
pub mod history;
mod identity;
pub mod invite;
mod leave;
mod mail;
pub(crate) mod name;
mod numbers;
pub mod org;
pub mod person;
mod personal;
pub(crate) mod privacy;
pub mod profile;
pub mod role;
pub mod session;
mod setup;
pub mod sign_in;
pub mod static_token;
pub mod template;
pub mod transfer;

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use linchpin_storage::schema::{Actor, Family, Grant, Org, RoleRecord};
use linchpin_storage::{Error, KeyLabel, Store};
use ring::hmac;

use crate::access::{Denial, Directory, Right, Scope, Standing, Tree, admit};
use crate::account::{EmailAddress, EndedRights, Epochs, KeyPace, Marks, SessionTable, TokenMint};
use crate::audit::{By, Ledger};
use crate::mail::Outbox;

use erasures::Erasures;
pub use fault::LoaderFault;
use linchpin_storage::schema::OrgId;
use numbers::Numbers;

/// See the module's page.
#[derive(Debug)]
pub struct Loader {
    store: Arc<Store>,
    ledger: Ledger,
    directory: RwLock<Directory>,
    ended: Arc<EndedRights>,
    epochs: Epochs,
    sessions: SessionTable,
    mint: TokenMint,
    marks: Marks,
    numbers: Numbers,
    outbox: Outbox,
    erasures: Erasures,
    pace: KeyPace,
    /// Of digests of addresses and recovery codes.
    marking: hmac::Key,
    /// Of cursors.
    cursors: hmac::Key,
}

/// Somebody with a request, as loaders need them: what they may do and how they are written down.
#[derive(Clone, Debug)]
pub struct Asker {
    /// What they may do.
    pub standing: Standing,
    /// What kind of program they use; may be empty.
    pub agent: Box<str>,
}

impl Asker {
    /// As the audit log has them.
    #[must_use]
    pub fn by(&self) -> By {
        let Standing { actor, address, request, .. } = &self.standing;
        By { actor: *actor, address: address.to_string().into(), agent: self.agent.clone(), request: *request }
    }
}

/// Who acts on a record: somebody who was admitted, or the operator.
fn by_of<P: Right>(scope: &Scope<P>) -> By {
    match scope.actor() {
        Actor::Operator => By::operator(),
        actor => By { actor, address: scope.address().into(), agent: scope.agent().into(), request: scope.request() },
    }
}

impl Loader {
    /// Rights that have ended, for those who go by them elsewhere.
    #[must_use]
    pub const fn ended(&self) -> &Arc<EndedRights> {
        &self.ended
    }

    /// On an open store that has room for people.
    ///
    /// # Errors
    /// [`Error::NotUpgraded`]; the store cannot be read.
    pub fn open(store: Arc<Store>) -> Result<Self, Error> {
        if !store.present().has_people() {
            return Err(Error::NotUpgraded { family: Family::Outbox.name() });
        }
        let mut orgs = Vec::new();
        store.scan::<Org>(|id, org| {
            orgs.push((id, org));
            ControlFlow::Continue(())
        })?;
        let mut directory = Directory::new(Tree::new(orgs));
        store.scan::<RoleRecord>(|key, role| {
            directory.put_role(key.org(), key.role(), Some(role));
            ControlFlow::Continue(())
        })?;
        store.scan::<Grant>(|key, grant| {
            directory.put_grant((key.user_org(), key.user()), key.org(), Some(grant));
            ControlFlow::Continue(())
        })?;
        let key = |label| store.labelled_key(label);
        let (mint, marks) =
            (TokenMint::new(&key(KeyLabel::Token)), Marks::new(&key(KeyLabel::Known), &key(KeyLabel::Csrf)));
        let ended: Arc<EndedRights> = Arc::default();
        Ok(Self {
            ledger: Ledger::new(Arc::clone(&store)),
            directory: RwLock::new(directory),
            epochs: Epochs::new(Arc::clone(&ended)),
            sessions: SessionTable::new(Arc::clone(&ended)),
            ended,
            mint,
            marks,
            numbers: Numbers::default(),
            outbox: Outbox::default(),
            erasures: Erasures::default(),
            pace: KeyPace::default(),
            marking: hmac::Key::new(hmac::HMAC_SHA256, &*store.labelled_key(KeyLabel::Address)),
            cursors: hmac::Key::new(hmac::HMAC_SHA256, &*store.labelled_key(KeyLabel::Cursor)),
            store,
        })
    }

    /// The audit log.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// How many requests keys have sent.
    #[must_use]
    pub const fn pace(&self) -> &KeyPace {
        &self.pace
    }

    /// Marks of browsers and tokens against forged requests.
    #[must_use]
    pub const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Who is where with which role, now. Not to be held while anything is waited for.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an address is counted and marked by.
    pub(crate) fn email_key(&self, email: &EmailAddress) -> [u8; 32] {
        self.store.email_digest(email.expose()).long().unwrap_or_default()
    }

    fn change_directory(&self, edit: impl FnOnce(&mut Directory)) {
        edit(&mut self.directory.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Let somebody do `P` in an organization: [`admit`] by the directory of now.
    ///
    /// # Errors
    /// [`Denial`].
    pub fn admit<P: Right>(&self, asker: &Asker, org: OrgId, now_ms: u64) -> Result<Scope<P>, Denial> {
        Ok(admit(&asker.standing, org, &self.directory().tree, now_ms)?.with_agent(&asker.agent))
    }
}

#[cfg(test)]
mod tests;

//! Identities at other sign-in servers that stand for an account.

use linchpin_storage::schema::{AccountLink, Digest, IndexEntry, User, UserKey};

use super::person::Person;
use super::{Loader, LoaderFault};
use crate::access::PersonRef;
use crate::account::EmailAddress;
use crate::audit::{AuditAction, By, Note, ObjectKind};

impl Loader {
    fn identity_digest(&self, link: &AccountLink) -> Digest {
        let mut whole = (link.issuer.len() as u32).to_be_bytes().to_vec();
        whole.extend_from_slice(link.issuer.as_bytes());
        whole.extend_from_slice(link.subject.as_bytes());
        self.store.identity_digest(&whole)
    }

    /// The person of an identity. The record confirms what the index says.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn find_identity(&self, link: &AccountLink) -> Result<Option<Person>, LoaderFault> {
        let Some(entry) = self.store.lookup(&self.identity_digest(link))? else { return Ok(None) };
        match self.myself((entry.org, entry.number)) {
            Ok(person) => Ok(Some(person).filter(|person| person.account.links.contains(link))),
            Err(LoaderFault::Missing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Somebody is signed in and has shown that this identity is theirs, too.
    ///
    /// # Errors
    /// [`LoaderFault::Conflict`]: it stands for another account, or another one of the same server stands for this one.
    pub(crate) fn link_identity(
        &self,
        by: By,
        id: PersonRef,
        link: &AccountLink,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let digest = self.identity_digest(link);
        if self.find_identity(link)?.is_some_and(|person| person.id != id) {
            return Err(LoaderFault::Conflict("this identity stands for another account already"));
        }
        let mut person = self.myself(id)?;
        if person.account.links.contains(link) {
            return Ok(());
        }
        if person.account.links.iter().any(|known| known.issuer == link.issuer) {
            return Err(LoaderFault::Conflict("another identity of this server stands for the account already"));
        }
        let limit = linchpin_storage::limits::ACCOUNT_LINKS;
        if person.account.links.len() >= limit {
            return Err(LoaderFault::Full { what: "identities of an account", limit });
        }
        person.account.links.push(link.clone());
        person.user = User { account: person.account.to_bytes(), ..person.user };
        change.batch.put(&UserKey::new(id.0, id.1), &person.user)?;
        change.batch.put_index(&digest, &IndexEntry { org: id.0, number: id.1 })?;
        let note = Note::new(AuditAction::IdentityLink, ObjectKind::User, id.1, &person.user.name);
        Ok(change.commit(id.0, note.with("issuer", "", &link.issuer))?)
    }

    /// An identity stands for the account no more.
    ///
    /// # Errors
    /// [`LoaderFault::Missing`].
    pub(crate) fn unlink_identity(&self, by: By, id: PersonRef, issuer: &str, now_ms: u64) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let mut person = self.myself(id)?;
        let at = person.account.links.iter().position(|link| *link.issuer == *issuer).ok_or(LoaderFault::Missing)?;
        let link = person.account.links.remove(at);
        person.user = User { account: person.account.to_bytes(), ..person.user };
        change.batch.put(&UserKey::new(id.0, id.1), &person.user)?;
        change.batch.delete_index(&self.identity_digest(&link))?;
        let note = Note::new(AuditAction::IdentityUnlink, ObjectKind::User, id.1, &person.user.name);
        Ok(change.commit(id.0, note.with("issuer", issuer, ""))?)
    }

    /// All identities of a person leave the index with the change, or come to stand for their new home.
    pub(super) fn move_identities(
        &self,
        change: &mut crate::audit::AuditedChange<'_>,
        person: &Person,
        to: Option<PersonRef>,
    ) -> Result<(), LoaderFault> {
        for link in &person.account.links {
            let digest = self.identity_digest(link);
            match to {
                Some((org, number)) => change.batch.put_index(&digest, &IndexEntry { org, number })?,
                None => change.batch.delete_index(&digest)?,
            }
        }
        Ok(())
    }

    /// Whom an identity stands for: by itself, or by an address of a domain that its server speaks for, which links it.
    ///
    /// # Errors
    /// The store; `Ok(None)`: nobody.
    pub(crate) fn person_of_identity(
        &self,
        by: By,
        link: &AccountLink,
        email: Option<&EmailAddress>,
        now_ms: u64,
    ) -> Result<Option<Person>, LoaderFault> {
        if let Some(person) = self.find_identity(link)? {
            return Ok(Some(person));
        }
        let Some(person) = email.map(|email| self.find_person(email)).transpose()?.flatten() else { return Ok(None) };
        // An account that nobody has opened yet is not taken by whoever comes first.
        if person.account.state != linchpin_storage::schema::AccountState::Active {
            return Ok(None);
        }
        match self.link_identity(by, person.id, link, now_ms) {
            Ok(()) => self.myself(person.id).map(Some),
            Err(LoaderFault::Conflict(_) | LoaderFault::Full { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

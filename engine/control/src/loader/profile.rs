//! What people change of themselves, and others of them: names, languages, what they agreed to.

use std::ops::ControlFlow;

use linchpin_storage::schema::{Account, Consent, ConsentKey, User, UserKey};

use super::person::person_name_fits;
use super::{Loader, LoaderFault, by_of};
use crate::access::{PersonRef, Scope, right};
use crate::audit::{AuditAction, By, Note, ObjectKind};

/// What may be changed of a person; `None`: it stays.
#[derive(Clone, Debug, Default)]
pub struct ProfileEdit {
    /// Their name.
    pub name: Option<Box<str>>,
    /// Their language; empty: the organization's.
    pub locale: Option<Box<str>>,
}

/// Languages are short words such as `de` or `pt-BR`.
fn locale_fits(locale: &str) -> Result<(), LoaderFault> {
    let fits = locale.len() <= 16 && locale.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err(LoaderFault::field("locale", "a language such as de or pt-BR")) }
}

impl Loader {
    /// Change somebody's own name or language.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn edit_profile(&self, by: By, id: PersonRef, edit: &ProfileEdit, now_ms: u64) -> Result<(), LoaderFault> {
        edit.name.as_deref().map_or(Ok(()), person_name_fits)?;
        edit.locale.as_deref().map_or(Ok(()), locale_fits)?;
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let before = self.myself(id)?;
        let name = edit.name.clone().unwrap_or_else(|| before.user.name.clone());
        let locale = edit.locale.clone().unwrap_or_else(|| before.account.locale.clone());
        let account = Account { locale: locale.clone(), ..before.account.clone() };
        let user = User { name: name.clone(), account: account.to_bytes(), ..before.user.clone() };
        change.batch.put(&UserKey::new(id.0, id.1), &user)?;
        let note = Note::new(AuditAction::UserEdit, ObjectKind::User, id.1, &name)
            .with("name", &before.user.name, &name)
            .with("locale", &before.account.locale, &locale);
        Ok(change.commit(id.0, note)?)
    }

    /// Change the name or language of a member whose home is the organization of the scope.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn edit_person(
        &self,
        scope: &Scope<right::UserEdit>,
        id: PersonRef,
        edit: &ProfileEdit,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        self.member_at_home(scope.org(), id)?;
        self.edit_profile(by_of(scope), id, edit, now_ms)
    }

    /// A member, and this is their home: others change nothing of them.
    pub(super) fn member_at_home(
        &self,
        org: linchpin_storage::schema::OrgId,
        id: PersonRef,
    ) -> Result<super::person::Person, LoaderFault> {
        let person = self.member(org, id)?;
        if id.0 == org {
            return Ok(person);
        }
        Err(LoaderFault::Conflict("this person's home is another organization: end their membership instead"))
    }

    /// The newest decision of a person about each purpose, with when it was.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn consents(&self, id: PersonRef) -> Result<Vec<(u16, u64, Consent)>, LoaderFault> {
        let mut found: Vec<(u16, u64, Consent)> = Vec::new();
        self.store.scan_numbered::<Consent>(id.0, id.1, |key, consent| {
            found.retain(|(purpose, ..)| *purpose != key.purpose());
            found.push((key.purpose(), key.at_ms(), consent));
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Write down a decision. The ones before stay: when somebody agreed and took it back must be shown.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set_consent(
        &self,
        by: By,
        id: PersonRef,
        (purpose, consent): (u16, &Consent),
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        change.batch.put(&ConsentKey::new(id.0, id.1, purpose, now_ms), consent)?;
        let note = Note::new(AuditAction::ConsentSet, ObjectKind::User, id.1, "");
        Ok(change.commit(id.0, note.with("purpose", "", purpose).with("given", !consent.given, consent.given))?)
    }
}

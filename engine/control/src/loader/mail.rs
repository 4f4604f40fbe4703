//! Mails: put into the batch of what causes them, and what becomes of them.

use std::ops::ControlFlow;

use linchpin_storage::schema::{CounterName, MailKey, Org, OrgId, OutboxMail};

use super::person::Person;
use super::{Loader, LoaderFault};
use crate::account::{EmailAddress, GivenSecret};
use crate::audit::{AuditedChange, By};
use crate::limits;
use crate::mail::{MailKind, NewMail, Outbox};

/// What is due.
#[derive(Debug, Default)]
pub(crate) struct DueMails {
    /// The first [`limits::MAILS_TOGETHER`] of them.
    pub(crate) due: Vec<(MailKey, OutboxMail)>,
    /// When the next one is, ms since 1970.
    pub(crate) next_ms: Option<u64>,
}

impl Loader {
    /// What waits to be sent.
    pub(crate) const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Put a mail into the batch of a change of its organization. After the commit the outbox is woken.
    pub(super) fn post(
        &self,
        change: &mut AuditedChange<'_>,
        org: OrgId,
        (kind, to, locale): (MailKind, &EmailAddress, &str),
        secret: Option<(&GivenSecret, u64)>,
    ) -> Result<(), LoaderFault> {
        let record = self.store.get::<Org>(&org)?;
        let (org_name, org_locale) = record.map(|org| (org.name, org.locale)).unwrap_or_default();
        let locale = if locale.is_empty() { org_locale } else { locale.into() };
        let number = self.numbers.next(&self.store, CounterName::Mail)?;
        let now_ms = change.now_ms();
        let mail = NewMail { kind, to, locale, secret, org_name };
        self.outbox.put(&mut change.batch, (org, number), &mail, now_ms)
    }

    /// Put a mail to a person there that says what has happened. When there is no room it is left out: what it is about is done.
    pub(super) fn post_notice(&self, change: &mut AuditedChange<'_>, person: &Person, kind: MailKind) {
        if !self.outbox.sends_notices() {
            return;
        }
        let posted = EmailAddress::parse(&person.user.email)
            .map_err(LoaderFault::from)
            .and_then(|to| self.post(change, person.id.0, (kind, &to, &person.account.locale), None));
        if let Err(fault) = posted {
            tracing::warn!(%fault, ?kind, "a mail was left out");
        }
    }

    /// A browser that was not known has signed in: say so, some times an hour.
    pub(super) fn say_new_sign_in(&self, person: &Person, now_ms: u64) {
        let Ok(email) = EmailAddress::parse(&person.user.email) else { return };
        // Counted apart from links: signing in keeps nobody from a new password.
        let key = self.email_key(&email).map(|byte| !byte);
        if !self.outbox.sends_notices() || !self.outbox.admits(&key, limits::MAILS_PER_ADDRESS, now_ms) {
            return;
        }
        let mut change = self.ledger.change(By::system(), &[person.id.0], now_ms);
        self.post_notice(&mut change, person, MailKind::NewSignIn);
        if let Err(error) = change.commit_silently() {
            tracing::warn!(%error, "a mail was left out");
        }
        self.outbox.wake();
    }

    /// What is due.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) fn due_mails(&self, now_ms: u64) -> Result<DueMails, LoaderFault> {
        let (mut found, mut count) = (DueMails::default(), 0);
        self.store.scan::<OutboxMail>(|key, mail| {
            count += 1;
            if key.due_ms() > now_ms {
                found.next_ms.get_or_insert(key.due_ms());
            } else if found.due.len() < limits::MAILS_TOGETHER {
                found.due.push((key, mail));
            }
            ControlFlow::Continue(())
        })?;
        self.outbox.counted(count);
        Ok(found)
    }

    /// A mail was sent, or given up.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) fn mail_gone(&self, key: MailKey) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(By::system(), &[key.org()], 0);
        change.batch.delete::<OutboxMail>(&key)?;
        change.commit_silently()?;
        self.outbox.gone();
        Ok(())
    }

    /// A mail is tried again then; nothing if it was erased meanwhile.
    ///
    /// # Errors
    /// The store cannot be written.
    pub(crate) fn mail_later(&self, key: MailKey, due_ms: u64) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(By::system(), &[key.org()], 0);
        let Some(mail) = self.store.get::<OutboxMail>(&key)? else { return Ok(()) };
        change.batch.delete::<OutboxMail>(&key)?;
        let later = MailKey::new(due_ms, key.org(), key.number());
        change.batch.put(&later, &OutboxMail { tries: mail.tries.saturating_add(1), ..mail })?;
        Ok(change.commit_silently()?)
    }

    /// Mails to this address leave with the change.
    pub(super) fn delete_mails(&self, change: &mut AuditedChange<'_>, to: &str) -> Result<(), LoaderFault> {
        let mut gone = Vec::new();
        self.store.scan::<OutboxMail>(|key, mail| {
            if mail.to.eq_ignore_ascii_case(to) {
                gone.push(key);
            }
            ControlFlow::Continue(())
        })?;
        gone.iter().try_for_each(|key| Ok(change.batch.delete::<OutboxMail>(key)?))
    }
}

//! Addresses of people: signing up with one, and taking another.

use std::ops::ControlFlow;

use linchpin_storage::schema::{CounterName, Digest, IndexEntry, Invite, InviteKey, InviteKind, OrgId, User, UserKey};
use zeroize::Zeroizing;

use super::person::Person;
use super::{Loader, LoaderFault};
use crate::access::{BuiltIn, PersonRef};
use crate::account::{Changed, EmailAddress, GivenSecret, SecretKind, Whose};
use crate::audit::{AuditAction, AuditedChange, By, Note, ObjectKind};
use crate::limits;
use crate::mail::MailKind;

impl Loader {
    /// A link of this kind, put into the change: its number and its secret.
    pub(super) fn new_link(
        &self,
        change: &mut AuditedChange<'_>,
        org: OrgId,
        record: Invite,
    ) -> Result<(u32, GivenSecret), LoaderFault> {
        let (secret, number) =
            (GivenSecret::fresh(SecretKind::Invite)?, self.numbers.next(&self.store, CounterName::Invite)?);
        let digest = self.store.invite_digest(secret.expose().as_bytes());
        let record = Invite { digest: digest.long().unwrap_or_default(), ..record };
        change.batch.put(&InviteKey::new(org, number), &record)?;
        change.batch.put_index(&digest, &IndexEntry { org, number })?;
        Ok((number, secret))
    }

    /// Links of an organization that `goes` names leave with the change, and so do some of those that are over.
    pub(super) fn void_links(
        &self,
        change: &mut AuditedChange<'_>,
        org: OrgId,
        goes: impl Fn(&Invite) -> bool,
    ) -> Result<(), LoaderFault> {
        let (now_ms, mut gone, mut over) = (change.now_ms(), Vec::new(), 0);
        self.store.scan_org::<Invite>(org, |key, invite| {
            let is_over = invite.until_ms <= now_ms && over < limits::LINKS_SWEPT;
            over += usize::from(is_over);
            if is_over || goes(&invite) {
                gone.push((key, invite.digest));
            }
            ControlFlow::Continue(())
        })?;
        for (key, digest) in gone {
            change.batch.delete::<Invite>(&key)?;
            change.batch.delete_index(&Digest::Invite(digest))?;
        }
        Ok(())
    }

    /// Begin to sign up: a mail with a link goes to the address. Whoever asks learns nothing of whether there is an account.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub(crate) fn sign_up(
        &self,
        by: By,
        org: OrgId,
        (email, locale): (&EmailAddress, &str),
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        if !self.outbox.admits(&self.email_key(email), limits::MAILS_PER_ADDRESS, now_ms) {
            return Ok(());
        }
        let mut change = self.ledger.change(by, &[org], now_ms);
        if let Some(person) = self.find_person(email)? {
            self.post(&mut change, org, (MailKind::AccountExists, email, &person.account.locale), None)?;
            change.commit_silently()?;
            self.outbox.wake();
            return Ok(());
        }
        let role = BuiltIn::User as u16;
        let (_, role_epoch) = self.directory().role(org, role).ok_or(LoaderFault::Missing)?;
        let mut waiting = 0;
        self.store.scan_org::<Invite>(org, |_, invite| {
            waiting += usize::from(invite.kind == InviteKind::Verify && now_ms < invite.until_ms);
            ControlFlow::Continue(())
        })?;
        if waiting >= limits::SIGN_UPS {
            return Err(LoaderFault::Full { what: "people who sign up", limit: limits::SIGN_UPS });
        }
        let is_same =
            |invite: &Invite| invite.kind == InviteKind::Verify && invite.email.eq_ignore_ascii_case(email.expose());
        self.void_links(&mut change, org, is_same)?;
        let record = Invite {
            kind: InviteKind::Verify,
            digest: [0; 32],
            email: email.expose().into(),
            role,
            role_epoch,
            below: false,
            inviter: None,
            user: 0,
            made_ms: now_ms,
            until_ms: now_ms + limits::VERIFY_MS,
            password: Zeroizing::default(),
        };
        let until_ms = record.until_ms;
        let (number, secret) = self.new_link(&mut change, org, record)?;
        self.post(&mut change, org, (MailKind::Register, email, locale), Some((&secret, until_ms)))?;
        change.commit(
            org,
            Note::new(AuditAction::InviteCreate, ObjectKind::Invite, number, "").with("by", "", "sign-up"),
        )?;
        self.outbox.wake();
        Ok(())
    }

    /// Begin to take another address: a link to the new one does it, a link to the one until now stops it. The password's hash
    /// is of the new address.
    ///
    /// # Errors
    /// [`LoaderFault`]; an address that somebody has is not told: its mailbox hears of it.
    pub(crate) fn ask_address(
        &self,
        by: By,
        id: PersonRef,
        (new, password): (&EmailAddress, Zeroizing<String>),
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let person = self.myself(id)?;
        let old = EmailAddress::parse(&person.user.email)?;
        if old.folded() == new.folded() {
            return Err(LoaderFault::field("new_email", "another address than the one until now"));
        }
        if !self.outbox.admits(&self.email_key(new), limits::MAILS_PER_ADDRESS, now_ms) {
            let limit = limits::MAILS_PER_ADDRESS as usize;
            return Err(LoaderFault::Often { what: "mails to one address within an hour", limit });
        }
        let locale = &*person.account.locale;
        self.void_links(&mut change, id.0, |invite| is_of_address(invite, id))?;
        let note = Note::new(AuditAction::AddressSet, ObjectKind::User, id.1, &person.user.name);
        if let Some(other) = self.find_person(new)? {
            self.post(&mut change, id.0, (MailKind::AccountExists, new, &other.account.locale), None)?;
            change.commit(id.0, note.with("state", "", "asked"))?;
            self.outbox.wake();
            return Ok(());
        }
        let record = |kind, email: &EmailAddress, password| Invite {
            kind,
            digest: [0; 32],
            email: email.expose().into(),
            role: 0,
            role_epoch: person.account.epoch,
            below: false,
            inviter: None,
            user: id.1,
            made_ms: now_ms,
            until_ms: now_ms + limits::VERIFY_MS,
            password,
        };
        let until_ms = now_ms + limits::VERIFY_MS;
        let (_, secret) = self.new_link(&mut change, id.0, record(InviteKind::Address, new, password))?;
        self.post(&mut change, id.0, (MailKind::AddressConfirm, new, locale), Some((&secret, until_ms)))?;
        let (_, secret) = self.new_link(&mut change, id.0, record(InviteKind::Stop, &old, Zeroizing::default()))?;
        self.post(&mut change, id.0, (MailKind::AddressStop, &old, locale), Some((&secret, until_ms)))?;
        change.commit(id.0, note.with("state", "", "asked"))?;
        self.outbox.wake();
        Ok(())
    }

    /// The person of a link that changes their address or stops that, if the link is good.
    fn address_link(
        &self,
        secret: &GivenSecret,
        kind: InviteKind,
        now_ms: u64,
    ) -> Result<(Invite, Person), LoaderFault> {
        let (key, invite) = self.link(secret, kind, now_ms)?;
        let person = self.myself((key.org(), invite.user)).map_err(|fault| match fault {
            LoaderFault::Missing => LoaderFault::Spent,
            fault => fault,
        })?;
        // A password or factor that was set meanwhile voids it.
        if person.account.epoch == invite.role_epoch { Ok((invite, person)) } else { Err(LoaderFault::Spent) }
    }

    /// Take the new address: all sessions end, both mailboxes hear of it.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`]; somebody has the address meanwhile.
    pub(crate) fn confirm_address(&self, by: By, secret: &GivenSecret, now_ms: u64) -> Result<(), LoaderFault> {
        let id = self.address_link(secret, InviteKind::Address, now_ms)?.1.id;
        // Two that take one address at once wait for the first organization.
        let mut change = self.ledger.change(by, &[OrgId::FIRST, id.0], now_ms);
        let (invite, before) = self.address_link(secret, InviteKind::Address, now_ms)?;
        let digest = self.store.email_digest(&invite.email);
        if self.store.lookup(&digest)?.is_some() {
            return Err(LoaderFault::Conflict("somebody has this e-mail address already"));
        }
        let mut after = before.clone();
        after.account.password = invite.password.clone();
        (after.account.password_ms, after.account.verified_ms) = (now_ms, now_ms);
        after.account.epoch += 1;
        after.user = User { email: invite.email, account: after.account.to_bytes(), ..after.user };
        change.batch.put(&UserKey::new(id.0, id.1), &after.user)?;
        change.batch.delete_index(&self.store.email_digest(&before.user.email))?;
        change.batch.put_index(&digest, &IndexEntry { org: id.0, number: id.1 })?;
        self.end_with_links(&mut change, id)?;
        self.post_notice(&mut change, &before, MailKind::AddressChanged);
        self.post_notice(&mut change, &after, MailKind::AddressChanged);
        self.all_ended(change, &after, "changed")
    }

    /// Stop a change of address, from the mailbox until now: all sessions end, for one of them was not the person's.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`].
    pub(crate) fn stop_address(&self, by: By, secret: &GivenSecret, now_ms: u64) -> Result<(), LoaderFault> {
        let id = self.address_link(secret, InviteKind::Stop, now_ms)?.1.id;
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let (_, mut person) = self.address_link(secret, InviteKind::Stop, now_ms)?;
        person.account.epoch += 1;
        person.user.account = person.account.to_bytes();
        change.batch.put(&UserKey::new(id.0, id.1), &person.user)?;
        self.end_with_links(&mut change, id)?;
        self.all_ended(change, &person, "stopped")
    }

    fn end_with_links(&self, change: &mut AuditedChange<'_>, id: PersonRef) -> Result<(), LoaderFault> {
        let is_void =
            |invite: &Invite| is_of_address(invite, id) || (invite.kind == InviteKind::Reset && invite.user == id.1);
        self.void_links(change, id.0, is_void)?;
        self.delete_sessions(change, id)
    }

    fn all_ended(&self, change: AuditedChange<'_>, person: &Person, state: &str) -> Result<(), LoaderFault> {
        let id = person.id;
        let note = Note::new(AuditAction::AddressSet, ObjectKind::User, id.1, &person.user.name);
        change.commit(id.0, note.with("state", "asked", state))?;
        self.sessions.end(Whose::Person(id.0, id.1));
        self.epochs.bump(Changed::Person(id.0, id.1));
        self.outbox.wake();
        Ok(())
    }
}

fn is_of_address(invite: &Invite, id: PersonRef) -> bool {
    matches!(invite.kind, InviteKind::Address | InviteKind::Stop) && invite.user == id.1
}

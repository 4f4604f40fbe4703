//! People who are erased. It begins with one batch, after which nobody can sign in as them and nothing of their own is left
//! but a mark; from there it completes, also when the server ends in the middle.
//!
//! | step | what |
//! |---|---|
//! | `person: marked` | account, sessions, keys, links, mails and memberships are gone; the home membership has role 0: the mark |
//! | `person: devices passed on` | devices that they owned belong to the organization alone, shares with them have ended |
//! | `person: faces erased` | names and addresses of what they did have left the audit log, whose chain stays whole |
//! | `person: records compacted` | no table of the store holds what was deleted |
//! | `person: mark gone` | it is complete |
//!
//! Backups hold a person until they age out: only organizations have keys of their own that can be destroyed.

use std::ops::ControlFlow;

use linchpin_protocol::model::{DeviceId, OrgId};
use linchpin_storage::Class;
use linchpin_storage::schema::{
    Account, AccountState, Actor, AuditEntry, AuditFace, AuditKey, Consent, Device, DeviceKey, Grant, GrantKey,
    ShareKey, ShareRecord, User, UserKey,
};

use super::erasures::Erasures;
use super::person::Person;
use super::{Loader, LoaderFault};
use crate::access::{Membership, PersonRef};
use crate::account::{Changed, EmailAddress, Whose};
use crate::audit::{AuditAction, AuditedChange, By, Note, ObjectKind};
use crate::limits;
use crate::mail::MailKind;

/// The role of nobody, at home: the mark of somebody who is being erased.
pub(super) const LEAVING: u16 = 0;

/// What changed of devices by the erasure of their owner.
#[derive(Debug, Default)]
pub(crate) struct ErasedPerson {
    /// Devices that have no owner any more, as they are now.
    pub(crate) passed_on: Vec<(OrgId, DeviceId, Device)>,
    /// Devices that were shared with them.
    pub(crate) unshared: Vec<DeviceId>,
}

impl Loader {
    /// People who are being erased.
    pub(crate) const fn erasures(&self) -> &Erasures {
        &self.erasures
    }

    /// Erase somebody by their own wish. From here on it completes.
    ///
    /// # Errors
    /// [`LoaderFault`]: the last Admin of an organization hands over first.
    pub(crate) fn erase_myself(&self, by: By, id: PersonRef, now_ms: u64) -> Result<(), LoaderFault> {
        let (orgs, _) = self.orgs_of(id);
        let change = self.ledger.change(by, &orgs, now_ms);
        let person = self.myself(id)?;
        let (now_in, memberships) = self.orgs_of(id);
        if now_in.iter().any(|org| !orgs.contains(org)) {
            return Err(LoaderFault::Conflict("you are joining an organization this moment: try again"));
        }
        memberships.iter().try_for_each(|member| self.check_last_admin(member.org, id))?;
        self.begin_erase(change, &person, &memberships)
    }

    /// The first step: one batch. The change holds all organizations of the person.
    pub(super) fn begin_erase(
        &self,
        mut change: AuditedChange<'_>,
        person: &Person,
        memberships: &[Membership],
    ) -> Result<(), LoaderFault> {
        let id = person.id;
        let keys = self.delete_belongings(&mut change, id)?;
        for (key, _) in self.consent_lines(id)? {
            change.batch.delete::<Consent>(&key)?;
        }
        let epoch = person.account.epoch + 1;
        let account = Account { state: AccountState::Suspended, epoch, ..Account::default() };
        let shell = User { email: "".into(), name: "".into(), account: account.to_bytes(), ..person.user.clone() };
        change.batch.put(&UserKey::new(id.0, id.1), &shell)?;
        change.batch.delete_index(&self.store.email_digest(&person.user.email))?;
        self.move_identities(&mut change, person, None)?;
        self.delete_mails(&mut change, &person.user.email)?;
        let note = || Note::new(AuditAction::PrivacyErase, ObjectKind::User, id.1, "");
        for member in memberships.iter().filter(|member| member.org != id.0) {
            change.batch.delete::<Grant>(&GrantKey::new(member.org, id.0, id.1))?;
            change.note(member.org, note())?;
        }
        let mark = Grant { role: LEAVING, below: false, until_ms: 0 };
        change.batch.put(&GrantKey::new(id.0, id.0, id.1), &mark)?;
        if self.outbox.sends_notices()
            && let Ok(to) = EmailAddress::parse(&person.user.email)
        {
            self.post(&mut change, id.0, (MailKind::Erased, &to, &person.account.locale), None)?;
        }
        self.store.reach("person: asked");
        change.commit(id.0, note())?;
        self.store.reach("person: marked");
        self.change_directory(|directory| {
            memberships.iter().for_each(|member| directory.put_grant(id, member.org, None));
            directory.put_grant(id, id.0, Some(mark));
        });
        self.sessions.end(Whose::Person(id.0, id.1));
        keys.into_iter().for_each(|key| self.key_ended(id.0, key));
        self.epochs.bump(Changed::Person(id.0, id.1));
        self.outbox.wake();
        if !self.erasures.begin() {
            // The operator has the store in hand: nobody else completes it.
            self.finish_erase(id)?;
        }
        Ok(())
    }

    /// Write down that data was taken out.
    ///
    /// # Errors
    /// The store cannot be written: then nothing is taken out.
    pub(crate) fn note_export(&self, by: By, org: OrgId, note: Note, now_ms: u64) -> Result<(), LoaderFault> {
        Ok(self.ledger.change(by, &[org], now_ms).commit(org, note)?)
    }

    /// Everybody who is being erased.
    pub(crate) fn leaving(&self) -> Vec<PersonRef> {
        self.directory().leaving()
    }

    /// The steps behind the first. They may be repeated.
    ///
    /// # Errors
    /// The store.
    pub(crate) fn finish_erase(&self, id: PersonRef) -> Result<ErasedPerson, LoaderFault> {
        let mut done = ErasedPerson::default();
        self.pass_devices_on(id, &mut done)?;
        self.store.reach("person: devices passed on");
        let mut orgs = self.erase_faces(id)?;
        self.store.reach("person: faces erased");
        orgs.extend(done.passed_on.iter().map(|(org, ..)| *org).chain([id.0]));
        orgs.sort_unstable();
        orgs.dedup();
        for org in orgs {
            self.store.scour_people(org)?;
        }
        self.store.reach("person: records compacted");
        let mut change = self.ledger.change(By::system(), &[id.0], 0);
        change.batch.delete::<User>(&UserKey::new(id.0, id.1))?;
        change.batch.delete::<Grant>(&GrantKey::new(id.0, id.0, id.1))?;
        change.commit_silently()?;
        self.store.reach("person: mark gone");
        self.change_directory(|directory| directory.put_grant(id, id.0, None));
        Ok(done)
    }

    fn pass_devices_on(&self, id: PersonRef, done: &mut ErasedPerson) -> Result<(), LoaderFault> {
        let mut owned: Vec<DeviceKey> = Vec::new();
        self.store.scan::<Device>(|key, device| {
            if device.owner == Some(id) {
                owned.push(key);
            }
            ControlFlow::Continue(())
        })?;
        let mut shares: Vec<ShareKey> = Vec::new();
        self.store.scan::<ShareRecord>(|key, _| {
            if (key.user_org(), key.user()) == id {
                shares.push(key);
            }
            ControlFlow::Continue(())
        })?;
        for some in owned.chunk_by(|a, b| a.org() == b.org()).flat_map(|org| org.chunks(limits::DEVICES_TOGETHER)) {
            let Some(org) = some.first().map(DeviceKey::org) else { continue };
            let mut change = self.ledger.change(By::system(), &[org], crate::clock::now_ms());
            let mut changed = 0_u32;
            for key in some {
                let Some(before) = self.store.get::<Device>(key)?.filter(|device| device.owner == Some(id)) else {
                    continue;
                };
                let after = Device { owner: None, ..before };
                change.batch.put(key, &after)?;
                done.passed_on.push((org, key.device(), after));
                changed += 1;
            }
            let note = Note::new(AuditAction::DeviceEdit, ObjectKind::Org, org.get(), "");
            change.commit(org, note.with("owner", format!("{}/{}", id.0, id.1), "").with("devices", "", changed))?;
        }
        for some in shares.chunks(limits::DEVICES_TOGETHER) {
            let mut batch = self.store.batch();
            some.iter().try_for_each(|key| batch.delete::<ShareRecord>(key))?;
            self.store.commit(Class::A, batch)?;
            done.unshared.extend(some.iter().map(ShareKey::device));
        }
        Ok(())
    }

    /// Erase the faces of what a person did and of what was done to them, in every organization; returns those that had some.
    fn erase_faces(&self, id: PersonRef) -> Result<Vec<OrgId>, LoaderFault> {
        let orgs = self.directory().tree.below(OrgId::FIRST);
        let mut touched = Vec::new();
        for org in orgs {
            let mut faces: Vec<AuditKey> = Vec::new();
            self.store.scan_org::<AuditEntry>(org, |key, entry| {
                if is_about(&entry, id) {
                    faces.push(key);
                }
                ControlFlow::Continue(())
            })?;
            for some in faces.chunks(limits::FACES_TOGETHER) {
                let mut batch = self.store.batch();
                some.iter().try_for_each(|key| batch.delete::<AuditFace>(key))?;
                self.store.commit(Class::A, batch)?;
            }
            if !faces.is_empty() {
                touched.push(org);
            }
        }
        Ok(touched)
    }
}

/// Does the face of an entry say something of this person? Their number is theirs alone, wherever they were at home.
fn is_about(entry: &AuditEntry, id: PersonRef) -> bool {
    let by_them = matches!(entry.actor, Actor::Person(_, user) if user == id.1);
    // That they were erased is said without their name, by somebody who is still there.
    let of_them = entry.object.kind == ObjectKind::User as u8
        && entry.object.number == u64::from(id.1)
        && entry.action != AuditAction::PrivacyErase as u16;
    by_them || of_them
}

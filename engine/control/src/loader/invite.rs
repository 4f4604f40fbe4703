//! Links that are good once: invitations to an organization, and resets of passwords.

use linchpin_storage::schema::{
    Actor, Consent, ConsentKey, Digest, Grant, GrantKey, Invite, InviteKey, InviteKind, OrgId,
};
use zeroize::Zeroizing;

use super::person::NewPerson;
use super::{Loader, LoaderFault, by_of};
use crate::access::role::Giver;
use crate::access::{PersonRef, Scope, right};
use crate::account::{EmailAddress, GivenSecret};
use crate::audit::{AuditAction, By, Note, ObjectKind};
use crate::limits;
use crate::mail::MailKind;

/// Who is invited to what.
#[derive(Clone, Debug)]
pub struct InviteAsked {
    /// Whom the link goes to.
    pub email: EmailAddress,
    /// The role they get.
    pub role: u16,
    /// Does it reach the organizations below?
    pub below: bool,
}

/// An invitation that was made. The secret goes to the mailbox by the outbox, never into an answer.
#[derive(Debug)]
pub struct MadeInvite {
    /// Its number.
    pub number: u32,
    /// For the mail.
    pub secret: GivenSecret,
}

/// Room for the mail of an invitation: it is counted, and not put yet.
#[derive(Debug)]
pub struct InviteRoom([u8; 32]);

/// Somebody who accepts an invitation; of whoever has an account nothing of it counts.
#[derive(Clone, Debug, Default)]
pub struct Joining {
    /// For people.
    pub name: Box<str>,
    /// The hash of their password.
    pub password: Zeroizing<String>,
    /// What they agree to: numbers of purposes, and versions of the texts that they saw.
    pub consents: Vec<(u16, u32)>,
}

impl Loader {
    /// Count an invitation to this address before something is made that needs it.
    ///
    /// # Errors
    /// [`LoaderFault::Full`].
    pub fn invite_room(&self, email: &EmailAddress, now_ms: u64) -> Result<InviteRoom, LoaderFault> {
        self.outbox.check_room()?;
        let (key, most) = (self.email_key(email), limits::INVITES_PER_ADDRESS);
        if !self.outbox.admits(&key, most, now_ms) {
            return Err(LoaderFault::Often { what: "mails to one address within an hour", limit: most as usize });
        }
        Ok(InviteRoom(key))
    }

    /// Nobody will be invited by it.
    pub fn free_room(&self, room: &InviteRoom) {
        self.outbox.give_back(&room.0);
    }

    /// Invite somebody. They have no rights before they accept. `room`: what was counted for it already.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn invite(
        &self,
        scope: &Scope<right::UserInvite>,
        giver: &Giver,
        asked: &InviteAsked,
        room: Option<InviteRoom>,
        now_ms: u64,
    ) -> Result<MadeInvite, LoaderFault> {
        let org = scope.org();
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let role = self.directory().role(org, asked.role);
        let (sets, role_epoch) = role.ok_or(LoaderFault::field("role", "a role of the organization"))?;
        giver.may_assign(sets, asked.below)?;
        if self.invites(scope, now_ms)?.len() >= limits::INVITES {
            return Err(LoaderFault::Full { what: "invitations of an organization", limit: limits::INVITES });
        }
        // Of another address it is none.
        if room.is_none_or(|room| room.0 != self.email_key(&asked.email)) {
            self.invite_room(&asked.email, now_ms)?;
        }
        let inviter = match scope.actor() {
            Actor::Person(home, user) => Some((home, user)),
            _ => None,
        };
        let record = Invite {
            kind: InviteKind::Member,
            digest: [0; 32],
            email: asked.email.expose().into(),
            role: asked.role,
            role_epoch,
            below: asked.below,
            inviter,
            user: 0,
            made_ms: now_ms,
            until_ms: now_ms + limits::INVITE_MS,
            password: Zeroizing::default(),
        };
        self.void_links(&mut change, org, |_| false)?;
        let until_ms = record.until_ms;
        let (number, secret) = self.new_link(&mut change, org, record)?;
        self.post(&mut change, org, (MailKind::Invite, &asked.email, ""), Some((&secret, until_ms)))?;
        let note = Note::new(AuditAction::InviteCreate, ObjectKind::Invite, number, "").with("role", "", asked.role);
        change.commit(org, note)?;
        self.outbox.wake();
        Ok(MadeInvite { number, secret })
    }

    /// Invitations of the organization that are still good, by number; no secret is among it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn invites(&self, scope: &Scope<right::UserInvite>, now_ms: u64) -> Result<Vec<(u32, Invite)>, LoaderFault> {
        let mut found = Vec::new();
        self.store.scan_org::<Invite>(scope.org(), |key, invite| {
            if invite.kind == InviteKind::Member && now_ms < invite.until_ms {
                found.push((key.number(), invite));
            }
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Take an invitation back.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn revoke_invite(&self, scope: &Scope<right::UserInvite>, number: u32, now_ms: u64) -> Result<(), LoaderFault> {
        let org = scope.org();
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let key = InviteKey::new(org, number);
        let invite = self.store.get::<Invite>(&key)?.filter(|invite| invite.kind == InviteKind::Member);
        let invite = invite.ok_or(LoaderFault::Missing)?;
        change.batch.delete::<Invite>(&key)?;
        change.batch.delete_index(&Digest::Invite(invite.digest))?;
        change.commit(org, Note::new(AuditAction::InviteRevoke, ObjectKind::Invite, number, ""))?;
        Ok(())
    }

    /// The link of a secret, if it is good: of this kind, not over, not taken back.
    pub(super) fn link(
        &self,
        secret: &GivenSecret,
        kind: InviteKind,
        now_ms: u64,
    ) -> Result<(InviteKey, Invite), LoaderFault> {
        let digest = self.store.invite_digest(secret.expose().as_bytes());
        let entry = self.store.lookup(&digest)?.ok_or(LoaderFault::Spent)?;
        let key = InviteKey::new(entry.org, entry.number);
        let invite = self.store.get::<Invite>(&key)?.ok_or(LoaderFault::Spent)?;
        let good = invite.kind == kind && digest.long() == Some(invite.digest) && now_ms < invite.until_ms;
        if good { Ok((key, invite)) } else { Err(LoaderFault::Spent) }
    }

    /// For whom an invitation is, so that its page can say so. The address was not told to whoever asks: they have the link.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`].
    pub fn invited(&self, secret: &GivenSecret, now_ms: u64) -> Result<(OrgId, EmailAddress), LoaderFault> {
        let (key, invite) = self.joining(secret, now_ms)?;
        Ok((key.org(), EmailAddress::parse(&invite.email)?))
    }

    /// An invitation, or what signing up began.
    fn joining(&self, secret: &GivenSecret, now_ms: u64) -> Result<(InviteKey, Invite), LoaderFault> {
        match self.link(secret, InviteKind::Member, now_ms) {
            Err(LoaderFault::Spent) => self.link(secret, InviteKind::Verify, now_ms),
            found => found,
        }
    }

    /// Accept an invitation: the link is used up, and the person is a member. Of many at once one gets through. A person
    /// who has an account already must be signed in as the one who was invited (`signed_in`); others are made, with the
    /// hash of a password, and what they agree to is written down.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`]: also when the inviter or the role changed meanwhile.
    pub fn accept(
        &self,
        by: By,
        secret: &GivenSecret,
        signed_in: Option<PersonRef>,
        new: &Joining,
        now_ms: u64,
    ) -> Result<PersonRef, LoaderFault> {
        let org = self.joining(secret, now_ms)?.0.org();
        let mut change = self.ledger.change(by, &[OrgId::FIRST, org], now_ms);
        // Again, now that nobody else changes it.
        let (key, invite) = self.joining(secret, now_ms)?;
        self.check_inviter(org, &invite, now_ms)?;
        let email = EmailAddress::parse(&invite.email)?;
        change.batch.delete::<Invite>(&key)?;
        change.batch.delete_index(&Digest::Invite(invite.digest))?;
        let grant = Grant { role: invite.role, below: invite.below, until_ms: 0 };
        let note = |id: PersonRef| {
            Note::new(AuditAction::InviteAccept, ObjectKind::User, id.1, &new.name).with("role", "", grant.role)
        };
        if let Some(person) = self.find_person(&email)? {
            if signed_in != Some(person.id) {
                return Err(LoaderFault::Conflict("sign in with the address that was invited, then accept"));
            }
            if self.directory().grant(person.id, org).is_some() {
                return Err(LoaderFault::Conflict("you are a member already"));
            }
            change.batch.put(&GrantKey::new(org, person.id.0, person.id.1), &grant)?;
            change.commit(org, note(person.id))?;
            self.change_directory(|directory| directory.put_grant(person.id, org, Some(grant)));
            return Ok(person.id);
        }
        if signed_in.is_some() {
            return Err(LoaderFault::Conflict("this invitation is for another address"));
        }
        if new.password.is_empty() {
            return Err(LoaderFault::field("hash", "a password"));
        }
        let source = if invite.kind == InviteKind::Verify { "sign-up" } else { "invitation" };
        let (name, password) = (new.name.clone(), new.password.clone());
        let person = NewPerson { email, name, role: invite.role, below: invite.below, password };
        let id = self.add_person(&mut change, org, &person)?;
        for (purpose, version) in &new.consents {
            let consent = Consent { version: *version, given: true, source: source.into() };
            change.batch.put(&ConsentKey::new(org, id.1, *purpose, now_ms), &consent)?;
        }
        change.commit(org, note(id).with("consents", "", new.consents.len()))?;
        self.person_added(id, &person);
        Ok(id)
    }

    /// May the inviter still give what they gave, and is the role still what it was?
    fn check_inviter(&self, org: OrgId, invite: &Invite, now_ms: u64) -> Result<(), LoaderFault> {
        let directory = self.directory();
        let (sets, epoch) = directory.role(org, invite.role).ok_or(LoaderFault::Spent)?;
        if epoch != invite.role_epoch || directory.tree.suspended_at(org).is_some() {
            return Err(LoaderFault::Spent);
        }
        let Some(inviter) = invite.inviter else { return Ok(()) };
        let memberships = directory.memberships(inviter);
        let giver = giver_of(&memberships, &directory.tree, org, now_ms);
        giver.may_assign(sets, invite.below).map_err(|_| LoaderFault::Spent)
    }

    /// Mail a person a link with which they set a new password; the ones before are void. It goes to the stored address only.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn reset_link(&self, by: By, id: PersonRef, now_ms: u64) -> Result<(EmailAddress, GivenSecret), LoaderFault> {
        let mut change = self.ledger.change(by, &[id.0], now_ms);
        let person = self.myself(id)?;
        self.void_links(&mut change, id.0, |invite| invite.kind == InviteKind::Reset && invite.user == id.1)?;
        let record = Invite {
            kind: InviteKind::Reset,
            digest: [0; 32],
            email: person.user.email.clone(),
            role: 0,
            role_epoch: person.account.epoch,
            below: false,
            inviter: None,
            user: id.1,
            made_ms: now_ms,
            until_ms: now_ms + limits::RESET_MS,
            password: Zeroizing::default(),
        };
        let until_ms = record.until_ms;
        let (_, secret) = self.new_link(&mut change, id.0, record)?;
        let to = EmailAddress::parse(&person.user.email)?;
        let mail = (MailKind::Reset, &to, &*person.account.locale);
        self.post(&mut change, id.0, mail, Some((&secret, until_ms)))?;
        change.commit(id.0, Note::new(AuditAction::UserReset, ObjectKind::User, id.1, &person.user.name))?;
        self.outbox.wake();
        Ok((to, secret))
    }

    /// A reset link for whoever has this address and may sign in; `None`: nobody, or they have had one a moment ago.
    ///
    /// # Errors
    /// The store.
    pub fn forgotten(
        &self,
        by: By,
        email: &EmailAddress,
        now_ms: u64,
    ) -> Result<Option<(EmailAddress, GivenSecret)>, LoaderFault> {
        use linchpin_storage::schema::AccountState;
        let Some(person) = self.find_person(email)? else { return Ok(None) };
        if person.account.state != AccountState::Active || self.has_fresh_reset(person.id, now_ms)? {
            return Ok(None);
        }
        if !self.outbox.admits(&self.email_key(email), limits::MAILS_PER_ADDRESS, now_ms) {
            return Ok(None);
        }
        self.reset_link(by, person.id, now_ms).map(Some)
    }

    /// Was a link sent within the last minutes? A mailbox is not to be flooded by strangers.
    fn has_fresh_reset(&self, id: PersonRef, now_ms: u64) -> Result<bool, LoaderFault> {
        let mut is_fresh = false;
        self.store.scan_org::<Invite>(id.0, |_, invite| {
            is_fresh |= invite.kind == InviteKind::Reset
                && invite.user == id.1
                && now_ms < invite.made_ms.saturating_add(limits::RESET_PAUSE_MS);
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(is_fresh)
    }

    /// A reset link for a member whose home is the organization of the scope.
    ///
    /// # Errors
    /// [`LoaderFault`]: who may do more than the asker is not theirs to reset.
    pub fn reset_person(
        &self,
        scope: &Scope<right::UserReset>,
        giver: &Giver,
        id: PersonRef,
        now_ms: u64,
    ) -> Result<(EmailAddress, GivenSecret), LoaderFault> {
        self.member_at_home(scope.org(), id)?;
        self.may_touch_person(giver, scope.org(), id)?;
        self.reset_link(by_of(scope), id, now_ms)
    }

    /// Take the second factor of a member away whose home is the organization of the scope.
    ///
    /// # Errors
    /// [`LoaderFault`]: who may do more than the asker is not theirs to reset.
    pub fn reset_factor(
        &self,
        scope: &Scope<right::UserReset>,
        giver: &Giver,
        id: PersonRef,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        self.member_at_home(scope.org(), id)?;
        self.may_touch_person(giver, scope.org(), id)?;
        self.edit_account(by_of(scope), id, super::person::AccountEdit::FactorRemove, now_ms)
    }

    /// Whose password a reset link sets.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`].
    pub(crate) fn reset_of(&self, secret: &GivenSecret, now_ms: u64) -> Result<super::person::Person, LoaderFault> {
        let (key, invite) = self.link(secret, InviteKind::Reset, now_ms)?;
        let person = self.myself((key.org(), invite.user))?;
        // A password or factor that was set meanwhile voids it.
        if person.account.epoch == invite.role_epoch { Ok(person) } else { Err(LoaderFault::Spent) }
    }

    /// Use a reset link up: of two at once one gets through. What it proves is a password's worth, never a factor.
    ///
    /// # Errors
    /// [`LoaderFault::Spent`].
    pub(crate) fn use_reset(
        &self,
        by: By,
        secret: &GivenSecret,
        password: Zeroizing<String>,
        now_ms: u64,
    ) -> Result<PersonRef, LoaderFault> {
        let id = self.reset_of(secret, now_ms)?.id;
        {
            let mut change = self.ledger.change(by.clone(), &[id.0], now_ms);
            let (key, invite) = self.link(secret, InviteKind::Reset, now_ms)?;
            change.batch.delete::<Invite>(&key)?;
            change.batch.delete_index(&Digest::Invite(invite.digest))?;
            change.commit(id.0, Note::new(AuditAction::UserReset, ObjectKind::Invite, key.number(), "used"))?;
        }
        self.edit_account(by, id, super::person::AccountEdit::Password(password), now_ms)?;
        Ok(id)
    }
}

/// What somebody can hand on, by their memberships alone.
fn giver_of(memberships: &[crate::access::Membership], tree: &crate::access::Tree, org: OrgId, now_ms: u64) -> Giver {
    use crate::access::RoleSets;
    let alive = memberships.iter().filter(|member| member.until_ms == 0 || now_ms < member.until_ms);
    let reaching = alive.filter(|member| member.org == org || (member.below && tree.is_within(org, member.org)));
    let (mut here, mut below) = (RoleSets::NONE, RoleSets::NONE);
    for member in reaching {
        here = here.union(member.sets);
        if member.below {
            below = below.union(member.sets);
        }
    }
    let giver = Giver { here, below };
    if org == OrgId::FIRST { giver } else { giver.below_the_first() }
}

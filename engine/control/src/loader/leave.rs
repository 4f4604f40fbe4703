//! People who leave: removed for good, or moved to another home.

use std::ops::ControlFlow;

use linchpin_storage::schema::{
    ClientKey, ClientRecord, Consent, ConsentKey, Digest, Grant, GrantKey, IndexEntry, Invite, InviteKey, OrgId, User,
    UserKey,
};

use super::{Loader, LoaderFault, by_of};
use crate::access::role::Giver;
use crate::access::{Membership, PersonRef, Scope, right};
use crate::account::{Changed, Whose};
use crate::audit::{AuditAction, AuditedChange, Note, ObjectKind};

impl Loader {
    /// All organizations that somebody is concerned with: their home first.
    pub(super) fn orgs_of(&self, id: PersonRef) -> (Vec<OrgId>, Vec<Membership>) {
        let memberships = self.directory().memberships(id);
        let mut orgs = vec![id.0];
        orgs.extend(memberships.iter().map(|member| member.org).filter(|org| *org != id.0));
        (orgs, memberships)
    }

    /// Nobody who may do more than the asker, and never the last Admin of anything.
    fn may_leave(&self, giver: &Giver, id: PersonRef, memberships: &[Membership]) -> Result<(), LoaderFault> {
        for member in memberships {
            if member.org == id.0 {
                giver.may_touch(member.sets)?;
            }
            self.check_last_admin(member.org, id)?;
        }
        Ok(())
    }

    /// What hangs on a person besides their record: sessions, keys, links, what they agreed to.
    pub(super) fn delete_belongings(
        &self,
        change: &mut AuditedChange<'_>,
        id: PersonRef,
    ) -> Result<Vec<u32>, LoaderFault> {
        self.delete_sessions(change, id)?;
        let mut keys = Vec::new();
        for (number, client) in self.personal_keys(id)? {
            change.batch.delete::<ClientRecord>(&ClientKey::new(id.0, number))?;
            change.batch.delete_index(&Digest::Client(client.digest))?;
            keys.push(number);
        }
        let mut links: Vec<(InviteKey, [u8; 32])> = Vec::new();
        self.store.scan_org::<Invite>(id.0, |key, invite| {
            if invite.user == id.1 {
                links.push((key, invite.digest));
            }
            ControlFlow::Continue(())
        })?;
        for (key, digest) in links {
            change.batch.delete::<Invite>(&key)?;
            change.batch.delete_index(&Digest::Invite(digest))?;
        }
        Ok(keys)
    }

    pub(super) fn consent_lines(&self, id: PersonRef) -> Result<Vec<(ConsentKey, Consent)>, LoaderFault> {
        let mut lines = Vec::new();
        self.store.scan_numbered::<Consent>(id.0, id.1, |key, consent| {
            lines.push((key, consent));
            ControlFlow::Continue(())
        })?;
        Ok(lines)
    }

    /// Remove a member: if this is their home they are erased, with all that is theirs; else their membership ends.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn remove_person(
        &self,
        scope: &Scope<right::UserRemove>,
        giver: &Giver,
        id: PersonRef,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        if scope.actor() == linchpin_storage::schema::Actor::Person(id.0, id.1) {
            return Err(LoaderFault::Conflict("somebody else must remove you"));
        }
        let (orgs, _) = self.orgs_of(id);
        let mut change = self.ledger.change(by_of(scope), &orgs, now_ms);
        let person = self.member(org, id)?;
        let (now_in, memberships) = self.orgs_of(id);
        if now_in.iter().any(|org| !orgs.contains(org)) {
            return Err(LoaderFault::Conflict("this person is joining an organization this moment: try again"));
        }
        let ends: Vec<Membership> = memberships.into_iter().filter(|at| id.0 == org || at.org == org).collect();
        self.may_leave(giver, id, &ends)?;
        if id.0 == org {
            return self.begin_erase(change, &person, &ends);
        }
        change.batch.delete::<Grant>(&GrantKey::new(org, id.0, id.1))?;
        change.commit(org, Note::new(AuditAction::UserRemove, ObjectKind::User, id.1, &person.user.name))?;
        self.change_directory(|directory| directory.put_grant(id, org, None));
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(())
    }

    pub(super) fn key_ended(&self, org: OrgId, number: u32) {
        self.sessions.end(Whose::Key(org, number));
        self.epochs.bump(Changed::Key(org, number));
    }

    /// Move a person to another home, where they get this role. Two scopes: one that lets them go, one that takes them in.
    /// Their sessions and keys end; memberships elsewhere stay.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn move_person(
        &self,
        (leave, enter): (&Scope<right::UserTransfer>, &Scope<right::RoleAssign>),
        (giver, receiver): (&Giver, &Giver),
        (id, grant): (PersonRef, Grant),
        now_ms: u64,
    ) -> Result<PersonRef, LoaderFault> {
        let (from, to) = (leave.org(), enter.org());
        if from == to {
            return Err(LoaderFault::Conflict("this is their home already"));
        }
        let (mut orgs, _) = self.orgs_of(id);
        orgs.push(to);
        let mut change = self.ledger.change(by_of(leave), &orgs, now_ms);
        let mut person = self.member_at_home(from, id)?;
        let (now_in, memberships) = self.orgs_of(id);
        if now_in.iter().any(|org| !orgs.contains(org)) {
            return Err(LoaderFault::Conflict("this person is joining an organization this moment: try again"));
        }
        self.may_leave(giver, id, &memberships.iter().filter(|at| at.org == from).copied().collect::<Vec<_>>())?;
        let role = self.directory().role(to, grant.role);
        receiver
            .may_assign(role.ok_or(LoaderFault::field("role", "a role of the new organization"))?.0, grant.below)?;
        let (new, keys) = ((to, id.1), self.delete_belongings(&mut change, id)?);
        self.move_identities(&mut change, &person, Some(new))?;
        person.account.epoch += 1;
        let user = User { role: grant.role, account: person.account.to_bytes(), ..person.user };
        change.batch.delete::<User>(&UserKey::new(from, id.1))?;
        change.batch.put(&UserKey::new(to, id.1), &user)?;
        change.batch.put_index(&self.store.email_digest(&user.email), &IndexEntry { org: to, number: id.1 })?;
        for (key, consent) in self.consent_lines(id)? {
            change.batch.delete::<Consent>(&key)?;
            change.batch.put(&ConsentKey::new(to, id.1, key.purpose(), key.at_ms()), &consent)?;
        }
        let mut grants = vec![(to, grant)];
        for member in memberships.iter().filter(|member| member.org != from && member.org != to) {
            grants.push((member.org, Grant { role: member.role, below: member.below, until_ms: member.until_ms }));
        }
        memberships
            .iter()
            .try_for_each(|member| change.batch.delete::<Grant>(&GrantKey::new(member.org, id.0, id.1)))?;
        grants.iter().try_for_each(|(at, grant)| change.batch.put(&GrantKey::new(*at, to, id.1), grant))?;
        let note = || {
            let note = Note::new(AuditAction::UserMove, ObjectKind::User, id.1, &user.name);
            note.with("organization", from, to)
        };
        change.note(to, note())?;
        change.commit(from, note())?;
        self.change_directory(|directory| {
            memberships.iter().for_each(|member| directory.put_grant(id, member.org, None));
            grants.iter().for_each(|(at, grant)| directory.put_grant(new, *at, Some(*grant)));
        });
        self.sessions.end(Whose::Person(id.0, id.1));
        keys.into_iter().for_each(|key| self.key_ended(from, key));
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(new)
    }
}

//! Roles and memberships.

use linchpin_storage::schema::{Grant, GrantKey, RoleKey, RoleRecord, User, UserKey};

use super::name::name_fits;
use super::{Loader, LoaderFault, by_of};
use crate::access::role::{Giver, RoleSets};
use crate::access::{BuiltIn, GiveRule, PersonRef, Scope, right};
use crate::account::Changed;
use crate::audit::{AuditAction, Note, ObjectKind};
use crate::limits;

/// A role as it is asked for.
#[derive(Clone, Debug)]
pub struct RoleAsked {
    /// Its number; from 6 on it is one of the organization's own.
    pub number: u16,
    /// For people.
    pub name: Box<str>,
    /// What it allows.
    pub sets: RoleSets,
}

fn list(sets: RoleSets) -> String {
    format!("own {:?}, organization {:?}", sets.own, sets.org)
}

/// A role as an organization has it.
#[derive(Clone, Debug)]
pub struct RoleFound {
    /// Its number.
    pub number: u16,
    /// Its name.
    pub name: Box<str>,
    /// What it allows.
    pub sets: RoleSets,
    /// Is it one that every organization has?
    pub is_built_in: bool,
    /// Does an organization above define it?
    pub is_inherited: bool,
    /// Members who have it.
    pub members: usize,
}

impl Loader {
    /// The roles that can be given in the organization, by number.
    #[must_use]
    pub fn roles(&self, scope: &Scope<right::RoleView>) -> Vec<RoleFound> {
        let org = scope.org();
        let directory = self.directory();
        let members = directory.members(org);
        let one = |number: u16| {
            let (sets, _) = directory.role(org, number)?;
            Some(RoleFound {
                number,
                name: directory.role_name(org, number)?,
                sets,
                is_built_in: BuiltIn::of_number(number).is_some(),
                is_inherited: directory.role_at(org, number).is_some_and(|at| at != org),
                members: members.iter().filter(|(_, grant)| grant.role == number).count(),
            })
        };
        directory.roles(org).into_iter().filter_map(one).collect()
    }

    /// Make or change a role of the organization. `holds`: the asker has it themselves.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn put_role(
        &self,
        scope: &Scope<right::RoleEdit>,
        giver: &Giver,
        holds: bool,
        asked: &RoleAsked,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let (org, number) = (scope.org(), asked.number);
        name_fits(&asked.name, 1..=linchpin_storage::limits::NAME_BYTES)?;
        if number == 0 {
            return Err(LoaderFault::field("role", "a number from 1 on"));
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let (before, inherited) = {
            let directory = self.directory();
            if directory.role(org, number).is_none() && directory.roles(org).len() >= limits::ROLES {
                return Err(LoaderFault::Full { what: "roles of an organization", limit: limits::ROLES });
            }
            (directory.role(org, number), directory.tree.has_children(org))
        };
        let (sets, epoch) = before.unwrap_or_default();
        giver.may_edit(number, (sets, asked.sets), holds, inherited)?;
        let (own, all) = (asked.sets.own.bits(), asked.sets.org.bits());
        let role = RoleRecord { name: asked.name.clone(), own, org: all, epoch: epoch + 1 };
        change.batch.put(&RoleKey::new(org, number), &role)?;
        let note = Note::new(AuditAction::RoleEdit, ObjectKind::Role, number, &asked.name);
        change.commit(org, note.with("sets", list(sets), list(asked.sets)))?;
        self.change_directory(|directory| directory.put_role(org, number, Some(role)));
        self.epochs.bump(Changed::Roles(org));
        Ok(())
    }

    /// Take away a role of the organization; whoever has it gets another.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn delete_role(
        &self,
        scope: &Scope<right::RoleEdit>,
        giver: &Giver,
        (number, replacement): (u16, u16),
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        if BuiltIn::of_number(number).is_some() {
            return Err(LoaderFault::Conflict("a built-in role stays"));
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        if self.store.get::<RoleRecord>(&RoleKey::new(org, number))?.is_none() {
            return Err(LoaderFault::Missing);
        }
        let (before, after, holders) = {
            let directory = self.directory();
            let (before, _) = directory.role(org, number).ok_or(LoaderFault::Missing)?;
            let (after, _) = directory.role(org, replacement).ok_or(LoaderFault::field("replacement", "a role"))?;
            let below: Vec<_> = directory.tree.below(org).into_iter().skip(1).collect();
            let used_below =
                below.iter().any(|at| directory.members(*at).iter().any(|(_, grant)| grant.role == number));
            if used_below {
                return Err(LoaderFault::Conflict("people of organizations below have this role"));
            }
            (
                before,
                after,
                directory.members(org).into_iter().filter(|(_, grant)| grant.role == number).collect::<Vec<_>>(),
            )
        };
        giver.may_touch(before)?;
        giver.may_assign(after, holders.iter().any(|(_, grant)| grant.below))?;
        change.batch.delete::<RoleRecord>(&RoleKey::new(org, number))?;
        for ((home, user), grant) in &holders {
            change.batch.put(&GrantKey::new(org, *home, *user), &Grant { role: replacement, ..*grant })?;
        }
        let note =
            Note::new(AuditAction::RoleDelete, ObjectKind::Role, number, "").with("replacement", "", replacement);
        change.commit(org, note)?;
        self.change_directory(|directory| {
            directory.put_role(org, number, None);
            for (person, grant) in holders {
                directory.put_grant(person, org, Some(Grant { role: replacement, ..grant }));
            }
        });
        Ok(())
    }

    /// Give a member of the organization another role, or end their membership (`None`). Not for oneself.
    ///
    /// # Errors
    /// [`LoaderFault`].
    pub fn assign(
        &self,
        scope: &Scope<right::RoleAssign>,
        giver: &Giver,
        id: PersonRef,
        grant: Option<Grant>,
        now_ms: u64,
    ) -> Result<(), LoaderFault> {
        let org = scope.org();
        if scope.actor() == linchpin_storage::schema::Actor::Person(id.0, id.1) {
            return Err(GiveRule::OwnRole.into());
        }
        let mut change = self.ledger.change(by_of(scope), &[org], now_ms);
        let before = {
            let directory = self.directory();
            let before = directory.grant(id, org).ok_or(LoaderFault::Missing)?;
            giver.may_touch(directory.role(org, before.role).unwrap_or_default().0)?;
            if let Some(grant) = grant {
                let (sets, _) = directory.role(org, grant.role).ok_or(LoaderFault::field("role", "a role"))?;
                giver.may_assign(sets, grant.below)?;
            }
            before
        };
        if grant.is_none_or(|grant| grant.role != BuiltIn::Admin as u16 || grant.until_ms != 0) {
            self.check_last_admin(org, id)?;
        }
        if grant.is_none() && id.0 == org {
            return Err(LoaderFault::Conflict("this is the person's home: remove or move the person instead"));
        }
        let key = GrantKey::new(org, id.0, id.1);
        match grant {
            Some(grant) => change.batch.put(&key, &grant)?,
            None => change.batch.delete::<Grant>(&key)?,
        }
        // The record of a person at home says the same role.
        if let (true, Some(grant)) = (id.0 == org, grant)
            && let Some(user) = self.store.get::<User>(&UserKey::new(id.0, id.1))?
        {
            change.batch.put(&UserKey::new(id.0, id.1), &User { role: grant.role, ..user })?;
        }
        let action = if grant.is_some() { AuditAction::RoleAssign } else { AuditAction::RoleUnassign };
        let after = grant.map_or(0, |grant| grant.role);
        change.commit(org, Note::new(action, ObjectKind::User, id.1, "").with("role", before.role, after))?;
        self.change_directory(|directory| directory.put_grant(id, org, grant));
        self.epochs.bump(Changed::Person(id.0, id.1));
        Ok(())
    }
}

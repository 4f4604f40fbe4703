//! Who is where with which role, in memory: the tree, the roles, the memberships. Changed after the store was, before the
//! change is answered: every request goes by it, so no request goes by older rights.

use std::collections::HashMap;

use linchpin_storage::schema::{Grant, OrgId, RoleRecord};

use super::role::{BuiltIn, RoleSets};
use super::standing::Membership;
use super::tree::Tree;

/// A person: home organization and number there.
pub type PersonRef = (OrgId, u32);

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// All organizations.
    pub tree: Tree,
    roles: HashMap<(OrgId, u16), RoleRecord>,
    grants: HashMap<PersonRef, Vec<(OrgId, Grant)>>,
}

impl Directory {
    /// On a tree.
    #[must_use]
    pub fn new(tree: Tree) -> Self {
        Self { tree, ..Self::default() }
    }

    /// Put in a role, or take it out.
    pub fn put_role(&mut self, org: OrgId, number: u16, role: Option<RoleRecord>) {
        match role {
            Some(role) => drop(self.roles.insert((org, number), role)),
            None => drop(self.roles.remove(&(org, number))),
        }
    }

    /// Put in a membership, or take it out.
    pub fn put_grant(&mut self, person: PersonRef, org: OrgId, grant: Option<Grant>) {
        let grants = self.grants.entry(person).or_default();
        grants.retain(|(known, _)| *known != org);
        grants.extend(grant.map(|grant| (org, grant)));
        if grants.is_empty() {
            self.grants.remove(&person);
        }
    }

    /// An organization is gone: its roles, the memberships in it, and all memberships of those who were at home there.
    pub fn forget_org(&mut self, org: OrgId) {
        self.roles.retain(|(at, _), _| *at != org);
        self.grants.retain(|(home, _), grants| {
            grants.retain(|(at, _)| *at != org);
            *home != org && !grants.is_empty()
        });
    }

    /// What a role is in an organization: its own, else that of the nearest above, else the built-in one. With the epoch.
    #[must_use]
    pub fn role(&self, org: OrgId, number: u16) -> Option<(RoleSets, u32)> {
        let defined = self.tree.path(org).find_map(|(id, _)| self.roles.get(&(id, number)));
        match defined {
            Some(role) if number != BuiltIn::Admin as u16 => Some((RoleSets::stored(role), role.epoch)),
            _ => BuiltIn::of_number(number).map(|role| (role.sets(), 0)),
        }
    }

    /// Where the role of an organization is defined; `None`: it is as it is built in.
    #[must_use]
    pub fn role_at(&self, org: OrgId, number: u16) -> Option<OrgId> {
        self.tree.path(org).map(|(id, _)| id).find(|id| self.roles.contains_key(&(*id, number)))
    }

    /// The name of a role in an organization.
    #[must_use]
    pub fn role_name(&self, org: OrgId, number: u16) -> Option<Box<str>> {
        let defined = self.tree.path(org).find_map(|(id, _)| self.roles.get(&(id, number)));
        defined.map(|role| role.name.clone()).or_else(|| BuiltIn::of_number(number).map(|role| role.name().into()))
    }

    /// Numbers of the roles that can be given in an organization.
    #[must_use]
    pub fn roles(&self, org: OrgId) -> Vec<u16> {
        let path: Vec<OrgId> = self.tree.path(org).map(|(id, _)| id).collect();
        let made = self.roles.keys().filter(|(at, _)| path.contains(at)).map(|(_, number)| *number);
        let mut numbers: Vec<u16> = BuiltIn::ALL.into_iter().map(|role| role as u16).chain(made).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The grant of a person in an organization.
    #[must_use]
    pub fn grant(&self, person: PersonRef, org: OrgId) -> Option<Grant> {
        self.grants.get(&person)?.iter().find(|(known, _)| *known == org).map(|(_, grant)| *grant)
    }

    /// All memberships of a person, with what their roles allow now.
    #[must_use]
    pub fn memberships(&self, person: PersonRef) -> Vec<Membership> {
        let one = |(org, grant): &(OrgId, Grant)| Membership {
            org: *org,
            role: grant.role,
            sets: self.role(*org, grant.role).unwrap_or_default().0,
            below: grant.below,
            until_ms: grant.until_ms,
        };
        self.grants.get(&person).map(|grants| grants.iter().map(one).collect()).unwrap_or_default()
    }

    /// People who have a role in an organization, with their grants, in the order of their homes and numbers.
    #[must_use]
    pub fn members(&self, org: OrgId) -> Vec<(PersonRef, Grant)> {
        let in_org = |(person, grants): (&PersonRef, &Vec<(OrgId, Grant)>)| {
            let known = grants.iter().find(|(known, _)| *known == org);
            // Who has no role any more is being erased.
            known.filter(|(_, grant)| grant.role != 0).map(|(_, grant)| (*person, *grant))
        };
        let mut members: Vec<_> = self.grants.iter().filter_map(in_org).collect();
        members.sort_unstable_by_key(|(person, _)| *person);
        members
    }

    /// The person with this number: numbers of people are given out once, whatever their home.
    #[must_use]
    pub fn person(&self, user: u32) -> Option<PersonRef> {
        self.grants.keys().find(|(_, number)| *number == user).copied()
    }

    /// How many people have a role in each organization.
    #[must_use]
    pub fn member_counts(&self) -> HashMap<OrgId, u64> {
        let mut counts = HashMap::new();
        for (org, _) in self.grants.values().flatten().filter(|(_, grant)| grant.role != 0) {
            *counts.entry(*org).or_default() += 1;
        }
        counts
    }

    /// People who are being erased: they have no role at home any more.
    #[must_use]
    pub fn leaving(&self) -> Vec<PersonRef> {
        let is_leaving = |(person, grants): (&PersonRef, &Vec<(OrgId, Grant)>)| {
            grants.iter().any(|(org, grant)| *org == person.0 && grant.role == 0).then_some(*person)
        };
        self.grants.iter().filter_map(is_leaving).collect()
    }

    /// How many Admins an organization has whose membership does not end.
    #[must_use]
    pub fn admins(&self, org: OrgId) -> usize {
        let is_admin = |grant: &Grant| grant.role == BuiltIn::Admin as u16 && grant.until_ms == 0;
        self.members(org).iter().filter(|(_, grant)| is_admin(grant)).count()
    }

    /// How many people have a role anywhere.
    #[must_use]
    pub fn people(&self) -> usize {
        self.grants.len()
    }
}

//! What somebody may do as they come in with a request: made from a session or a key, once a request.

use std::net::IpAddr;

use linchpin_storage::schema::{Actor, AddressRange, OrgId};

use super::permission::{Permission, Permissions};
use super::role::{Giver, RoleSets};
use super::tree::Tree;
use crate::limits;

/// How far somebody has proven who they are. Every way in (password, link of a reset, another sign-in server, an
/// administrator's reset) ends in one of these, and none of them alone is a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Assurance(u8);

impl Assurance {
    /// A password, or a link to the mailbox in its place.
    pub const PASSWORD: Self = Self(1);
    /// Another sign-in server.
    pub const ELSEWHERE: Self = Self(2);
    /// A code of the second factor, or a recovery code.
    pub const FACTOR: Self = Self(4);
    /// A program's key.
    pub const KEY: Self = Self(8);

    /// As stored.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }

    /// As it is stored.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// This and that.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Was a second factor given? Programs have none.
    #[must_use]
    pub const fn has_factor(self) -> bool {
        self.0 & (Self::FACTOR.0 | Self::KEY.0) != 0
    }

    /// Is it a program?
    #[must_use]
    pub const fn is_key(self) -> bool {
        self.0 & Self::KEY.0 != 0
    }
}

/// A role in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub org: OrgId,
    /// The number of the role.
    pub role: u16,
    /// What the role allows there, and below if it reaches there: as it is defined where it was given.
    pub sets: RoleSets,
    /// Does it reach the organizations below?
    pub below: bool,
    /// When it ends, ms since 1970; 0: never.
    pub until_ms: u64,
}

/// The eyes of a role: whoever looks through them reads only, in one organization only, and sees what both the role and their
/// own roles allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleEyes {
    /// Where.
    pub org: OrgId,
    /// What the role allows there.
    pub sets: RoleSets,
}

/// Somebody, with what they may do.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Who.
    pub actor: Actor,
    /// The home of a person and their number; of a personal key its person. `None`: a key of an organization.
    pub person: Option<(OrgId, u32)>,
    /// Their roles.
    pub memberships: Vec<Membership>,
    /// What they are held to besides: a key's own sets. `None`: nothing.
    pub limit: Option<RoleSets>,
    /// How far they have proven who they are.
    pub assurance: Assurance,
    /// Does their account have a second factor?
    pub has_factor: bool,
    /// When they last proved it, ms since 1970.
    pub proven_ms: u64,
    /// They look through the eyes of a role; `None`: through their own.
    pub view: Option<RoleEyes>,
    /// Where the request came from.
    pub address: IpAddr,
    /// The request, for the audit log; 0: none.
    pub request: u64,
}

impl Standing {
    /// The memberships that count in an organization. While it or one above it is suspended only those from above that
    /// one do.
    pub fn counting(&self, tree: &Tree, org: OrgId, now_ms: u64) -> impl Iterator<Item = &Membership> {
        let suspended = tree.suspended_at(org);
        self.memberships.iter().filter(move |member| {
            let alive = member.until_ms == 0 || now_ms < member.until_ms;
            let reaches = member.org == org || (member.below && tree.is_within(org, member.org));
            let above = suspended.is_none_or(|at| member.org != at && tree.is_within(at, member.org));
            alive && reaches && above && self.looks_at(org) && tree.get(org).is_some()
        })
    }

    /// Do they look at this organization? Through the eyes of a role one sees the organization of the view and no other.
    #[must_use]
    pub fn looks_at(&self, org: OrgId) -> bool {
        self.view.is_none_or(|view| view.org == org)
    }

    fn limited(&self, org: OrgId, sets: RoleSets) -> RoleSets {
        let sets = self.limit.map_or(sets, |limit| sets.both(limit));
        let sets = if self.assurance.is_key() { sets.for_machines() } else { sets };
        let sets = self.view.map_or(sets, |view| sets.both(view.sets).only(Permissions::READING));
        if org == OrgId::FIRST { sets } else { sets.without(Permissions::of(&[Permission::ServerManage])) }
    }

    /// What they may do in an organization.
    #[must_use]
    pub fn sets(&self, tree: &Tree, org: OrgId, now_ms: u64) -> RoleSets {
        let all = self.counting(tree, org, now_ms).fold(RoleSets::NONE, |sets, member| sets.union(member.sets));
        self.limited(org, all)
    }

    /// What they can hand on in an organization.
    #[must_use]
    pub fn giver(&self, tree: &Tree, org: OrgId, now_ms: u64) -> Giver {
        let reaching = self.counting(tree, org, now_ms).filter(|member| member.below);
        let below = reaching.fold(RoleSets::NONE, |sets, member| sets.union(member.sets));
        let giver = Giver { here: self.sets(tree, org, now_ms), below: self.limited(org, below) };
        if org == OrgId::FIRST { giver } else { giver.below_the_first() }
    }

    /// Do they have this role, as an organization defines it?
    #[must_use]
    pub fn holds(&self, org: OrgId, role: u16) -> bool {
        self.memberships.iter().any(|member| member.org == org && member.role == role)
    }

    /// The same person through the eyes of a role of an organization. Their own roles stay, and are narrowed each time that
    /// something is asked: whoever loses a role loses it in the view too.
    #[must_use]
    pub fn view_as(&self, org: OrgId, sets: RoleSets) -> Self {
        Self { view: Some(RoleEyes { org, sets }), ..self.clone() }
    }

    /// They with their own eyes; `None`: they look through these.
    #[must_use]
    pub fn own_eyes(&self) -> Option<Self> {
        self.view.map(|_| Self { view: None, ..self.clone() })
    }

    /// Must they give a second factor first in this organization? Because they have one, or because it or their home
    /// demands it.
    #[must_use]
    pub fn owes_factor(&self, tree: &Tree, org: Option<OrgId>) -> bool {
        if self.assurance.has_factor() {
            return false;
        }
        let demands = |org: OrgId| tree.path(org).any(|(_, node)| node.policy.second_factor);
        self.has_factor || self.person.is_some_and(|(home, _)| demands(home)) || org.is_some_and(demands)
    }

    /// May they come from where they come from?
    #[must_use]
    pub fn comes_from_allowed(&self, tree: &Tree, org: OrgId) -> bool {
        let inside =
            |ranges: &[AddressRange]| ranges.is_empty() || ranges.iter().any(|range| range.contains(self.address));
        tree.path(org).all(|(_, node)| {
            inside(if self.assurance.is_key() { &node.policy.keys_from } else { &node.policy.sign_in_from })
        })
    }

    /// Did they prove who they are a short time ago?
    #[must_use]
    pub const fn is_fresh(&self, now_ms: u64) -> bool {
        now_ms < self.proven_ms.saturating_add(limits::STEP_UP_MS)
    }
}

//! The only way to a record of an organization: a scope, and the only way to a scope: [`admit`].

use std::fmt;
use std::marker::PhantomData;

use linchpin_storage::schema::{Actor, OrgId};

use super::permission::{Permission, Right};
use super::standing::Standing;
use super::tree::Tree;

/// How far a scope reaches inside its organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeReach {
    /// What belongs to this person, by home and number, or is shared with them.
    Own(OrgId, u32),
    /// All.
    Org,
}

/// Somebody may do `P` in one organization, in this request. Not to be copied or stored: it lives as long as the request.
///
/// Its fields are private and only [`admit`] makes one (and [`Scope::operator`], for the admin socket), so whoever holds
/// one was looked at. A loader that needs `Scope<right::DeviceView>` cannot be called with another, nor for another
/// organization: the key is built from the scope.
pub struct Scope<P: Right> {
    org: OrgId,
    reach: ScopeReach,
    actor: Actor,
    request: u64,
    address: Box<str>,
    agent: Box<str>,
    right: PhantomData<fn() -> P>,
}

impl<P: Right> fmt::Debug for Scope<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({} in {}, {:?}, {:?})", P::PERMISSION, self.org, self.reach, self.actor)
    }
}

impl<P: Right> Scope<P> {
    /// The organization whose records it opens.
    #[must_use]
    pub const fn org(&self) -> OrgId {
        self.org
    }

    /// How far it reaches.
    #[must_use]
    pub const fn reach(&self) -> ScopeReach {
        self.reach
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The request, for the audit log; 0: none.
    #[must_use]
    pub const fn request(&self) -> u64 {
        self.request
    }

    /// Where the request came from, for the audit log; empty: from the operator.
    #[must_use]
    pub const fn address(&self) -> &str {
        &self.address
    }

    /// What kind of program asked, for the audit log; may be empty.
    #[must_use]
    pub const fn agent(&self) -> &str {
        &self.agent
    }

    /// Asked by this kind of program.
    #[must_use]
    pub(crate) fn with_agent(self, agent: &str) -> Self {
        Self { agent: agent.into(), ..self }
    }

    /// For the admin socket and for work on a store in hand: whoever may use those may do everything. Named by
    /// `command/call.rs` only; a tidy test looks.
    pub(crate) fn operator(org: OrgId) -> Self {
        let (actor, right) = (Actor::Operator, PhantomData);
        Self { org, reach: ScopeReach::Org, actor, request: 0, address: Box::default(), agent: Box::default(), right }
    }
}

/// Why somebody was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// They have no membership that reaches this organization, or there is none: for them it does not exist.
    Unseen,
    /// They see the organization and may not do this.
    Missing(Permission),
    /// It or one above it is suspended.
    Suspended(OrgId),
    /// A second factor must be given first.
    FactorDue,
    /// They must prove who they are again.
    StepUp(Permission),
    /// Not from this address.
    Elsewhere,
}

impl Denial {
    /// The status of HTTP.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Unseen => 404,
            _ => 403,
        }
    }

    /// For programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unseen => "not-found",
            Self::Missing(_) => "forbidden",
            Self::Suspended(_) => "org-suspended",
            Self::FactorDue => "factor-due",
            Self::StepUp(_) => "step-up",
            Self::Elsewhere => "address-not-allowed",
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unseen => f.write_str("there is no such thing"),
            Self::Missing(permission) => write!(f, "your role does not have {permission} here"),
            Self::Suspended(org) => write!(f, "organization {org} is suspended"),
            Self::FactorDue => f.write_str("a second factor must be given first"),
            Self::StepUp(permission) => {
                write!(f, "{permission} needs a fresh proof: give your password or a code again")
            }
            Self::Elsewhere => f.write_str("the organization does not allow this from your address"),
        }
    }
}

/// Let somebody do `P` in an organization, or say why not. The order matters: whoever has no business there learns
/// nothing but "not found".
///
/// # Errors
/// [`Denial`].
pub fn admit<P: Right>(who: &Standing, org: OrgId, tree: &Tree, now_ms: u64) -> Result<Scope<P>, Denial> {
    let reach = check(who, org, tree, P::PERMISSION, now_ms)?;
    let address = who.address.to_string().into();
    Ok(Scope { org, reach, actor: who.actor, request: who.request, address, agent: Box::default(), right: PhantomData })
}

/// As [`admit`], without a scope: for lists of what may be done, and for [`super::explain`].
///
/// # Errors
/// [`Denial`].
pub fn check(
    who: &Standing,
    org: OrgId,
    tree: &Tree,
    permission: Permission,
    now_ms: u64,
) -> Result<ScopeReach, Denial> {
    if tree.get(org).is_none() || !who.looks_at(org) {
        return Err(Denial::Unseen);
    }
    if who.counting(tree, org, now_ms).next().is_none() {
        let member = who.memberships.iter().any(|member| {
            (member.org == org || (member.below && tree.is_within(org, member.org)))
                && (member.until_ms == 0 || now_ms < member.until_ms)
        });
        return Err(match tree.suspended_at(org) {
            Some(at) if member => Denial::Suspended(at),
            _ => Denial::Unseen,
        });
    }
    if !who.comes_from_allowed(tree, org) {
        return Err(Denial::Elsewhere);
    }
    if who.owes_factor(tree, Some(org)) {
        return Err(Denial::FactorDue);
    }
    let sets = who.sets(tree, org, now_ms);
    let reach = if sets.org.has(permission) {
        ScopeReach::Org
    } else if let (true, Some((home, user))) = (sets.own.has(permission), who.person) {
        ScopeReach::Own(home, user)
    } else {
        return Err(Denial::Missing(permission));
    };
    if permission.needs_step_up() && !who.assurance.is_key() && !who.is_fresh(now_ms) {
        return Err(Denial::StepUp(permission));
    }
    Ok(reach)
}

#[cfg(test)]
mod tests {
    use linchpin_storage::schema::{AddressRange, Org, OrgPolicy, OrgState};

    use super::*;
    use crate::access::role::{BuiltIn, RoleSets};
    use crate::access::standing::{Assurance, Membership};
    use crate::access::tree::tests::{org, small};
    use crate::access::{Permissions, right};

    const NOW: u64 = 1_800_000_000_000;

    fn member(at: u32, role: BuiltIn, below: bool) -> Membership {
        Membership { org: org(at), role: role as u16, sets: role.sets(), below, until_ms: 0 }
    }

    fn person(memberships: Vec<Membership>) -> Standing {
        Standing {
            actor: Actor::Person(org(1), 7),
            person: Some((org(1), 7)),
            memberships,
            limit: None,
            assurance: Assurance::PASSWORD,
            has_factor: false,
            proven_ms: NOW,
            view: None,
            address: [192, 0, 2, 1].into(),
            request: 9,
        }
    }

    fn may<P: Right>(who: &Standing, at: u32) -> Result<ScopeReach, Denial> {
        admit::<P>(who, org(at), &small(), NOW).map(|scope| {
            assert_eq!((scope.org(), scope.request()), (org(at), 9));
            scope.reach()
        })
    }

    #[test]
    fn threat_1_what_is_not_yours_does_not_exist() {
        let staff = person(vec![member(2, BuiltIn::Staff, false)]);
        assert_eq!(may::<right::DeviceView>(&staff, 2), Ok(ScopeReach::Org));
        // The one below, the one beside, the one above, and one that there is not: all the same.
        for at in [4, 3, 1, 99] {
            assert_eq!(may::<right::DeviceView>(&staff, at), Err(Denial::Unseen), "{at}");
        }
        assert_eq!(may::<right::KeyManage>(&staff, 2), Err(Denial::Missing(Permission::KeyManage)));
        let above = person(vec![member(2, BuiltIn::Staff, true)]);
        assert_eq!(may::<right::DeviceView>(&above, 5), Ok(ScopeReach::Org));
        assert_eq!(may::<right::DeviceView>(&above, 3), Err(Denial::Unseen));
        assert_eq!(may::<right::DeviceView>(&above, 1), Err(Denial::Unseen));
    }

    #[test]
    fn users_reach_their_own_and_memberships_end() {
        let user = person(vec![member(2, BuiltIn::User, false)]);
        assert_eq!(may::<right::DeviceControl>(&user, 2), Ok(ScopeReach::Own(org(1), 7)));
        assert_eq!(may::<right::OrgView>(&user, 2), Ok(ScopeReach::Org));
        assert_eq!(may::<right::DeviceDelete>(&user, 2), Err(Denial::Missing(Permission::DeviceDelete)));
        let mut over = user;
        over.memberships[0].until_ms = NOW;
        assert_eq!(may::<right::DeviceControl>(&over, 2), Err(Denial::Unseen));
        // A key of an organization owns nothing.
        let mut key = person(vec![member(2, BuiltIn::User, false)]);
        key.person = None;
        assert_eq!(may::<right::DeviceControl>(&key, 2), Err(Denial::Missing(Permission::DeviceControl)));
    }

    #[test]
    fn dangerous_things_need_a_fresh_proof() {
        let mut admin = person(vec![member(1, BuiltIn::Admin, true)]);
        assert!(may::<right::KeyManage>(&admin, 2).is_ok());
        admin.proven_ms = NOW - crate::limits::STEP_UP_MS;
        assert_eq!(may::<right::KeyManage>(&admin, 2), Err(Denial::StepUp(Permission::KeyManage)));
        assert!(may::<right::DeviceView>(&admin, 2).is_ok());
    }

    #[test]
    fn threat_12_every_way_in_owes_the_factor() {
        for assurance in [Assurance::PASSWORD, Assurance::ELSEWHERE, Assurance::PASSWORD.and(Assurance::ELSEWHERE)] {
            let mut admin = person(vec![member(1, BuiltIn::Admin, true)]);
            (admin.assurance, admin.has_factor) = (assurance, true);
            assert_eq!(may::<right::OrgView>(&admin, 1), Err(Denial::FactorDue));
            admin.assurance = assurance.and(Assurance::FACTOR);
            assert_eq!(may::<right::OrgView>(&admin, 1), Ok(ScopeReach::Org));
        }
        let mut tree = small();
        let policy = OrgPolicy { second_factor: true, ..OrgPolicy::default() };
        tree.put(org(2), &Org { policy, ..Org::new("x", Some((org(1), 0)), 1) });
        let staff = person(vec![member(4, BuiltIn::Staff, false)]);
        let asked = admit::<right::DeviceView>(&staff, org(4), &tree, NOW).map(|_| ());
        assert_eq!(asked, Err(Denial::FactorDue), "the one above demands it");
    }

    #[test]
    fn suspension_shuts_all_but_those_above() {
        let mut tree = small();
        tree.put(org(2), &Org { state: OrgState::Suspended, ..Org::new("x", Some((org(1), 0)), 1) });
        let ask = |who: &Standing, at| admit::<right::OrgEdit>(who, org(at), &tree, NOW).map(|_| ());
        let inside = person(vec![member(2, BuiltIn::Admin, true)]);
        assert_eq!(ask(&inside, 2), Err(Denial::Suspended(org(2))));
        assert_eq!(ask(&inside, 4), Err(Denial::Suspended(org(2))));
        assert_eq!(ask(&person(vec![member(1, BuiltIn::Admin, true)]), 2), Ok(()));
        // Whoever has no business there does not learn that it is suspended.
        assert_eq!(ask(&person(vec![member(3, BuiltIn::Admin, true)]), 2), Err(Denial::Unseen));
    }

    #[test]
    fn keys_never_reach_people_and_views_never_write() {
        let mut key = person(vec![member(1, BuiltIn::Admin, true)]);
        (key.assurance, key.limit) = (Assurance::KEY, Some(RoleSets::ALL));
        for permission in Permissions::PEOPLE_ONLY.iter() {
            assert_eq!(check(&key, org(1), &small(), permission, NOW), Err(Denial::Missing(permission)));
        }
        key.limit = Some(RoleSets { own: Permissions::NONE, org: Permissions::of(&[Permission::DeviceView]) });
        assert_eq!(may::<right::DeviceView>(&key, 2), Ok(ScopeReach::Org));
        assert_eq!(may::<right::DeviceEdit>(&key, 2), Err(Denial::Missing(Permission::DeviceEdit)));
        let staff = person(vec![member(2, BuiltIn::Staff, false)]);
        let seen = staff.view_as(org(2), BuiltIn::Admin.sets());
        assert_eq!(may::<right::DeviceView>(&seen, 2), Ok(ScopeReach::Org));
        for permission in Permission::ALL {
            let (mine, viewed) =
                (check(&staff, org(2), &small(), permission, NOW), check(&seen, org(2), &small(), permission, NOW));
            assert!(viewed.is_err() || (mine.is_ok() && permission.is_reading()), "{permission}");
        }
    }

    #[test]
    fn addresses_and_the_server_itself() {
        let mut tree = small();
        let policy = OrgPolicy {
            sign_in_from: [AddressRange::parse("10.0.0.0/8").expect("a range")].into(),
            ..OrgPolicy::default()
        };
        tree.put(org(2), &Org { policy, ..Org::new("x", Some((org(1), 0)), 1) });
        let mut staff = person(vec![member(4, BuiltIn::Staff, false)]);
        let ask = |who: &Standing| admit::<right::DeviceView>(who, org(4), &tree, NOW).map(|_| ());
        assert_eq!(ask(&staff), Err(Denial::Elsewhere));
        staff.address = [10, 1, 1, 1].into();
        assert_eq!(ask(&staff), Ok(()));
        let admin = person(vec![member(1, BuiltIn::Admin, true)]);
        assert!(may::<right::ServerManage>(&admin, 1).is_ok());
        assert_eq!(may::<right::ServerManage>(&admin, 2), Err(Denial::Missing(Permission::ServerManage)));
    }
}

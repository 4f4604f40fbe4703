//! Threat 14: no sequence of changes of roles, grants and keys gives a group of people a permission anywhere that none of
//! them had there before.

use std::collections::BTreeMap;

use linchpin_storage::schema::{Actor, OrgId};
use proptest::prelude::*;

use super::permission::{Permission, Permissions};
use super::role::{BuiltIn, RoleSets};
use super::scope::{ScopeReach, check};
use super::standing::{Assurance, Membership, Standing};
use super::tree::Tree;
use super::tree::tests::{org, small};

const NOW: u64 = 5;
const PEOPLE: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Assign { by: usize, to: usize, org: u32, role: u16, below: bool },
    Edit { by: usize, org: u32, role: u16, own: u64, all: u64 },
    Key { by: usize, org: u32, own: u64, all: u64 },
}

/// A world of one group that works together.
#[derive(Clone, Debug)]
struct World {
    tree: Tree,
    roles: BTreeMap<(u32, u16), RoleSets>,
    grants: Vec<BTreeMap<u32, (u16, bool)>>,
    keys: Vec<(u32, RoleSets)>,
}

impl World {
    /// A role as an organization has it: its own, else that of the one above.
    fn role(&self, at: OrgId, role: u16) -> RoleSets {
        let defined = self.tree.path(at).find_map(|(id, _)| self.roles.get(&(id.get(), role)).copied());
        defined.or(BuiltIn::of_number(role).map(BuiltIn::sets)).unwrap_or_default()
    }

    fn standing(&self, person: usize) -> Standing {
        let memberships = self.grants[person].iter().map(|(at, (role, below))| Membership {
            org: org(*at),
            role: *role,
            sets: self.role(org(*at), *role),
            below: *below,
            until_ms: 0,
        });
        Standing {
            actor: Actor::Person(org(1), person as u32 + 1),
            person: Some((org(1), person as u32 + 1)),
            memberships: memberships.collect(),
            limit: None,
            assurance: Assurance::PASSWORD,
            has_factor: false,
            proven_ms: NOW,
            view: None,
            address: [127, 0, 0, 1].into(),
            request: 0,
        }
    }

    /// What the group may do in each organization, together.
    fn powers(&self) -> BTreeMap<u32, RoleSets> {
        let mut powers = BTreeMap::new();
        for at in 1..=5 {
            let people = (0..PEOPLE).map(|person| self.standing(person).sets(&self.tree, org(at), NOW));
            let keys = self.keys.iter().filter(|(home, _)| *home == at).map(|(_, sets)| *sets);
            powers.insert(at, people.chain(keys).fold(RoleSets::NONE, RoleSets::union));
        }
        powers
    }

    /// As the routes do it: the permission first, then the rules of giving. Was it done?
    fn take(&mut self, step: &Step) -> bool {
        let allowed = |by: usize, at: u32, permission| {
            let who = self.standing(by);
            check(&who, org(at), &self.tree, permission, NOW).ok().map(|_| who)
        };
        match *step {
            Step::Assign { by, to, org: at, role, below } => {
                let Some(who) = allowed(by, at, Permission::RoleAssign) else { return false };
                let giver = who.giver(&self.tree, org(at), NOW);
                let before = self.grants[to].get(&at).map(|(role, _)| self.role(org(at), *role));
                let may = giver.may_assign(self.role(org(at), role), below).is_ok()
                    && before.is_none_or(|before| giver.may_touch(before).is_ok());
                if may {
                    self.grants[to].insert(at, (role, below));
                }
                may
            }
            Step::Edit { by, org: at, role, own, all } => {
                let Some(who) = allowed(by, at, Permission::RoleEdit) else { return false };
                let (before, after) = (self.role(org(at), role), RoleSets::from_bits(own, all));
                let giver = who.giver(&self.tree, org(at), NOW);
                let inherited = self.tree.has_children(org(at));
                let may = giver.may_edit(role, (before, after), who.holds(org(at), role), inherited).is_ok();
                if may {
                    self.roles.insert((at, role), after);
                }
                may
            }
            Step::Key { by, org: at, own, all } => {
                let Some(who) = allowed(by, at, Permission::KeyManage) else { return false };
                let sets = RoleSets::from_bits(own, all);
                let may = who.giver(&self.tree, org(at), NOW).may_make_key(sets).is_ok();
                if may {
                    self.keys.push((at, sets));
                }
                may
            }
        }
    }
}

/// Sets that often hold what the steps need, so that many of them are done.
fn bits() -> impl Strategy<Value = u64> {
    let active = Permissions::of(&[Permission::RoleAssign, Permission::RoleEdit, Permission::KeyManage]).bits();
    (any::<u64>(), any::<u64>(), any::<bool>()).prop_map(move |(a, b, with)| (a & b) | if with { active } else { 0 })
}

fn step() -> impl Strategy<Value = Step> {
    let (who, at, role) = (0..PEOPLE, 1u32..=5, 2u16..9);
    prop_oneof![
        (who.clone(), who.clone(), at.clone(), role.clone(), any::<bool>())
            .prop_map(|(by, to, org, role, below)| Step::Assign { by, to, org, role, below }),
        (who.clone(), at.clone(), role, bits(), bits()).prop_map(|(by, org, role, own, all)| Step::Edit {
            by,
            org,
            role,
            own,
            all
        }),
        (who, at, bits(), bits()).prop_map(|(by, org, own, all)| Step::Key { by, org, own, all }),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let roles = prop::collection::btree_map((1u32..=5, 6u16..9), (bits(), bits()), 1..8);
    let grants = prop::collection::vec(prop::collection::btree_map(1u32..=5, (2u16..9, any::<bool>()), 0..3), PEOPLE);
    (roles, grants).prop_map(|(roles, grants)| World {
        tree: small(),
        roles: roles.into_iter().map(|(key, (own, all))| (key, RoleSets::from_bits(own, all))).collect(),
        grants,
        keys: Vec::new(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn threat_14_no_sequence_of_changes_gains_a_permission(mut world in world(), steps in prop::collection::vec(step(), 1..40)) {
        let before = world.powers();
        for step in &steps {
            world.take(step);
            for (at, powers) in world.powers() {
                prop_assert!(before[&at].contains(powers), "organization {at}: {step:?} gave {powers:?}");
            }
        }
    }

    /// A view as a role lets nobody do anything that they could not do before, and nothing that the role cannot; it reads, in
    /// the organization of the view only; and what the person loses meanwhile the view loses too.
    #[test]
    fn threat_14_a_view_as_a_role_gains_nothing(
        world in world(),
        view in (1u32..=5, bits(), bits()),
        lost in prop::option::of(1u32..=5),
    ) {
        let (viewed, role) = (org(view.0), RoleSets::from_bits(view.1, view.2));
        for person in 0..PEOPLE {
            let mut who = world.standing(person);
            let mut seen = who.view_as(viewed, role);
            // As at a live socket: the ticket is older than the memberships.
            who.memberships.retain(|member| Some(member.org.get()) != lost);
            seen.memberships.clone_from(&who.memberships);
            for (at, permission) in (1..=5).flat_map(|at| Permission::ALL.map(|permission| (org(at), permission))) {
                let [mine, through] = [&who, &seen].map(|one| check(one, at, &world.tree, permission, NOW));
                let Ok(reach) = through else { continue };
                prop_assert!(at == viewed && permission.is_reading(), "{at} {permission}");
                prop_assert!(role.with_own().has(permission) || role.org.has(permission), "{permission} is not the role's");
                prop_assert!(mine == Ok(ScopeReach::Org) || mine == Ok(reach), "{at} {permission}: {mine:?}, {reach:?}");
                prop_assert!(reach != ScopeReach::Org || role.org.has(permission), "{permission}: wider than the role");
            }
        }
    }
}

/// Nor does the view say anything if it never shows anything: an Admin's shows what the role reads, to the last permission.
#[test]
fn an_admins_view_shows_all_that_the_role_reads() {
    let world = World {
        tree: small(),
        roles: BTreeMap::new(),
        grants: vec![BTreeMap::from([(1, (1, true))])],
        keys: Vec::new(),
    };
    for role in BuiltIn::ALL {
        let seen = world.standing(0).view_as(org(2), role.sets());
        assert_eq!(seen.sets(&world.tree, org(2), NOW).org, role.sets().org.both(Permissions::READING), "{role:?}");
        assert_eq!(seen.sets(&world.tree, org(2), NOW).with_own(), role.sets().with_own().both(Permissions::READING));
        assert_eq!(seen.sets(&world.tree, org(1), NOW), RoleSets::NONE, "not beside it");
    }
}

/// The property says nothing if nothing is ever done.
#[test]
fn an_admin_gets_things_done() {
    let mut world = World {
        tree: small(),
        roles: BTreeMap::new(),
        grants: vec![BTreeMap::from([(1, (1, true))]), BTreeMap::new(), BTreeMap::new()],
        keys: Vec::new(),
    };
    let all = BuiltIn::Staff.sets().org.bits();
    for step in [
        Step::Edit { by: 0, org: 2, role: 6, own: 0, all },
        Step::Assign { by: 0, to: 1, org: 4, role: 6, below: true },
        Step::Key { by: 0, org: 5, own: 0, all: all & !Permissions::PEOPLE_ONLY.bits() },
    ] {
        assert!(world.take(&step), "{step:?}");
    }
    assert!(!world.take(&Step::Assign { by: 1, to: 2, org: 4, role: 3, below: false }), "Staff cannot assign");
}

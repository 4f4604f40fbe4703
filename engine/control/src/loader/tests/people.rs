//! Invitations, roles, organizations, sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linchpin_storage::schema::{Grant, OrgKind, OrgPolicy};
use zeroize::Zeroizing;

use super::{HERE, World, email, org};
use crate::access::{Assurance, BuiltIn, Denial, GiveRule, Permission, Permissions, RoleSets, TreeError, right};
use crate::account::{GivenSecret, SecretKind};
use crate::audit::By;
use crate::limits;
use crate::loader::LoaderFault;
use crate::loader::invite::{InviteAsked, Joining};
use crate::loader::person::AccountEdit;
use crate::loader::role::RoleAsked;
use crate::loader::session::NewSession;

fn password() -> Zeroizing<String> {
    Zeroizing::new("$argon2id$none".to_owned())
}

fn joining(name: &str) -> Joining {
    Joining { name: name.into(), password: password(), consents: vec![(1, 1)] }
}

fn asked(address: &str, role: u16) -> InviteAsked {
    InviteAsked { email: email(address), role, below: false }
}

#[test]
fn threat_4_of_fifty_that_accept_one_is_let_in() {
    let (world, admin) = World::new("accept");
    let asker = world.asker(admin);
    let (scope, giver) = (world.scope::<right::UserInvite>(&asker, 2), world.giver(&asker, 2));
    let made = world.loader.invite(&scope, &giver, &asked("bob@example.com", 2), None, world.now).expect("is made");
    assert!(world.loader.find_person(&email("bob@example.com")).expect("reads").is_none(), "no rights before");
    let begun = AtomicU64::new(0);
    let accept = || {
        begun.fetch_add(1, Ordering::SeqCst);
        world.loader.accept(By::system(), &made.secret, None, &joining("Bob"), world.now)
    };
    let accepted: Vec<_> = std::thread::scope(|threads| {
        // All of them look at the link while it is good: none may change anything yet.
        let locked = world.loader.ledger.change(By::system(), &[org(1), org(2)], world.now);
        let all: Vec<_> = (0..50).map(|_| threads.spawn(accept)).collect();
        while begun.load(Ordering::SeqCst) < 50 {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(locked);
        all.into_iter().map(|thread| thread.join().expect("ends")).collect()
    });
    let winners: Vec<_> = accepted.iter().filter_map(|result| result.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    assert!(accepted.iter().all(|result| matches!(result, Ok(_) | Err(LoaderFault::Spent))));
    // What they agreed to stands beside the account.
    let agreed = world.loader.consents(**winners.first().expect("one")).expect("reads");
    let [(1, at_ms, consent)] = &*agreed else { panic!("{agreed:?}") };
    assert!(*at_ms == world.now && consent.given && (consent.version, &*consent.source) == (1, "invitation"));
    let bob = world.asker(*winners[0]);
    assert!(world.loader.admit::<right::DeviceView>(&bob, org(2), world.now).is_ok());
    assert_eq!(world.loader.admit::<right::DeviceView>(&bob, org(3), world.now).err(), Some(Denial::Unseen));
}

#[test]
fn threat_4_what_was_given_must_still_be_the_inviters_to_give() {
    let (world, admin) = World::new("invite");
    let root = world.asker(admin);
    let staff = world.person(2, "staff@example.com", 2, false);
    let asker = world.asker(staff);
    let (scope, giver) = (world.scope::<right::UserInvite>(&asker, 2), world.giver(&asker, 2));
    let invite = |address: &str, role| world.loader.invite(&scope, &giver, &asked(address, role), None, world.now);
    assert!(matches!(invite("x@example.com", 1), Err(LoaderFault::Give(GiveRule::More(_)))), "Staff makes no Admin");
    let (by_staff, other) = (invite("b@example.com", 4).expect("made"), invite("c@example.com", 4).expect("made"));
    let accept = |secret: &GivenSecret, signed_in| {
        world.loader.accept(By::system(), secret, signed_in, &joining("B"), world.now)
    };
    // Forwarded to somebody who is signed in under another address.
    assert!(matches!(accept(&by_staff.secret, Some(staff)), Err(LoaderFault::Conflict(_))));
    // Taken back.
    world.loader.revoke_invite(&scope, other.number, world.now).expect("revokes");
    assert!(matches!(accept(&other.secret, None), Err(LoaderFault::Spent)));
    // From another organization it cannot be taken back: it is missing there.
    let elsewhere = world.scope::<right::UserInvite>(&root, 3);
    let missing = world.loader.revoke_invite(&elsewhere, by_staff.number, world.now);
    assert!(matches!(missing, Err(LoaderFault::Missing)));
    // The inviter lost what they gave.
    let assign = world.scope::<right::RoleAssign>(&root, 2);
    let grant = Some(Grant { role: 3, below: false, until_ms: 0 });
    world.loader.assign(&assign, &world.giver(&root, 2), staff, grant, world.now).expect("is assigned");
    assert!(matches!(accept(&by_staff.secret, None), Err(LoaderFault::Spent)));
    // The role is another by now.
    let invites = world.scope::<right::UserInvite>(&root, 2);
    let edits = world.scope::<right::RoleEdit>(&root, 2);
    let mut role = RoleAsked { number: 7, name: "Night".into(), sets: BuiltIn::Viewer.sets() };
    world.loader.put_role(&edits, &world.giver(&root, 2), false, &role, world.now).expect("is made");
    let made = world
        .loader
        .invite(&invites, &world.giver(&root, 2), &asked("d@example.com", 7), None, world.now)
        .expect("made");
    role.sets = BuiltIn::Staff.sets();
    world.loader.put_role(&edits, &world.giver(&root, 2), false, &role, world.now).expect("is changed");
    assert!(matches!(accept(&made.secret, None), Err(LoaderFault::Spent)));
    // Over.
    let late = world
        .loader
        .invite(&invites, &world.giver(&root, 2), &asked("e@example.com", 4), None, world.now)
        .expect("made");
    let over = world.now + limits::INVITE_MS;
    let accepted = world.loader.accept(By::system(), &late.secret, None, &joining("E"), over);
    assert!(matches!(accepted, Err(LoaderFault::Spent)));
}

#[test]
fn threat_14_own_roles_and_the_last_admin_stay() {
    let (world, admin) = World::new("roles");
    let root = world.asker(admin);
    let chief = world.person(2, "chief@example.com", 1, false);
    let asker = world.asker(chief);
    let (edit, assign) = (world.scope::<right::RoleEdit>(&asker, 2), world.scope::<right::RoleAssign>(&asker, 2));
    let giver = world.giver(&asker, 2);
    let grant = |role| Some(Grant { role, below: false, until_ms: 0 });
    let own = world.loader.assign(&assign, &giver, chief, grant(2), world.now);
    assert!(matches!(own, Err(LoaderFault::Give(GiveRule::OwnRole))));
    let all = RoleAsked { number: 1, name: "Admin".into(), sets: RoleSets::ALL };
    let fixed = world.loader.put_role(&edit, &giver, true, &all, world.now);
    assert!(matches!(fixed, Err(LoaderFault::Give(GiveRule::FixedRole))));
    // Organization 4 is below and would get the role too, but the Admin of 2 does not reach there.
    let wide = RoleAsked { number: 6, name: "Wide".into(), sets: BuiltIn::Staff.sets() };
    let below = world.loader.put_role(&edit, &giver, false, &wide, world.now);
    assert!(matches!(below, Err(LoaderFault::Give(GiveRule::Below))));
    // From above, with nobody else left who may do everything there.
    let above = world.scope::<right::RoleAssign>(&root, 2);
    let last = world.loader.assign(&above, &world.giver(&root, 2), chief, grant(2), world.now);
    assert!(matches!(last, Err(LoaderFault::Give(GiveRule::LastAdmin))));
    let stranger = world.loader.assign(&assign, &giver, admin, grant(3), world.now);
    assert!(matches!(stranger, Err(LoaderFault::Missing)), "who is no member is missing");
}

#[test]
fn threat_15_no_request_goes_by_old_rights_after_the_answer() {
    let (world, admin) = World::new("stale");
    let root = world.asker(admin);
    let staff = world.person(2, "staff@example.com", 2, false);
    let token = world.session(staff);
    let acked = AtomicBool::new(false);
    let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                for _ in 0..3_000 {
                    let was_acked = acked.load(Ordering::SeqCst);
                    let asker = world.try_asker(&token, world.now).expect("the session stays");
                    if world.loader.admit::<right::DeviceEdit>(&asker, org(2), world.now).is_ok() {
                        if was_acked { &after } else { &before }.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let assign = world.scope::<right::RoleAssign>(&root, 2);
        let grant = Some(Grant { role: 4, below: false, until_ms: 0 });
        world.loader.assign(&assign, &world.giver(&root, 2), staff, grant, world.now).expect("is demoted");
        acked.store(true, Ordering::SeqCst);
    });
    assert_eq!(after.load(Ordering::SeqCst), 0);
    let asker = world.try_asker(&token, world.now).expect("good");
    let denied = world.loader.admit::<right::DeviceEdit>(&asker, org(2), world.now).err();
    assert_eq!(denied, Some(Denial::Missing(Permission::DeviceEdit)));
    // Suspended: the session itself is over, in memory and on the disk.
    let suspend = world.scope::<right::UserSuspend>(&root, 2);
    world.loader.suspend_person(&suspend, &world.giver(&root, 2), staff, true, world.now).expect("is suspended");
    assert!(world.try_asker(&token, world.now).is_none());
    assert!(world.loader.sessions_of(staff).expect("reads").is_empty());
}

#[test]
fn threat_9_a_session_gets_another_token_with_each_proof() {
    let (world, admin) = World::new("fixation");
    let planted = world.session(admin);
    let live = world.loader.session(&planted, world.now).expect("reads").expect("good");
    let assurance = Assurance::PASSWORD.and(Assurance::FACTOR);
    let new = NewSession {
        kind: linchpin_storage::schema::SessionKind::Browser,
        assurance,
        agent: "x".into(),
        address: HERE,
    };
    let (fresh, _) = world.loader.renew_session(By::system(), &live, &new, world.now).expect("renews");
    assert!(world.try_asker(&planted, world.now).is_none(), "the old token is worth nothing");
    assert!(world.try_asker(&fresh, world.now).is_some());
    assert!(!live.is_good(world.now), "a request that holds it sees that");
    // One that nobody was given.
    let forged = GivenSecret::from_random(SecretKind::Session, &[7; 32]);
    assert!(world.try_asker(&forged, world.now).is_none());
    // Sessions end by rest, and there are so many of one person.
    assert!(world.try_asker(&fresh, world.now + limits::SESSION_IDLE_MS).is_none());
    for _ in 0..limits::PERSON_SESSIONS + 3 {
        world.session(admin);
    }
    assert_eq!(world.loader.sessions_of(admin).expect("reads").len(), limits::PERSON_SESSIONS);
}

#[test]
fn threat_3_moving_takes_two_rights_and_makes_no_circle() {
    let (world, admin) = World::new("move");
    let root = world.asker(admin);
    let chief = world.person(2, "chief@example.com", 1, true);
    let asker = world.asker(chief);
    // The Admin of 2 may let 4 go, but has no say in 3.
    let leave = world.scope::<right::OrgTransfer>(&asker, 4);
    assert_eq!(world.loader.admit::<right::OrgCreate>(&asker, org(3), world.now).err(), Some(Denial::Unseen));
    // Making organizations is not moving them.
    let sets = RoleSets { org: Permissions::of(&[Permission::OrgView, Permission::OrgCreate]), ..RoleSets::NONE };
    let role = RoleAsked { number: 20, name: "Maker".into(), sets };
    world.loader.put_role(&world.scope(&root, 2), &world.giver(&root, 2), false, &role, world.now).expect("is made");
    let maker = world.asker(world.person(2, "maker@example.com", 20, true));
    let refused = world.loader.admit::<right::OrgTransfer>(&maker, org(4), world.now).err();
    assert_eq!(refused, Some(Denial::Missing(Permission::OrgTransfer)));
    assert!(world.loader.admit::<right::OrgCreate>(&maker, org(4), world.now).is_ok());
    let inside = world.scope::<right::OrgCreate>(&asker, 4);
    let circle = world.loader.move_org(&world.scope(&asker, 2), &inside, world.now);
    assert!(matches!(circle, Err(LoaderFault::Tree(TreeError::Circle))));
    let enter = world.scope::<right::OrgCreate>(&root, 3);
    world.loader.move_org(&leave, &enter, world.now).expect("both agree");
    let again = world.asker(chief);
    assert_eq!(world.loader.admit::<right::OrgView>(&again, org(4), world.now).err(), Some(Denial::Unseen));
    let new = ("Below", OrgKind::Branch, OrgPolicy::default(), "Europe/Berlin");
    let (made, _) = world.loader.create_org(&world.scope(&root, 4), new, world.now).expect("is made");
    assert!(world.loader.directory().tree.is_within(made, org(3)));
    // The store says the same.
    let reloaded = crate::loader::Loader::open(Arc::clone(&world.store)).expect("opens");
    let depths = |loader: &crate::loader::Loader| {
        let directory = loader.directory();
        [2, 3, 4]
            .map(|at| directory.tree.depth(org(at)))
            .into_iter()
            .chain([directory.tree.depth(made)])
            .collect::<Vec<_>>()
    };
    assert_eq!(depths(&reloaded), depths(&world.loader));
    assert_eq!(reloaded.directory().memberships(chief), world.loader.directory().memberships(chief));
}

#[test]
fn threat_11_of_two_with_the_same_code_one_gets_through() {
    let (world, admin) = World::new("code");
    let secret = Zeroizing::new(vec![7; 20]);
    let edit = |edit| world.loader.edit_account(By::system(), admin, edit, world.now);
    edit(AccountEdit::FactorBegin(secret)).expect("begins");
    let code = |step| format!("{:06}", crate::account::totp::code(&[7; 20], step));
    let step = crate::account::totp::step_of(world.now);
    assert!(
        !world.loader.take_factor(By::system(), admin, &code(step), world.now).expect("reads"),
        "not confirmed yet"
    );
    let recovery = vec![world.loader.recovery_digest(admin, "ABCD-EFGH")];
    edit(AccountEdit::FactorConfirm(step - 1, recovery)).expect("is confirmed");
    let take = |text: &str| world.loader.take_factor(By::system(), admin, text, world.now).expect("writes");
    let now = code(step);
    let taken: usize = std::thread::scope(|threads| {
        let all: Vec<_> = (0..8).map(|_| threads.spawn(|| take(&now))).collect();
        all.into_iter().map(|thread| usize::from(thread.join().expect("ends"))).sum()
    });
    assert_eq!(taken, 1);
    assert!(!take("ABCD-EFGX") && take("abcd efgh") && !take("ABCD-EFGH"), "a recovery code is good once");
    // With a factor nothing works before a code was given, whatever else was proven.
    let asker = world.asker(admin);
    assert_eq!(world.loader.admit::<right::OrgView>(&asker, org(1), world.now).err(), Some(Denial::FactorDue));
}

#[test]
fn addresses_are_of_one_person() {
    let (world, _) = World::new("addresses");
    world.person(2, "Mike@Example.com", 3, false);
    let new = crate::loader::person::NewPerson {
        email: email("mike@example.COM"),
        name: "x".into(),
        role: 3,
        below: false,
        password: password(),
    };
    let made = world.loader.create_person(By::operator(), org(3), &new, world.now);
    assert!(matches!(made, Err(LoaderFault::Conflict(_))));
    let wrong = crate::loader::person::NewPerson { email: email("z@example.com"), role: 99, ..new };
    assert!(matches!(
        world.loader.create_person(By::operator(), org(3), &wrong, world.now),
        Err(LoaderFault::Field { .. })
    ));
    assert!(Permissions::ALL.contains(BuiltIn::User.sets().org));
}

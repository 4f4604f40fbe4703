//! Signing in.

use std::sync::Arc;

use linchpin_storage::schema::{AuditEntry, OrgId};
use zeroize::Zeroizing;

use super::{HERE, World, email, org};
use crate::access::{Denial, right};
use crate::account::{HashCost, HashPool, PasswordInput, PoolPlan, totp};
use crate::audit::By;
use crate::loader::LoaderFault;
use crate::loader::person::AccountEdit;
use crate::loader::sign_in::{SignInAsked, SignInDoor, SignInFault};

const PASSWORD: &[u8] = b"a lamp in the harbour";

struct House {
    world: World,
    pool: Arc<HashPool>,
    door: Arc<SignInDoor>,
    admin: (OrgId, u32),
}

/// One person, `admin@example.com`, with a password.
async fn house(name: &str) -> House {
    let (world, admin) = World::new(name);
    let plan = PoolPlan { threads: 1, cost: HashCost::TEST, per_second: 0 };
    let pool = Arc::new(HashPool::start(&[9; 32], plan).expect("starts"));
    let text =
        pool.hash(PasswordInput::of(PASSWORD, "admin@example.com"), "admin@example.com", vec![]).await.expect("hashes");
    world.loader.edit_account(By::system(), admin, AccountEdit::Password(text), world.now).expect("is set");
    let door = Arc::new(SignInDoor::new(Arc::clone(&world.loader), Arc::clone(&pool), 1, false));
    House { world, pool, door, admin }
}

fn asked(address: &str, password: &[u8], from: [u8; 4], code: Option<&str>) -> SignInAsked {
    SignInAsked {
        email: email(address),
        input: PasswordInput::of(password, &email(address).folded()),
        code: code.map(|code| Zeroizing::new(code.to_owned())),
        known: None,
        address: from.into(),
        agent: "test".into(),
        request: 5,
    }
}

#[tokio::test]
async fn threat_7_a_stranger_learns_nothing_from_answers_or_runs() {
    let house = house("enumeration").await;
    let pending = house.world.person(2, "pending@example.com", 3, false);
    let edit = AccountEdit::Suspend;
    house.world.loader.edit_account(By::system(), pending, edit, house.world.now).expect("is suspended");
    let mut from = 0;
    for address in ["admin@example.com", "nobody@example.com", "pending@example.com"] {
        let runs = house.pool.figures().runs;
        from += 1;
        let wrong = house.door.sign_in(asked(address, b"wrong", [10, 0, 0, from], None), house.world.now).await;
        assert!(matches!(wrong, Err(SignInFault::Wrong)), "{address}");
        assert_eq!(house.pool.figures().runs, runs + 1, "{address}: one run each");
    }
    let signed_in =
        house.door.sign_in(asked("ADMIN@example.com", PASSWORD, [10, 0, 0, 9], None), house.world.now + 60_000).await;
    let signed_in = signed_in.expect("the right password, however the address is written");
    assert_eq!((signed_in.person, signed_in.owes_factor), (house.admin, false));
    let mut refusals = 0;
    let all = house.world.store.scan_org::<AuditEntry>(OrgId::FIRST, |_, entry| {
        refusals += u32::from(entry.outcome == linchpin_storage::schema::AuditOutcome::Refused);
        std::ops::ControlFlow::Continue(())
    });
    all.expect("reads");
    assert_eq!(refusals, 3, "refusals are written down");
}

#[tokio::test]
async fn threat_10_fifty_wrong_at_once_are_five_runs() {
    let house = house("parallel").await;
    let runs = house.pool.figures().runs;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (door, now) = (Arc::clone(&house.door), house.world.now);
        let asked = asked(&format!("user{n}@example.com"), b"wrong", [192, 0, 2, 1], None);
        all.spawn(async move { door.sign_in(asked, now).await.err() });
    }
    let ends = all.join_all().await;
    assert!(house.pool.figures().runs - runs <= 5, "{} runs", house.pool.figures().runs - runs);
    assert!(ends.iter().filter(|end| matches!(end, Some(SignInFault::Blocked(_)))).count() >= 45);
    // The right password from there has to wait too; from elsewhere it does not.
    let right = asked("admin@example.com", PASSWORD, [192, 0, 2, 1], None);
    assert!(matches!(house.door.sign_in(right, house.world.now + 1).await, Err(SignInFault::Blocked(_))));
    let right = asked("admin@example.com", PASSWORD, [192, 0, 2, 2], None);
    assert!(house.door.sign_in(right, house.world.now + 1).await.is_ok());
}

#[tokio::test]
async fn threat_12_a_reset_gives_a_password_and_no_factor() {
    let house = house("reset").await;
    let (world, admin) = (&house.world, house.admin);
    let edit = |edit| world.loader.edit_account(By::system(), admin, edit, world.now).expect("is set");
    edit(AccountEdit::FactorBegin(Zeroizing::new(vec![7; 20])));
    edit(AccountEdit::FactorConfirm(totp::step_of(world.now) - 5, Vec::new()));
    let old = world.session(admin);
    let (to, link) = world.loader.reset_link(By::system(), admin, world.now).expect("is made");
    assert_eq!(to.expose(), "admin@example.com", "to the stored address");
    let input = || PasswordInput::of(b"another lamp in the harbour", "admin@example.com");
    let weak = PasswordInput::of(b"password1", "admin@example.com");
    let refused = house.door.reset(By::system(), link.clone(), weak, world.now).await;
    assert!(matches!(refused, Err(LoaderFault::Field { .. })), "and the link is still good");
    house.door.reset(By::system(), link.clone(), input(), world.now).await.expect("is set");
    assert!(matches!(house.door.reset(By::system(), link, input(), world.now).await, Err(LoaderFault::Spent)), "once");
    assert!(world.try_asker(&old, world.now).is_none(), "all sessions ended");
    let door = |password: &'static [u8], from: u8, code: Option<String>| {
        let asked = asked("admin@example.com", password, [10, 0, 0, from], code.as_deref());
        house.door.sign_in(asked, world.now + u64::from(from) * 10_000)
    };
    assert!(door(PASSWORD, 1, None).await.is_err(), "the old password");
    let half = door(b"another lamp in the harbour", 2, None).await.expect("the new one");
    assert!(half.owes_factor);
    let asker = world.loader.asker(&half.session, HERE, "test", 1);
    assert_eq!(world.loader.admit::<right::OrgView>(&asker, org(1), world.now).err(), Some(Denial::FactorDue));
    assert!(door(b"another lamp in the harbour", 3, Some("000000".into())).await.is_err());
    let code = format!("{:06}", totp::code(&[7; 20], totp::step_of(world.now + 50_000)));
    let whole = door(b"another lamp in the harbour", 5, Some(code)).await.expect("with the code");
    assert!(!whole.owes_factor);
}

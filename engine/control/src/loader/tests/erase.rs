//! People who are erased, also when the program ends in the middle.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use linchpin_protocol::model::{DeviceId, Token};
use linchpin_storage::schema::{
    AuditEntry, AuditFace, Consent, Device, DeviceKey, Grant, IndexEntry, OutboxMail, PersonSession, User, UserKey,
};
use linchpin_storage::{Class, Settings, Steps, Store, Unseal};
use zeroize::Zeroizing;

use super::{World, email, org};
use crate::access::{GiveRule, PersonRef, right};
use crate::audit::{self, By};
use crate::loader::device::{DeviceEdit, DeviceShare};
use crate::loader::invite::{InviteAsked, Joining};
use crate::loader::{Loader, LoaderFault};

const BOB: &str = "bob@example.com";

fn device(number: u32) -> DeviceId {
    DeviceId::new(number).expect("not zero")
}

/// Make somebody who has an account a Viewer of organization 3, too.
fn join(world: &World, admin: PersonRef, id: PersonRef, address: &str) {
    let root = world.asker(admin);
    let scope = world.scope::<right::UserInvite>(&root, 3);
    let asked = InviteAsked { email: email(address), role: 4, below: false };
    let made = world.loader.invite(&scope, &world.giver(&root, 3), &asked, None, world.now).expect("is invited");
    world.loader.accept(By::system(), &made.secret, Some(id), &Joining::default(), world.now).expect("accepts");
}

/// Bob, a User of organization 2 and a Viewer of 3, with devices, a session, a consent, and traces in the audit log.
fn bob(world: &World, admin: PersonRef) -> PersonRef {
    let bob = world.person(2, BOB, 3, false);
    let root = world.asker(admin);
    join(world, admin, bob, BOB);
    let mut batch = world.store.batch();
    for number in 1..=3 {
        let token = Token::from_random(&[number as u8; 24]);
        let owner = (number < 3).then_some(bob);
        let record = Device { owner, ..Device::new("lamp".into(), None, token, world.now) };
        batch.put(&DeviceKey::new(org(2), device(number)), &record).expect("fits");
        let entry = IndexEntry { org: org(2), number };
        batch.put_index(&world.store.token_digest(&token), &entry).expect("fits");
    }
    world.store.commit(Class::A, batch).expect("commits");
    let by_bob = world.asker(bob);
    let consent = Consent { version: 1, given: true, source: "test".into() };
    world.loader.set_consent(by_bob.by(), bob, (1, &consent), world.now).expect("is written");
    let edit = world.scope::<right::DeviceEdit>(&by_bob, 2);
    let edited = DeviceEdit { name: Some("Bob's lamp".into()), ..DeviceEdit::default() };
    world.loader.edit_device(&edit, device(1), edited, world.now).expect("is theirs");
    let edit = world.scope::<right::DeviceEdit>(&root, 2);
    let permissions = crate::access::Permissions::of(&[crate::access::Permission::DeviceView]);
    let share = DeviceShare { person: bob, permissions, until_ms: 0 };
    world.loader.share_device(&edit, &world.giver(&root, 2), device(3), &share, world.now).expect("is shared");
    world.loader.forgotten(By::system(), &email(BOB), world.now).expect("is made").expect("a link");
    bob
}

/// How much of somebody is left.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    names: usize,
    grants: usize,
    sessions: usize,
    consents: usize,
    owned: usize,
    mails: usize,
    /// Faces of what they did, or that say their name.
    faces: usize,
    found: bool,
}

fn left(loader: &Loader, store: &Store, id: PersonRef) -> Left {
    let mut left = Left { found: loader.find_person(&email(BOB)).expect("reads").is_some(), ..Left::default() };
    let on = ControlFlow::Continue(());
    store
        .scan::<User>(|_, user| {
            left.names += usize::from(&*user.email == BOB);
            on
        })
        .expect("reads");
    store
        .scan::<Grant>(|key, _| {
            left.grants += usize::from(key.user() == id.1);
            on
        })
        .expect("reads");
    store
        .scan::<PersonSession>(|key, _| {
            left.sessions += usize::from(key.user() == id.1);
            on
        })
        .expect("reads");
    store
        .scan::<Consent>(|key, _| {
            left.consents += usize::from(key.user() == id.1);
            on
        })
        .expect("reads");
    store
        .scan::<Device>(|_, device| {
            left.owned += usize::from(device.owner == Some(id));
            on
        })
        .expect("reads");
    store
        .scan::<OutboxMail>(|_, mail| {
            left.mails += usize::from(&*mail.to == BOB);
            on
        })
        .expect("reads");
    store
        .scan::<AuditEntry>(|key, entry| {
            let face = store.get::<AuditFace>(&key).expect("reads");
            let by_them = matches!(entry.actor, linchpin_storage::schema::Actor::Person(_, user) if user == id.1);
            // The people of these tests are all called Eve: the address of the request tells them apart.
            left.faces += usize::from(by_them && face.is_some());
            on
        })
        .expect("reads");
    left
}

fn is_whole(loader: &Loader, store: &Store) -> u64 {
    let key = loader.ledger().public_key();
    let of = |number| audit::verify(store, org(number), &[], &key).expect("the chain is whole").faceless;
    of(1) + of(2) + of(3)
}

#[test]
fn somebody_who_is_erased_leaves_nothing_but_a_whole_audit_log() {
    let (world, admin) = World::new("erase");
    let bob = bob(&world, admin);
    let token = world.session(bob);
    let before = left(&world.loader, &world.store, bob);
    assert!(before.faces >= 2 && before.owned == 2 && before.mails == 2 && before.found, "{before:?}");
    assert_eq!(is_whole(&world.loader, &world.store), 0);
    // The only Admin of an organization hands over first.
    let last = world.loader.erase_myself(By::operator(), admin, world.now);
    assert!(matches!(last, Err(LoaderFault::Give(GiveRule::LastAdmin))), "{last:?}");
    let by = world.asker(bob).by();
    world.loader.erase_myself(by, bob, world.now).expect("is erased");
    assert_eq!(left(&world.loader, &world.store, bob), Left::default());
    assert!(world.store.get::<User>(&UserKey::new(org(2), bob.1)).expect("reads").is_none());
    assert!(world.try_asker(&token, world.now).is_none() && world.loader.leaving().is_empty());
    assert!(is_whole(&world.loader, &world.store) >= before.faces as u64, "the chain is whole without faces");
    // Somebody else may have the address now.
    assert_ne!(world.person(3, BOB, 3, false), bob);
}

#[test]
fn a_member_who_is_removed_at_home_is_erased() {
    let (world, admin) = World::new("removed");
    let bob = bob(&world, admin);
    let root = world.asker(admin);
    let scope = world.scope::<right::UserRemove>(&root, 2);
    world.loader.remove_person(&scope, &world.giver(&root, 2), bob, world.now).expect("is removed");
    assert_eq!(left(&world.loader, &world.store, bob), Left::default());
    // Elsewhere only the membership ends.
    let eve = world.person(2, "carol@example.com", 3, false);
    join(&world, admin, eve, "carol@example.com");
    let scope = world.scope::<right::UserRemove>(&root, 3);
    world.loader.remove_person(&scope, &world.giver(&root, 3), eve, world.now).expect("is removed");
    assert!(world.loader.find_person(&email("carol@example.com")).expect("reads").is_some());
}

const STEPS: [&str; 6] = [
    "person: asked",
    "person: marked",
    "person: devices passed on",
    "person: faces erased",
    "person: records compacted",
    "person: mark gone",
];

pub(super) fn open(folder: &Path, steps: Steps) -> (Arc<Store>, Loader) {
    let mut settings = Settings::new(folder.join("store"), Unseal::Key(Zeroizing::new([1; 32])));
    settings.write_buffer_bytes = 1 << 20;
    settings.steps = steps;
    let store = Arc::new(Store::open(settings).expect("opens"));
    let loader = Loader::open(Arc::clone(&store)).expect("opens");
    (store, loader)
}

/// The child of the next test, does nothing without it: erases, and ends at the step it is told.
#[test]
fn child_that_erases() {
    let Some(folder) = std::env::var_os("LINCHPIN_TEST_FOLDER").map(PathBuf::from) else { return };
    let step = std::env::var("LINCHPIN_TEST_STEP").expect("a step");
    let steps = Steps::new(move |reached| {
        if reached == step {
            // As if killed: nothing is closed.
            std::process::exit(99);
        }
    });
    let (_store, loader) = open(&folder, steps);
    let bob = loader.find_person(&email(BOB)).expect("reads").expect("is there").id;
    loader.erase_myself(By::operator(), bob, super::now_ms()).expect("is erased");
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { assert!(std::fs::copy(&path, &target).is_ok()) }
    }
}

#[test]
fn an_erasure_that_is_killed_at_any_step_is_undone_or_completed() {
    let (world, admin) = World::new("killed");
    let bob = bob(&world, admin);
    let before = left(&world.loader, &world.store, bob);
    world.store.close().expect("closes");
    for step in STEPS {
        let folder = world.folder.join(step.replace([':', ' '], "-"));
        copy(&world.folder.join("store"), &folder.join("store"));
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "loader::tests::erase::child_that_erases", "--test-threads=1"])
            .env("LINCHPIN_TEST_FOLDER", &folder)
            .env("LINCHPIN_TEST_STEP", step)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("runs");
        assert_eq!(child.code(), Some(99), "the step `{step}` was not reached");
        let (store, loader) = open(&folder, Steps::default());
        if step == "person: asked" {
            assert_eq!(left(&loader, &store, bob), before, "it is undone");
            store.close().expect("closes");
            continue;
        }
        assert!(loader.find_person(&email(BOB)).expect("reads").is_none(), "{step}: nobody signs in");
        // As the server does at its start.
        for id in loader.leaving() {
            assert_eq!(id, bob, "{step}");
            loader.finish_erase(id).expect("completes");
        }
        assert_eq!(left(&loader, &store, bob), Left::default(), "{step}");
        assert!(is_whole(&loader, &store) > 0, "{step}");
        store.close().expect("closes");
    }
}

//! Keys, clients, access and refresh tokens.

use linchpin_storage::schema::{AddressRange, ClientKind};

use super::{HERE, World, org};
use crate::access::{BuiltIn, Denial, Permission, Permissions, RoleSets, right};
use crate::account::{GivenSecret, SecretKind};
use crate::audit::By;
use crate::loader::LoaderFault;
use crate::loader::client::ClientAsked;

fn client(kind: ClientKind, sets: RoleSets) -> ClientAsked {
    ClientAsked { kind, name: "CI".into(), sets, until_ms: 0, from: Box::default(), requests_per_minute: 0 }
}

fn viewer() -> RoleSets {
    BuiltIn::Viewer.sets()
}

#[test]
fn threat_13_twenty_refreshes_at_once_are_one_and_a_late_one_ends_all() {
    let (world, admin) = World::new("refresh");
    let asker = world.asker(admin);
    let scope = world.scope::<right::KeyManage>(&asker, 2);
    let (_, secret) = world
        .loader
        .create_client(&scope, &world.giver(&asker, 2), client(ClientKind::OAuth, viewer()), world.now)
        .expect("made");
    let now = world.now;
    let first = world.loader.grant_tokens(By::system(), &secret, RoleSets::ALL, now).expect("granted");
    let asks = |token: &GivenSecret, at| world.loader.access_token(token, HERE, 1, at).expect("reads");
    let key = asks(&first.access, now).expect("good");
    assert!(world.loader.admit::<right::DeviceView>(&key, org(2), now).is_ok());
    let denied = world.loader.admit::<right::DeviceEdit>(&key, org(2), now).err();
    assert_eq!(denied, Some(Denial::Missing(Permission::DeviceEdit)));
    assert_eq!(world.loader.admit::<right::DeviceView>(&key, org(4), now).err(), Some(Denial::Unseen));
    let next: Vec<String> = std::thread::scope(|threads| {
        let refresh = || world.loader.refresh_tokens(By::system(), &first.refresh, now + 5).expect("in time");
        let all: Vec<_> = (0..20).map(|_| threads.spawn(refresh)).collect();
        all.into_iter().map(|thread| thread.join().expect("ends").refresh.expose().to_owned()).collect()
    });
    assert!(next.iter().all(|token| *token == next[0]), "one successor");
    let second = world.loader.refresh_tokens(By::system(), &first.refresh, now + 29_000).expect("a repeat in time");
    assert_eq!(second.refresh.expose(), next[0]);
    assert!(asks(&second.access, now + 29_000).is_some());
    let late = world.loader.refresh_tokens(By::system(), &first.refresh, now + 31_000);
    assert!(matches!(late, Err(LoaderFault::Spent)));
    assert!(asks(&second.access, now + 31_001).is_none(), "the family is dead");
    assert!(world.loader.refresh_tokens(By::system(), &second.refresh, now + 31_002).is_err());
}

#[test]
fn threat_25_each_secret_opens_its_own_door_only() {
    let (world, admin) = World::new("doors");
    let asker = world.asker(admin);
    let (scope, giver) = (world.scope::<right::KeyManage>(&asker, 2), world.giver(&asker, 2));
    let make = |kind| world.loader.create_client(&scope, &giver, client(kind, viewer()), world.now).expect("made");
    let ((number, key), (_, oauth)) = (make(ClientKind::ApiKey), make(ClientKind::OAuth));
    let good = |secret: &GivenSecret| world.loader.api_key(secret, HERE, 1, world.now).expect("reads").is_some();
    assert!(good(&key) && good(&key), "also from memory");
    assert!(!good(&oauth), "a client's secret is no API key");
    assert!(matches!(world.loader.grant_tokens(By::system(), &key, RoleSets::ALL, world.now), Err(LoaderFault::Spent)));
    let session = world.session(admin);
    for other in [&session, &GivenSecret::from_random(SecretKind::Key, &[3; 32])] {
        assert!(!good(other));
    }
    assert!(world.loader.session(&key, world.now).expect("reads").is_none());
    let tokens = world.loader.grant_tokens(By::system(), &oauth, RoleSets::ALL, world.now).expect("granted");
    assert!(world.loader.access_token(&tokens.refresh, HERE, 1, world.now).expect("reads").is_none());
    // Another secret, and none: at once, also in memory.
    let fresh = world.loader.rotate_client(&scope, number, world.now).expect("rotates");
    assert!(!good(&key) && good(&fresh));
    world.loader.revoke_client(&scope, number, world.now).expect("revokes");
    assert!(!good(&fresh));
    let missing = world.loader.revoke_client(&world.scope(&asker, 3), number, world.now);
    assert!(matches!(missing, Err(LoaderFault::Missing)));
}

#[test]
fn keys_hold_what_their_maker_has_and_stay_where_they_may_be_used() {
    let (world, admin) = World::new("keys");
    let asker = world.asker(admin);
    let (scope, giver) = (world.scope::<right::KeyManage>(&asker, 2), world.giver(&asker, 2));
    let resets = RoleSets { own: Permissions::NONE, org: Permissions::of(&[Permission::UserReset]) };
    let made = world.loader.create_client(&scope, &giver, client(ClientKind::ApiKey, resets), world.now);
    assert!(matches!(made, Err(LoaderFault::Give(_))), "no key resets people");
    let from = [AddressRange::parse("10.0.0.0/8").expect("a range")].into();
    let until_ms = world.now + 1_000;
    let asked = ClientAsked { from, until_ms, ..client(ClientKind::ApiKey, viewer()) };
    let (_, key) = world.loader.create_client(&scope, &giver, asked, world.now).expect("made");
    let good = |address: [u8; 4], at| world.loader.api_key(&key, address.into(), 1, at).expect("reads").is_some();
    assert!(good([10, 1, 2, 3], world.now) && !good([192, 0, 2, 1], world.now) && good([10, 1, 2, 3], world.now));
    assert!(!good([10, 1, 2, 3], world.now + 1_000), "it has ended");
}

//! What waits in the outbox, and what links to addresses do.

use std::ops::ControlFlow;

use linchpin_storage::schema::{MailKey, OutboxMail};

use super::{World, email, org};
use crate::access::right;
use crate::account::{GivenSecret, SecretKind};
use crate::audit::By;
use crate::limits;
use crate::loader::LoaderFault;
use crate::loader::invite::{InviteAsked, Joining};
use crate::mail::MailKind;
use zeroize::Zeroizing;

fn password() -> Zeroizing<String> {
    Zeroizing::new("$argon2id$none".to_owned())
}

fn joining(name: &str) -> Joining {
    Joining { name: name.into(), password: password(), consents: vec![(1, 1)] }
}

/// What waits: what it is about, whom to, and the secret of its link.
fn waiting(world: &World) -> Vec<(MailKind, String, Option<GivenSecret>)> {
    let mut found = Vec::new();
    world
        .store
        .scan::<OutboxMail>(|_, mail| {
            let secret = mail.fields.iter().find(|(name, _)| &**name == "token").map(|(_, text)| text);
            let secret = secret.map(|text| GivenSecret::parse(SecretKind::Invite, text).expect("a secret"));
            found.push((MailKind::of_number(mail.kind).expect("known"), mail.to.to_string(), secret));
            ControlFlow::Continue(())
        })
        .expect("reads");
    found
}

fn secret_of(world: &World, kind: MailKind, to: &str) -> GivenSecret {
    let found = waiting(world).into_iter().rev().find(|(known, address, _)| *known == kind && address == to);
    found.and_then(|(.., secret)| secret).unwrap_or_else(|| panic!("no {kind:?}"))
}

#[test]
fn an_invitation_and_its_mail_are_one_change() {
    let (world, admin) = World::new("mails");
    let asker = world.asker(admin);
    let scope = world.scope::<right::UserInvite>(&asker, 2);
    let asked = InviteAsked { email: email("bob@example.com"), role: 3, below: false };
    let made = world.loader.invite(&scope, &world.giver(&asker, 2), &asked, None, world.now).expect("is made");
    assert!(secret_of(&world, MailKind::Invite, "bob@example.com") == made.secret);
    let due = world.loader.due_mails(world.now).expect("reads").due;
    assert_eq!(due.len(), 1);
    let (key, _) = due[0];
    // A try that failed is not due before its time; what was sent is gone.
    world.loader.mail_later(key, world.now + 5_000).expect("is written");
    let found = world.loader.due_mails(world.now + 4_999).expect("reads");
    assert_eq!((found.due.len(), found.next_ms), (0, Some(world.now + 5_000)));
    let due = world.loader.due_mails(world.now + 5_000).expect("reads").due;
    assert_eq!((due.len(), due[0].1.tries), (1, 1));
    world.loader.mail_later(key, world.now + 9_000).expect("an older key is of nothing any more");
    world.loader.mail_gone(due[0].0).expect("is written");
    assert!(waiting(&world).is_empty());
}

#[test]
fn the_outbox_is_bounded() {
    let (world, admin) = World::new("many-mails");
    let mut batch = world.store.batch();
    let mail = OutboxMail { kind: 1, to: "a@b".into(), locale: "".into(), fields: Vec::new(), tries: 0, made_ms: 0 };
    for number in 0..limits::MAILS as u64 {
        batch.put(&MailKey::new(1, org(1), number), &mail).expect("fits");
        if number % 2_000 == 1_999 {
            let full = std::mem::replace(&mut batch, world.store.batch());
            world.store.commit(linchpin_storage::Class::A, full).expect("commits");
        }
    }
    let due = world.loader.due_mails(world.now).expect("reads").due;
    assert_eq!(due.len(), limits::MAILS_TOGETHER);
    let refused = world.loader.reset_link(By::operator(), admin, world.now);
    assert!(matches!(refused, Err(LoaderFault::Often { limit: limits::MAILS, .. })), "{refused:?}");
}

#[test]
fn an_address_changes_by_the_link_to_the_new_one() {
    let (world, admin) = World::new("address");
    let token = world.session(admin);
    let (old, new) = ("admin@example.com", "boss@example.com");
    let ask = || world.loader.ask_address(By::operator(), admin, (&email(new), password()), world.now);
    ask().expect("is asked");
    let first = secret_of(&world, MailKind::AddressConfirm, new);
    ask().expect("is asked again");
    let (confirm, stop) =
        (secret_of(&world, MailKind::AddressConfirm, new), secret_of(&world, MailKind::AddressStop, old));
    let by = By::system;
    let spent = |result| assert!(matches!(result, Err(LoaderFault::Spent)), "{result:?}");
    spent(world.loader.confirm_address(by(), &first, world.now));
    spent(world.loader.confirm_address(by(), &stop, world.now));
    spent(world.loader.stop_address(by(), &confirm, world.now));
    spent(world.loader.confirm_address(by(), &confirm, world.now + limits::VERIFY_MS));
    assert!(world.try_asker(&token, world.now).is_some(), "asking ends nothing");
    world.loader.confirm_address(by(), &confirm, world.now).expect("is good");
    assert!(world.loader.find_person(&email(old)).expect("reads").is_none());
    let person = world.loader.find_person(&email(new)).expect("reads").expect("is there");
    assert_eq!((person.id, person.account.verified_ms), (admin, world.now));
    assert!(world.try_asker(&token, world.now).is_none(), "all sessions have ended");
    spent(world.loader.confirm_address(by(), &confirm, world.now));
    spent(world.loader.stop_address(by(), &stop, world.now));
}

#[test]
fn the_old_mailbox_stops_a_change_of_address_and_ends_sessions() {
    let (world, admin) = World::new("stop");
    let token = world.session(admin);
    world.loader.ask_address(By::operator(), admin, (&email("eve@example.com"), password()), world.now).expect("asks");
    let confirm = secret_of(&world, MailKind::AddressConfirm, "eve@example.com");
    let stop = secret_of(&world, MailKind::AddressStop, "admin@example.com");
    world.loader.stop_address(By::system(), &stop, world.now).expect("is good");
    assert!(world.try_asker(&token, world.now).is_none());
    let spent = world.loader.confirm_address(By::system(), &confirm, world.now);
    assert!(matches!(spent, Err(LoaderFault::Spent)));
    assert!(world.loader.find_person(&email("admin@example.com")).expect("reads").is_some());
}

#[test]
fn threat_7_an_address_that_somebody_has_is_not_told() {
    let (world, admin) = World::new("taken");
    world.person(2, "bob@example.com", 3, false);
    world
        .loader
        .ask_address(By::operator(), admin, (&email("Bob@example.com"), password()), world.now)
        .expect("as ever");
    assert_eq!(waiting(&world).iter().map(|mail| mail.0).collect::<Vec<_>>(), [MailKind::AccountExists]);
    // Neither does signing up tell it.
    let sign_up = |address: &str| world.loader.sign_up(By::system(), org(2), (&email(address), "de"), world.now);
    sign_up("bob@example.com").expect("as ever");
    sign_up("new@example.com").expect("as ever");
    assert_eq!(waiting(&world).iter().filter(|mail| mail.0 == MailKind::AccountExists).count(), 2);
    let link = secret_of(&world, MailKind::Register, "new@example.com");
    // Of two links the newer one is good.
    sign_up("NEW@example.com").expect("as ever");
    let accept = |secret: &GivenSecret| world.loader.accept(By::system(), secret, None, &joining("New"), world.now);
    assert!(matches!(accept(&link), Err(LoaderFault::Spent)));
    let made = accept(&secret_of(&world, MailKind::Register, "NEW@example.com")).expect("is good");
    assert_eq!(&*world.loader.consents(made).expect("reads")[0].2.source, "sign-up");
    let asker = world.asker(made);
    assert!(world.loader.admit::<right::DeviceView>(&asker, org(2), world.now).is_ok(), "a User of the organization");
    assert!(world.loader.admit::<right::UserView>(&asker, org(2), world.now).is_err());
    // One address is not flooded.
    let before = waiting(&world).len();
    for _ in 0..2 * limits::MAILS_PER_ADDRESS {
        sign_up("flood@example.com").expect("as ever");
    }
    assert_eq!(waiting(&world).len() - before, limits::MAILS_PER_ADDRESS as usize);
}

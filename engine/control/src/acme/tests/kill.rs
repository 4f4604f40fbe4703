//! A server that is killed at any step goes on, without a lost key, a second order or a second account.

use super::world::{Bad, DAY_S, HOUR_S, Kill, World, wanted};
use crate::acme::line::Wishes;
use linchpin_tls::KeyKind;

/// Run `act` to its end once undisturbed, then killed before and after each of its effects.
fn killed_everywhere(make: impl Fn() -> World, act: impl Fn(&mut World), check: impl Fn(&World, Option<Kill>)) {
    let mut world = make();
    let begin = world.effects;
    act(&mut world);
    check(&world, None);
    let count = world.effects - begin;
    assert!(count >= 12, "only {count} effects");
    for at in begin..begin + count {
        for after in [false, true] {
            let kill = Kill { at, after };
            let mut world = make();
            world.kill = Some(kill);
            act(&mut world);
            assert!(world.killed, "{kill:?}");
            check(&world, Some(kill));
        }
    }
}

#[test]
fn the_first_order_survives_a_kill_at_every_step() {
    let make = || World::new(vec![wanted("node.example", &[KeyKind::Ecdsa, KeyKind::Rsa])], 1);
    killed_everywhere(
        make,
        |world| world.run(6 * HOUR_S),
        |world, kill| {
            assert_eq!(world.served.len(), 2, "{kill:?}");
            for (line, held) in &world.served {
                let text = format!("certificate {} of {}", line + 1, *held.certificate.key_pem);
                let of = held.certificate.chain_pem.split_once(" of ").expect("it names its key").1;
                assert_eq!(of, held.certificate.key_pem.as_str(), "{kill:?}: {text}");
            }
            assert_eq!(world.authorities[0].orders.len(), 2, "{kill:?}: one order for each kind of key");
            assert_eq!(world.authorities[0].accounts.len(), 1, "{kill:?}");
        },
    );
}

#[test]
fn a_renewal_survives_a_kill_at_every_step_and_the_old_certificate_stays_for_a_rollback() {
    killed_everywhere(
        || World::with_certificate(1).until_due(),
        |world| world.run(DAY_S),
        |world, kill| {
            assert_eq!(world.authorities[0].orders.len(), 1, "{kill:?}");
            let line = &world.orders.lines()[0];
            let (current, previous) = (line.current.as_ref().expect("one"), line.previous.as_ref().expect("one"));
            assert_eq!(&world.served[&0], current, "{kill:?}");
            assert!(previous.certificate.issued_s < current.certificate.issued_s, "{kill:?}");
        },
    );
}

#[test]
fn a_rollback_serves_the_certificate_before_and_stays_for_a_day() {
    let mut world = World::with_certificate(1).until_due();
    let first = world.served[&0].clone();
    world.run(DAY_S);
    let second = world.served[&0].clone();
    assert_ne!(first, second);
    world.wish(Wishes { roll_back: true, ..Wishes::default() });
    assert_eq!(world.served[&0], first);
    world.restart();
    assert_eq!(world.served[&0], first, "after a restart, too");
    world.run(23 * HOUR_S);
    assert_eq!(world.served[&0], first);
    world.wish(Wishes { roll_back: true, ..Wishes::default() });
    assert_eq!(world.served[&0], second, "and back");
}

#[test]
fn a_revoked_certificate_is_replaced_at_once_and_never_served_again() {
    let mut world = World::with_certificate(1);
    let first = world.served[&0].clone();
    world.wish(Wishes { revoke: Some(1), ..Wishes::default() });
    world.run(HOUR_S);
    assert_eq!(world.authorities[0].revoked, 1);
    let second = world.served[&0].clone();
    assert_ne!(second.certificate.key_pem, first.certificate.key_pem);
    world.wish(Wishes { roll_back: true, ..Wishes::default() });
    assert_eq!(world.served[&0], second, "what is revoked does not come back");
    assert!(world.said.iter().any(|line| line.contains("no rollback")), "{:?}", world.said);
}

#[test]
fn a_revocation_after_a_rollback_does_not_wait_for_a_day() {
    let mut world = World::with_certificate(1).until_due();
    world.run(DAY_S);
    let second = world.served[&0].clone();
    world.wish(Wishes { roll_back: true, ..Wishes::default() });
    let first = world.served[&0].clone();
    assert_ne!(first, second);
    world.wish(Wishes { revoke: Some(1), ..Wishes::default() });
    world.run(HOUR_S);
    let third = &world.served[&0].certificate.key_pem;
    assert!(*third != first.certificate.key_pem && *third != second.certificate.key_pem, "{:?}", world.said);
}

#[test]
fn an_operator_can_order_while_the_calendar_waits() {
    let mut world = World::with_certificate(1);
    let first = world.served[&0].clone();
    world.authorities[0].bad = Bad::Error500;
    world.wish(Wishes { renew: true, ..Wishes::default() });
    world.run(HOUR_S);
    assert_eq!(world.served[&0], first);
    world.authorities[0].bad = Bad::No;
    world.wish(Wishes { renew: true, ..Wishes::default() });
    world.run(600);
    assert_ne!(world.served[&0], first);
    assert_eq!(world.authorities[0].orders.len(), 1, "one wish, one order");
    world.run(30 * DAY_S);
    assert_eq!(world.authorities[0].orders.len(), 1);
}

#[test]
fn an_operator_can_order_while_it_waits_after_an_order_that_failed() {
    let mut world = World::with_certificate(1).until_due();
    world.authorities[0].bad = Bad::AnotherKey;
    let waits = |world: &World| {
        let state = &world.orders.lines()[0].state;
        state.order.is_none() && state.not_before_s > world.now_s + 900
    };
    for _ in 0..50 {
        if !waits(&world) {
            world.wish(Wishes { renew: true, ..Wishes::default() });
            world.run(20);
        }
    }
    assert!(waits(&world), "{:?}", world.said.last());
    let first = world.served[&0].clone();
    world.authorities[0].bad = Bad::No;
    world.wish(Wishes { renew: true, ..Wishes::default() });
    world.run(600);
    assert_ne!(world.served[&0], first, "the wish goes before the wait");
}

//! Whatever the authority does: the certificate that works serves on, and the authority is not pestered.

use super::world::{Bad, DAY_S, HOUR_S, START_S, World, wanted};
use crate::acme::line::{Alarm, Wishes};
use linchpin_tls::KeyKind;

const ALL: [Bad; 13] = [
    Bad::Error500,
    Bad::Limited(3_600),
    Bad::Hangs,
    Bad::NoncesFail,
    Bad::Window(0, 1),
    Bad::Window(4_102_444_800, 4_102_448_400),
    Bad::AlreadyReplaced,
    Bad::AnotherKey,
    Bad::NoDeviceRoot,
    Bad::Processing(3_600),
    Bad::Disbelieves,
    Bad::NeverLooks,
    Bad::Forgets,
];

#[test]
fn the_old_certificate_serves_on_and_orders_are_few_in_seven_days() {
    for bad in ALL {
        let mut world = World::with_certificate(1).until_due();
        let before = world.served[&0].clone();
        world.authorities[0].bad = bad;
        let from_s = world.now_s;
        for _ in 0..7 * 24 {
            world.run(HOUR_S);
            let served = &world.served[&0];
            assert!(served.is_valid(world.now_s) && served.reaches, "{bad:?}");
            assert_eq!(
                served.certificate.key_pem,
                world.orders.lines()[0].current.as_ref().expect("one").certificate.key_pem
            );
        }
        let orders = world.ordered_since(0, from_s);
        assert!(orders <= 5, "{bad:?}: {orders} orders in seven days");
        let works = matches!(bad, Bad::Window(..) | Bad::AlreadyReplaced | Bad::Processing(_));
        assert_eq!(world.served[&0] != before, works, "{bad:?}");
        // An authority that wants every certificate renewed at once gets one a day, until the week's five are used up.
        let most = if bad == Bad::Window(0, 1) { 5 } else { 1 };
        assert!(!works || (1..=most).contains(&orders), "{bad:?}: {orders}");
        // A day after the authority is well again there is a new certificate, whatever was before.
        world.authorities[0].bad = Bad::No;
        world.run(7 * DAY_S);
        assert_ne!(world.served[&0], before, "{bad:?}");
        assert_eq!(world.orders.lines()[0].state.failures, 0, "{bad:?}");
    }
}

#[test]
fn after_five_orders_that_failed_there_is_none_in_the_hour() {
    for bad in [Bad::Disbelieves, Bad::AnotherKey] {
        let mut world = World::new(vec![wanted("node.example", &[KeyKind::Ecdsa])], 1);
        world.authorities[0].bad = bad;
        // An operator who insists gets five within minutes.
        for _ in 0..20 {
            if world.authorities[0].orders.len() < 5 || world.orders.lines()[0].state.order.is_some() {
                world.wish(Wishes { renew: true, ..Wishes::default() });
                world.run(60);
            }
        }
        let before = world.authorities[0].orders.len();
        assert!(before >= 5, "{bad:?}: {before}");
        world.run(HOUR_S);
        assert_eq!(world.authorities[0].orders.len(), before, "{bad:?}");
    }
}

#[test]
fn a_retry_after_is_obeyed_to_the_second_and_over_restarts() {
    let mut world = World::with_certificate(1).until_due();
    world.authorities[0].bad = Bad::Limited(5_000);
    world.run(2 * HOUR_S);
    let first_s = world.authorities[0].calls.iter().find(|call| call.1 == "order").expect("it was ordered").0;
    world.restart();
    world.run(4 * HOUR_S);
    let times: Vec<u64> =
        world.authorities[0].calls.iter().filter(|call| call.1 == "order").map(|call| call.0).collect();
    assert!(times.len() >= 3, "{times:?}");
    assert_eq!(times[0], first_s);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 5_000), "{times:?}");
}

#[test]
fn failures_wait_longer_and_longer_and_restarts_do_not_shorten_that() {
    let mut world = World::with_certificate(1).until_due();
    world.authorities[0].bad = Bad::Error500;
    for _ in 0..24 * 60 {
        world.run(60);
        world.restart();
    }
    let times: Vec<u64> =
        world.authorities[0].calls.iter().filter(|call| call.1 == "order").map(|call| call.0).collect();
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let expected = [60, 120, 300, 600, 1_200, 1_800, 3_600, 10_800];
    assert!(waits.len() >= expected.len(), "{waits:?}");
    for (wait, expected) in waits.iter().zip(expected) {
        assert!((expected..expected + 61).contains(wait), "{waits:?}");
    }
    assert!(waits[8..].iter().all(|wait| (17_280..25_981).contains(wait)), "{waits:?}");
}

#[test]
fn a_write_that_fails_stops_ordering_until_one_succeeds() {
    let mut world = World::with_certificate(1).until_due();
    let before = world.served[&0].clone();
    world.disk.is_full = true;
    world.run(3 * DAY_S);
    assert!(world.orders.is_halted());
    assert_eq!(world.authorities[0].orders.len(), 0, "nothing was ordered");
    assert_eq!(world.served[&0], before);
    world.disk.is_full = false;
    world.run(HOUR_S);
    assert!(!world.orders.is_halted());
    assert_eq!(world.authorities[0].orders.len(), 1);
    assert_ne!(world.served[&0], before);
}

#[test]
fn a_chain_without_a_device_root_never_replaces_one_with_but_serves_where_nothing_does() {
    let mut world = World::with_certificate(1).until_due();
    world.authorities[0].bad = Bad::NoDeviceRoot;
    world.run(DAY_S);
    assert!(world.served[&0].reaches);
    assert!(world.alarms.iter().any(|alarm| alarm.2 == Alarm::NoDeviceRoot), "{:?}", world.alarms);
    // When the old one has ended, a certificate that some clients can use is better than none.
    world.run(60 * DAY_S);
    assert!(!world.served[&0].reaches && world.served[&0].is_valid(world.now_s));
    let mut fresh = World::new(vec![wanted("node.example", &[KeyKind::Ecdsa])], 1);
    fresh.authorities[0].bad = Bad::NoDeviceRoot;
    fresh.run(HOUR_S);
    assert!(!fresh.served[&0].reaches);
    assert_eq!(fresh.orders.lines()[0].alarm, Alarm::NoDeviceRoot);
}

#[test]
fn the_second_authority_comes_in_after_half_of_the_time_that_is_left() {
    let mut world = World::with_certificate(2).until_due();
    let before = world.served[&0].clone();
    world.authorities[0].bad = Bad::Error500;
    let left_s = before.not_after_s - world.now_s - HOUR_S;
    world.run(left_s / 2 - DAY_S);
    assert_eq!(world.served[&0], before);
    assert!(world.authorities[1].calls.is_empty(), "{:?}", world.authorities[1].calls);
    world.run(2 * DAY_S);
    assert_ne!(world.served[&0], before);
    assert_eq!(&*world.served[&0].certificate.directory, "https://ca1/dir");
    // Back at the first one as soon as it works.
    world.authorities[0].bad = Bad::No;
    world.run(70 * DAY_S);
    assert_eq!(&*world.served[&0].certificate.directory, "https://ca0/dir");
}

#[test]
fn a_new_server_is_helped_by_the_second_authority_at_once() {
    let mut world = World::new(vec![wanted("node.example", &[KeyKind::Ecdsa])], 2);
    world.authorities[0].bad = Bad::Hangs;
    world.run(HOUR_S);
    assert_eq!(&*world.served[&0].certificate.directory, "https://ca1/dir");
}

#[test]
fn an_account_that_the_authority_forgot_is_registered_again_with_its_key() {
    let mut world = World::with_certificate(1).until_due();
    let keys = world.authorities[0].accounts.clone();
    world.authorities[0].bad = Bad::NoAccount;
    world.run(DAY_S);
    assert!(world.served[&0].certificate.issued_s > START_S + DAY_S);
    assert_eq!(world.authorities[0].accounts, keys, "no second account");
}

#[test]
fn alarms_come_at_a_third_and_a_sixth_and_at_the_end() {
    let mut world = World::with_certificate(1).until_due();
    world.alarms.clear();
    world.authorities[0].bad = Bad::Error500;
    let end_s = world.served[&0].not_after_s;
    world.run(40 * DAY_S);
    let lifetime_s = 90 * DAY_S;
    let seen: Vec<(Alarm, u64)> = world.alarms.iter().map(|alarm| (alarm.2, end_s.saturating_sub(alarm.0))).collect();
    let kinds: Vec<Alarm> = seen.iter().map(|alarm| alarm.0).collect();
    assert_eq!(kinds, [Alarm::Late, Alarm::Urgent, Alarm::Nothing], "{seen:?}");
    assert!(
        seen[0].1 <= lifetime_s / 3 && seen[1].1 <= lifetime_s / 6 && seen[1].1 > lifetime_s / 6 - DAY_S,
        "{seen:?}"
    );
}

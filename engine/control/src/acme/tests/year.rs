//! A year of renewals.

use super::world::{Bad, DAY_S, HOUR_S, World, wanted};
use linchpin_tls::KeyKind;

#[test]
fn something_valid_is_served_all_year_with_as_few_orders_as_it_takes() {
    for (days, orders) in [(90, 5..=8), (45, 10..=14)] {
        let mut world = World::new(vec![wanted("node.example", &[KeyKind::Ecdsa])], 1);
        world.authorities[0].lifetime_s = days * DAY_S;
        world.run(HOUR_S);
        for _ in 0..365 {
            world.run(DAY_S);
            let held = &world.served[&0];
            assert!(held.is_valid(world.now_s) && held.not_after_s - world.now_s > days * DAY_S / 4, "{days}");
        }
        let count = world.authorities[0].orders.len();
        assert!(orders.contains(&count), "{days} days: {count} orders");
    }
}

#[test]
fn a_pair_with_short_lives_stays_within_five_orders_a_week() {
    let mut world = World::new(vec![wanted("192.0.2.7", &[KeyKind::Ecdsa, KeyKind::Rsa])], 1);
    world.authorities[0].lifetime_s = 160 * HOUR_S;
    world.run(HOUR_S);
    for _ in 0..90 * 4 {
        world.run(6 * HOUR_S);
        assert!(world.served.values().all(|held| held.is_valid(world.now_s)));
    }
    let mut times: Vec<u64> = world.authorities[0].orders.values().map(|order| order.at_s).collect();
    times.sort_unstable();
    for (at, time) in times.iter().enumerate() {
        let week = times[at..].iter().take_while(|later| **later < time + 7 * DAY_S).count();
        assert!(week <= 5, "{week} orders in a week");
    }
}

#[test]
fn the_authority_says_when_and_a_moment_in_its_window_is_taken() {
    let mut taken = Vec::new();
    for seed in 0..4 {
        let mut world = World::with_certificate(1);
        world.seed = seed;
        world.restart();
        let before = world.served[&0].clone();
        let (start_s, end_s) = (world.now_s + 20 * DAY_S, world.now_s + 22 * DAY_S);
        world.authorities[0].bad = Bad::Window(start_s, end_s);
        world.run(DAY_S);
        let planned_s = world.orders.lines()[0].state.renew_s;
        world.restart();
        world.run(10 * DAY_S);
        assert_eq!(world.orders.lines()[0].state.renew_s, planned_s, "asked again, it stays");
        while world.served[&0] == before {
            world.run(HOUR_S);
        }
        let issued_s = world.served[&0].certificate.issued_s;
        assert_ne!(world.served[&0], before);
        assert!((start_s..end_s + 3_600).contains(&issued_s), "{issued_s}");
        taken.push(issued_s - start_s);
        let asked: Vec<u64> = world.authorities[0].calls.iter().filter(|c| c.1 == "window").map(|c| c.0).collect();
        assert!(asked.windows(2).filter(|pair| pair[1] - pair[0] < 21_600).count() <= 1, "as often as it said");
    }
    taken.dedup();
    assert!(taken.len() > 1, "not always the same moment: {taken:?}");
}

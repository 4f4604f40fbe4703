//! The pure parts of the calendar.

use super::world::{DAY_S, START_S, World};
use crate::acme::calendar::{back_off_s, due_s, wait_s};

#[test]
fn back_off_is_the_documented_one_and_bounded() {
    let waits: Vec<u64> = (1..=9).map(|failures| back_off_s(failures, 0)).collect();
    assert_eq!(waits, [60, 120, 300, 600, 1_200, 1_800, 3_600, 10_800, 17_280]);
    for failures in [9, 100, u32::MAX] {
        for random in [0, 1, 77, u64::MAX] {
            assert!((17_280..25_920).contains(&back_off_s(failures, random)), "6 h, plus or minus a fifth");
        }
    }
    assert_eq!(back_off_s(0, 5), 60);
}

#[test]
fn a_retry_after_counts_within_bounds() {
    assert_eq!(wait_s(9, Some(3_600), 0), 3_600);
    assert_eq!(wait_s(1, Some(0), 0), 60);
    assert_eq!(wait_s(1, Some(u64::MAX), 0), 7 * DAY_S);
}

#[test]
fn a_certificate_is_due_after_two_thirds_and_a_short_one_after_half() {
    let world = World::with_certificate(1);
    let mut line = world.orders.lines()[0].clone();
    let held = line.current.as_mut().expect("one");
    (held.not_before_s, held.not_after_s) = (START_S, START_S + 90 * DAY_S);
    assert!((START_S + 58 * DAY_S..=START_S + 60 * DAY_S).contains(&due_s(&line)));
    line.current.as_mut().expect("one").not_after_s = START_S + 160 * 3_600;
    assert!((START_S + 76 * 3_600..=START_S + 80 * 3_600).contains(&due_s(&line)));
    line.state.renew_s = START_S + 1_000 * DAY_S;
    assert_eq!(due_s(&line), START_S + 120 * 3_600, "at three quarters at the latest");
    line.current.as_mut().expect("one").certificate.revoked = true;
    assert_eq!(due_s(&line), 0);
    line.current = None;
    assert_eq!(due_s(&line), 0);
}

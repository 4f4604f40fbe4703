//! How often sign-in may fail: by address, and by account. Pure; time is an argument.
//!
//! By address (an IPv6 /64 counts as one): five failures within ten minutes, and for ten minutes no password is looked at
//! that comes from there. Attempts are counted *before* the password is hashed, so that fifty at once are five, and what
//! comes during a block does not make it longer. By account: a ladder of growing pauses between attempts, also for
//! accounts that there are not.
//!
//! Both tables have a fixed size. A full set of places gives up the one that was used longest ago.

use std::net::IpAddr;

use linchpin_protocol::model::DAY_MS;

use crate::limits;

/// Try again after so long, ms; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// How long.
    pub retry_ms: u64,
    /// By what.
    pub by: BlockedBy,
}

/// What blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockedBy {
    /// Too many failures from this address.
    Address,
    /// Too many at once from this address.
    Parallel,
    /// Too many failures of this account.
    Account,
}

/// Who is counted: an address, a known browser, an account.
type Key = u128;

/// The key of an address.
#[must_use]
pub const fn address_key(address: IpAddr) -> Key {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(v4) => v4.to_ipv6_mapped().to_bits(),
            None => address.to_bits() >> 64 << 64,
        },
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    key: Key,
    /// When it was used last; 0: empty.
    used_ms: u64,
    /// Failures within the window, oldest first; 0: none.
    failed_ms: [u64; limits::SIGN_IN_FAILURES],
    /// Nothing before this.
    blocked_until_ms: u64,
    /// Attempts under way.
    running: u8,
    /// Of an account: failures on the ladder.
    rung: u32,
}

/// Sets of places, found by key.
#[derive(Debug)]
struct Places {
    places: Vec<Place>,
    seed: u64,
}

const WAYS: usize = 8;

impl Places {
    fn new(places: usize, seed: u64) -> Self {
        Self { places: vec![Place::default(); places.next_multiple_of(WAYS)], seed }
    }

    /// The place of a key; the one that was used longest ago gives way, those that block last.
    fn of(&mut self, key: Key, now_ms: u64) -> &mut Place {
        let mixed = (key as u64 ^ (key >> 64) as u64 ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let sets = self.places.len() / WAYS;
        let begin = (mixed >> 32) as usize % sets * WAYS;
        let set = &mut self.places[begin..begin + WAYS];
        let at = set.iter().position(|place| place.used_ms != 0 && place.key == key).unwrap_or_else(|| {
            let worth = |place: &Place| (place.blocked_until_ms > now_ms, place.running > 0, place.used_ms);
            let at = (0..WAYS).min_by_key(|at| worth(&set[*at])).unwrap_or(0);
            set[at] = Place { key, ..Place::default() };
            at
        });
        set[at].used_ms = now_ms.max(1);
        &mut set[at]
    }
}

/// An attempt that was let through: to be given back with its outcome.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    address: Key,
    account: Key,
    /// Does the ladder of the account count it?
    on_ladder: bool,
}

/// See the module's page.
#[derive(Debug)]
pub struct Throttle {
    addresses: Places,
    accounts: Places,
}

impl Throttle {
    /// Empty; the seed keeps others from choosing who shares their place.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            addresses: Places::new(limits::SIGN_IN_ADDRESSES, seed),
            accounts: Places::new(limits::SIGN_IN_ACCOUNTS, seed.rotate_left(32)),
        }
    }

    /// May a password be looked at? `browser`: the mark of a browser that this account has signed in with, if the setting
    /// lets it have a count of its own. `is_known`: there is such a mark, whatever the setting.
    ///
    /// # Errors
    /// [`Blocked`].
    pub fn begin(
        &mut self,
        now_ms: u64,
        address: IpAddr,
        account: Key,
        browser: Option<Key>,
        is_known: bool,
    ) -> Result<Attempt, Blocked> {
        let address = browser.unwrap_or_else(|| address_key(address));
        let place = self.addresses.of(address, now_ms);
        if place.blocked_until_ms > now_ms {
            return Err(Blocked { retry_ms: place.blocked_until_ms - now_ms, by: BlockedBy::Address });
        }
        let recent = place.failed_ms.iter().filter(|at| is_recent(**at, now_ms)).count();
        if recent + usize::from(place.running) >= limits::SIGN_IN_FAILURES {
            return Err(Blocked { retry_ms: limits::SIGN_IN_PARALLEL_MS, by: BlockedBy::Parallel });
        }
        if !is_known {
            let ladder = self.accounts.of(account, now_ms);
            if ladder.blocked_until_ms > now_ms {
                return Err(Blocked { retry_ms: ladder.blocked_until_ms - now_ms, by: BlockedBy::Account });
            }
            // The next attempt waits for this one's outcome, or for the pause that it would cost.
            ladder.blocked_until_ms = now_ms + rest_ms(ladder.rung + 1, now_ms);
        }
        self.addresses.of(address, now_ms).running += 1;
        Ok(Attempt { address, account, on_ladder: !is_known })
    }

    /// What came of it. A failure that is not the password's (a full queue) counts as nothing.
    #[expect(clippy::needless_pass_by_value, reason = "an attempt ends once")]
    pub fn end(&mut self, now_ms: u64, attempt: Attempt, outcome: AttemptEnd) {
        let Attempt { address, account, on_ladder } = attempt;
        let place = self.addresses.of(address, now_ms);
        place.running = place.running.saturating_sub(1);
        if outcome == AttemptEnd::Failed && place.blocked_until_ms <= now_ms {
            place.failed_ms.rotate_left(1);
            place.failed_ms[limits::SIGN_IN_FAILURES - 1] = now_ms;
            if place.failed_ms.iter().all(|at| is_recent(*at, now_ms)) {
                place.blocked_until_ms = now_ms + limits::SIGN_IN_BLOCK_MS;
                place.failed_ms = Default::default();
            }
        }
        if on_ladder {
            let ladder = self.accounts.of(account, now_ms);
            match outcome {
                AttemptEnd::Failed => {
                    ladder.rung = ladder.rung.saturating_add(1);
                    ladder.blocked_until_ms = now_ms + rest_ms(ladder.rung, now_ms);
                }
                AttemptEnd::Passed => (ladder.rung, ladder.blocked_until_ms) = (0, 0),
                AttemptEnd::Void => ladder.blocked_until_ms = now_ms,
            }
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The password was right.
    Passed,
    /// It was wrong, or there is no such account.
    Failed,
    /// It was not looked at.
    Void,
}

const fn is_recent(at_ms: u64, now_ms: u64) -> bool {
    at_ms != 0 && now_ms < at_ms + limits::SIGN_IN_WINDOW_MS
}

/// The pause after so many failures of an account; the last rung holds until the day ends.
const fn rest_ms(failures: u32, now_ms: u64) -> u64 {
    match failures {
        0 => 0,
        1..3 => 1_000,
        3..9 => 3_000,
        9..25 => 5_000,
        25..100 => 10_000,
        _ => DAY_MS - now_ms % DAY_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// One wrong password, each of another account.
    fn fail(throttle: &mut Throttle, now_ms: u64, from: &str, account: u128) -> Result<(), Blocked> {
        let attempt = throttle.begin(now_ms, address(from), account, None, false)?;
        throttle.end(now_ms, attempt, AttemptEnd::Failed);
        Ok(())
    }

    #[test]
    fn five_failures_from_an_address_are_ten_minutes() {
        let mut throttle = Throttle::new(1);
        for n in 0..5 {
            assert_eq!(fail(&mut throttle, NOW + n, "192.0.2.1", n.into()), Ok(()));
        }
        let blocked = |retry_ms| Err(Blocked { retry_ms, by: BlockedBy::Address });
        assert_eq!(fail(&mut throttle, NOW + 4, "192.0.2.1", 9), blocked(600_000));
        // What comes meanwhile does not make it longer.
        assert_eq!(fail(&mut throttle, NOW + 300_004, "192.0.2.1", 9), blocked(300_000));
        assert_eq!(fail(&mut throttle, NOW + 300_004, "192.0.2.2", 10), Ok(()), "others are not concerned");
        assert_eq!(fail(&mut throttle, NOW + 600_004, "192.0.2.1", 9), Ok(()));
        // Failures that are older than the window do not count.
        for n in 0..8 {
            assert_eq!(fail(&mut throttle, NOW + n * 200_000, "192.0.2.3", 100 + u128::from(n)), Ok(()));
        }
    }

    #[test]
    fn a_v6_network_is_one_address_and_mapped_v4_is_v4() {
        let mut throttle = Throttle::new(1);
        for n in 0..5 {
            assert_eq!(fail(&mut throttle, NOW, &format!("2001:db8:0:1::{n}"), n), Ok(()));
        }
        assert!(fail(&mut throttle, NOW, "2001:db8:0:1:ffff::", 9).is_err());
        assert!(fail(&mut throttle, NOW, "2001:db8:0:2::", 9).is_ok());
        assert_eq!(address_key(address("::ffff:192.0.2.1")), address_key(address("192.0.2.1")));
    }

    #[test]
    fn threat_10_fifty_at_once_are_five() {
        let mut throttle = Throttle::new(1);
        let begun: Vec<_> =
            (0..50).filter_map(|n| throttle.begin(NOW, address("192.0.2.1"), n, None, false).ok()).collect();
        assert_eq!(begun.len(), 5);
        begun.into_iter().for_each(|attempt| throttle.end(NOW, attempt, AttemptEnd::Failed));
        assert!(matches!(
            throttle.begin(NOW + 1, address("192.0.2.1"), 1, None, false),
            Err(Blocked { by: BlockedBy::Address, .. })
        ));
        // Right passwords do not use the five up, and neither does a full queue.
        for _ in 0..20 {
            for outcome in [AttemptEnd::Passed, AttemptEnd::Void] {
                let attempt = throttle.begin(NOW, address("192.0.2.9"), 77, None, false).expect("may go on");
                throttle.end(NOW, attempt, outcome);
            }
        }
    }

    #[test]
    fn an_account_has_a_ladder_wherever_it_is_tried_from() {
        let mut throttle = Throttle::new(1);
        let mut now = NOW - NOW % 86_400_000;
        let mut pauses = Vec::new();
        for n in 0..100u32 {
            let from = format!("10.{}.{}.1", n / 200, n % 200);
            assert_eq!(fail(&mut throttle, now, &from, 5), Ok(()), "{n}");
            let refused = fail(&mut throttle, now, "10.9.9.9", 5).expect_err("too soon");
            assert_eq!(refused.by, BlockedBy::Account);
            pauses.push(refused.retry_ms);
            now += refused.retry_ms;
        }
        assert_eq!((pauses[0], pauses[2], pauses[8], pauses[24]), (1_000, 3_000, 5_000, 10_000));
        assert!(pauses[99] > 3_600_000, "until the day ends");
        // The person's own browser is not locked out by somebody else's attempts.
        let attempt = throttle.begin(now - 1, address("10.8.8.8"), 5, None, true).expect("a known browser");
        throttle.end(now, attempt, AttemptEnd::Passed);
    }

    #[test]
    fn tables_do_not_grow_and_blocks_are_given_up_last() {
        let mut throttle = Throttle::new(7);
        for n in 0..5 {
            assert_eq!(fail(&mut throttle, NOW, "192.0.2.1", n), Ok(()));
        }
        let size = throttle.addresses.places.len();
        for n in 0..200_000u32 {
            let from = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
            if let Ok(attempt) = throttle.begin(NOW + 1, from, n.into(), None, true) {
                throttle.end(NOW + 1, attempt, AttemptEnd::Passed);
            }
        }
        assert_eq!(throttle.addresses.places.len(), size);
        assert!(fail(&mut throttle, NOW + 2, "192.0.2.1", 9).is_err(), "still blocked");
    }
}

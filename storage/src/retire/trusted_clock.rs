//! Which time may expire records. The wall clock of a machine with an empty battery or a wrong hypervisor may be years
//! ahead for minutes, and what it expires then is gone for ever. So the newest time that was trusted is stored, and a clock
//! that is further ahead of it than time can have passed expires nothing by its own word.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::hmac;

use crate::disk::durable;
use crate::disk::inventory::{authentic, close};
use crate::schema::bytes::{Fields, Put as _};
use crate::settings::WallClock;
use crate::{Error, limits};

const MAGIC: &[u8; 8] = b"LPCLOK\0\x01";

/// A moment by both clocks, ms: since 1970, and since the machine started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) wall_ms: u64,
    pub(crate) uptime_ms: u64,
}

/// How far the wall clock is believed. No clock in here: moments are arguments.
#[derive(Debug)]
pub(crate) struct Trust {
    /// What was known when the store was opened, or when a time was accepted last.
    base: Moment,
    /// The newest wall time that was trusted.
    newest_ms: u64,
    /// Since when a clock that is not trusted goes as fast as the other one.
    agrees_since: Option<Moment>,
}

impl Trust {
    /// `newest_ms`: the newest time that an earlier run trusted.
    pub(crate) const fn new(newest_ms: u64, now: Moment) -> Self {
        let base = Moment { wall_ms: newest_ms, uptime_ms: now.uptime_ms };
        Self { base, newest_ms, agrees_since: None }
    }

    /// The trusted time of the base, carried on by the clock that nobody sets: never later than it is.
    const fn at_least_ms(&self, now: Moment) -> u64 {
        self.base.wall_ms + now.uptime_ms.saturating_sub(self.base.uptime_ms)
    }

    const fn is_ahead(&self, now: Moment) -> bool {
        now.wall_ms > self.at_least_ms(now) + limits::CLOCK_AHEAD_MS
    }

    /// How far the wall clock is beyond what is believed, ms; 0 if it is trusted.
    pub(crate) fn ahead_ms(&self, now: Moment) -> u64 {
        if self.is_ahead(now) { now.wall_ms - self.at_least_ms(now) } else { 0 }
    }

    /// Look at the clocks; the time that may expire records, ms since 1970.
    pub(crate) fn observe(&mut self, now: Moment) -> u64 {
        let is_behind = now.wall_ms + limits::CLOCK_AHEAD_MS < self.newest_ms;
        if !self.is_ahead(now) && !is_behind {
            self.agrees_since = None;
            self.newest_ms = self.newest_ms.max(now.wall_ms);
            return now.wall_ms;
        }
        let since = *self.agrees_since.get_or_insert(now);
        let (wall_ms, uptime_ms) =
            (now.wall_ms as i128 - since.wall_ms as i128, now.uptime_ms as i128 - since.uptime_ms as i128);
        if (wall_ms - uptime_ms).unsigned_abs() > u128::from(limits::CLOCK_DRIFT_MS) {
            // It was set again.
            self.agrees_since = Some(now);
        } else if uptime_ms >= i128::from(limits::CLOCK_AGREES_MS) {
            self.accept(now);
        }
        now.wall_ms.min(self.at_least_ms(now))
    }

    /// The wall clock is right: an operator says so, or a day has shown it.
    pub(crate) fn accept(&mut self, now: Moment) {
        (self.base, self.newest_ms, self.agrees_since) = (now, now.wall_ms, None);
    }
}

/// The clock of a store, with the file that remembers its newest trusted time.
pub(crate) struct TrustedClock {
    clock: WallClock,
    path: PathBuf,
    key: hmac::Key,
    db_id: [u8; 16],
    trust: Mutex<Trust>,
    /// The newest time in the file.
    saved_ms: Mutex<u64>,
    was_ahead: AtomicBool,
}

impl std::fmt::Debug for TrustedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustedClock({})", self.path.display())
    }
}

impl TrustedClock {
    /// `otherwise_ms`: what to trust if there is no file, as in a store of an older version or in a restored one.
    pub(crate) fn open(
        clock: WallClock,
        path: PathBuf,
        key: &hmac::Key,
        db_id: [u8; 16],
        otherwise_ms: Option<u64>,
    ) -> Result<Self, Error> {
        let now = moment(&clock);
        let stored = durable::read(&path)?.map(|bytes| {
            let newest_ms = decode(&bytes, key, &db_id);
            if newest_ms.is_none() {
                tracing::warn!("{} is not what this store wrote: a newer one replaces it", path.display());
            }
            newest_ms
        });
        let saved_ms = stored.flatten();
        let newest_ms = saved_ms.or(otherwise_ms).unwrap_or(now.wall_ms);
        let (trust, saved_ms) = (Mutex::new(Trust::new(newest_ms, now)), Mutex::new(saved_ms.unwrap_or(0)));
        Ok(Self { clock, path, key: key.clone(), db_id, trust, saved_ms, was_ahead: AtomicBool::new(false) })
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock, believed or not, ms since 1970.
    pub(crate) fn wall_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Time since the machine started, ms.
    pub(crate) fn uptime_ms(&self) -> u64 {
        self.clock.uptime_ms()
    }

    /// The time that may expire records, ms since 1970: the wall clock's, unless that is too far ahead.
    pub(crate) fn expiry_ms(&self) -> u64 {
        let now = moment(&self.clock);
        let mut trust = self.trust();
        let expiry_ms = trust.observe(now);
        let ahead_ms = trust.ahead_ms(now);
        drop(trust);
        if self.was_ahead.swap(ahead_ms > 0, Ordering::Relaxed) != (ahead_ms > 0) {
            if ahead_ms > 0 {
                tracing::warn!(
                    ahead_h = ahead_ms / 3_600_000,
                    "the clock is ahead of all that this store has seen: nothing expires by it until it has gone right for \
                     a day, or `linchpin store accept-clock` says that it is right"
                );
            } else {
                tracing::info!("the clock is trusted again: records expire as usual");
            }
        }
        expiry_ms
    }

    /// How far the wall clock is beyond what is believed, s; 0 if it is trusted.
    pub(crate) fn ahead_s(&self) -> u64 {
        let ahead_ms = self.trust().ahead_ms(moment(&self.clock));
        if ahead_ms > 0 { (ahead_ms / 1_000).max(1) } else { 0 }
    }

    /// The wall clock is right, whatever it says. Returns what it says, ms since 1970; stored when this returns.
    pub(crate) fn accept(&self) -> Result<u64, Error> {
        let now = moment(&self.clock);
        self.trust().accept(now);
        self.save(0)?;
        Ok(now.wall_ms)
    }

    /// Store the newest trusted time if it differs by so much from what is stored.
    pub(crate) fn save(&self, at_least_ms: u64) -> Result<(), Error> {
        self.expiry_ms();
        let mut saved_ms = self.saved_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let newest_ms = self.trust().newest_ms;
        if newest_ms.abs_diff(*saved_ms) <= at_least_ms {
            return Ok(());
        }
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.db_id);
        out.put_u64(newest_ms);
        durable::write_private(&self.path, &close(out, &self.key))?;
        *saved_ms = newest_ms;
        Ok(())
    }
}

fn moment(clock: &WallClock) -> Moment {
    Moment { wall_ms: clock.now_ms(), uptime_ms: clock.uptime_ms() }
}

fn decode(bytes: &[u8], key: &hmac::Key, db_id: &[u8; 16]) -> Option<u64> {
    let mut fields = Fields(authentic(bytes, key)?);
    let (magic, of): ([u8; 8], [u8; 16]) = (fields.array().ok()?, fields.array().ok()?);
    let newest_ms = fields.u64().ok()?;
    (magic == *MAGIC && of == *db_id && fields.end().is_ok()).then_some(newest_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    const NOW: u64 = 1_800_000_000_000;

    const fn at(wall_ms: u64, uptime_ms: u64) -> Moment {
        Moment { wall_ms, uptime_ms }
    }

    #[test]
    fn a_clock_that_is_years_ahead_at_the_start_expires_nothing_by_its_word() {
        for years in [1, 10] {
            let wrong = NOW + years * YEAR;
            let mut trust = Trust::new(NOW, at(wrong, 5));
            assert_eq!(trust.observe(at(wrong, 5)), NOW);
            assert_eq!(trust.observe(at(wrong + HOUR, 5 + HOUR)), NOW + HOUR, "time that has passed has passed");
            assert!(trust.ahead_ms(at(wrong + HOUR, 5 + HOUR)) > YEAR - DAY);
            // It is set right.
            assert_eq!(trust.observe(at(NOW + 2 * HOUR, 5 + 2 * HOUR)), NOW + 2 * HOUR);
            assert_eq!((trust.newest_ms, trust.ahead_ms(at(NOW + 2 * HOUR, 5 + 2 * HOUR))), (NOW + 2 * HOUR, 0));
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_while_running_is_not_followed() {
        let mut trust = Trust::new(NOW, at(NOW, 0));
        for hour in 0..100 {
            assert_eq!(trust.observe(at(NOW + hour * HOUR, hour * HOUR)), NOW + hour * HOUR);
        }
        let wrong = at(NOW + 10 * YEAR, 100 * HOUR);
        assert_eq!(trust.observe(wrong), NOW + 100 * HOUR);
        assert_eq!(trust.newest_ms, NOW + 99 * HOUR, "it is not remembered either");
        // Jumps of less than two days do not add up.
        let mut trust = Trust::new(NOW, at(NOW, 0));
        let furthest = (1..50).map(|jump| trust.observe(at(NOW + jump * 47 * HOUR, jump))).max();
        assert!(furthest < Some(NOW + 2 * DAY), "{furthest:?}");
    }

    #[test]
    fn a_clock_that_goes_right_for_a_day_is_trusted_and_one_that_is_set_again_is_not() {
        let off = 40 * DAY;
        let mut trust = Trust::new(NOW, at(NOW + off, 0));
        for minute in 0..24 * 60 {
            assert!(trust.observe(at(NOW + off + minute * 60_000, minute * 60_000)) < NOW + 2 * DAY, "{minute}");
        }
        let day = at(NOW + off + DAY, DAY);
        assert_eq!(trust.observe(day), day.wall_ms);
        assert_eq!((trust.newest_ms, trust.ahead_ms(day)), (day.wall_ms, 0));
        let mut trust = Trust::new(NOW, at(NOW + off, 0));
        for hour in 0..240 {
            // Set by two minutes every twelve hours.
            let set = hour / 12 * 120_000;
            assert!(trust.observe(at(NOW + off + hour * HOUR + set, hour * HOUR)) < NOW + 11 * DAY);
        }
    }

    #[test]
    fn a_clock_that_is_a_year_behind_expires_less_and_is_believed_after_a_day() {
        let mut trust = Trust::new(NOW, at(NOW - YEAR, 0));
        assert_eq!(trust.observe(at(NOW - YEAR, 0)), NOW - YEAR);
        assert_eq!((trust.newest_ms, trust.ahead_ms(at(NOW - YEAR, 0))), (NOW, 0), "the newest is not forgotten");
        assert_eq!(trust.observe(at(NOW, 1)), NOW, "set right again");
        // A time far ahead was accepted once, and now the clock is right: the guard must not sleep for years.
        let mut trust = Trust::new(NOW + 10 * YEAR, at(NOW, 0));
        for hour in 0..=24 {
            trust.observe(at(NOW + hour * HOUR, hour * HOUR));
        }
        assert_eq!(trust.newest_ms, NOW + DAY);
        assert_eq!(trust.observe(at(NOW + 5 * YEAR, DAY + 1)), NOW + DAY + 1);
    }

    #[test]
    fn an_operator_may_say_that_the_clock_is_right() {
        let mut trust = Trust::new(NOW, at(NOW + YEAR, 7));
        trust.accept(at(NOW + YEAR, 7));
        assert_eq!(trust.observe(at(NOW + YEAR + 1, 8)), NOW + YEAR + 1);
    }
}

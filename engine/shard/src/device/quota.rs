//! Token buckets, and what happens to a device that sends more than its quota.

use linchpin_protocol::model::Millis;

use crate::limits::{
    FLOOD_DROPS, FLOOD_WINDOW_MS, POINTS_PER_MESSAGE, QUOTA_NOTICE_MS, REFUSALS_AT_ONCE, WRITES_PER_MESSAGE,
};

/// A token bucket in 8 bytes: thousandths of a message, below zero what is owed, and the time of the last look in ms
/// (wraps after 49 days).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    milli_tokens: i32,
    seen_ms: u32,
}

impl Bucket {
    /// With its whole burst.
    pub(crate) fn full(burst: u32, now: Millis) -> Self {
        Self { milli_tokens: full(burst) as i32, seen_ms: now.0 as u32 }
    }

    /// As one word, for tables that several threads count in.
    pub(crate) const fn to_u64(self) -> u64 {
        (self.milli_tokens as u64) << 32 | self.seen_ms as u64
    }

    /// What [`Self::to_u64`] made.
    pub(crate) const fn from_u64(word: u64) -> Self {
        Self { milli_tokens: (word >> 32) as i32, seen_ms: word as u32 }
    }

    /// `now`, but not before the last look: what [`Self::take`] must be given where clocks of several threads meet.
    pub(crate) const fn later(self, now: Millis) -> Millis {
        let is_before = (now.0 as u32).wrapping_sub(self.seen_ms) > u32::MAX / 2;
        if is_before { Millis(self.seen_ms as u64) } else { now }
    }

    /// Take one message if there is one.
    pub(crate) fn take(&mut self, now: Millis, per_second: u32, burst: u32) -> bool {
        // After 49 days of silence the difference is wrong, but then at most one refill is lost.
        let passed_ms = (now.0 as u32).wrapping_sub(self.seen_ms);
        let earned = u64::from(passed_ms) * u64::from(per_second);
        let earned = i64::try_from(earned).unwrap_or(i64::MAX / 2);
        self.milli_tokens = (i64::from(self.milli_tokens) + earned).min(full(burst)) as i32;
        self.seen_ms = now.0 as u32;
        let has = self.milli_tokens >= 1_000;
        if has {
            self.milli_tokens -= 1_000;
        }
        has
    }

    /// What was taken turned out to be so many messages more: the next ones wait until they are earned.
    pub(crate) fn owe(&mut self, messages: usize) {
        let milli = i32::try_from(messages.saturating_mul(1_000)).unwrap_or(i32::MAX);
        self.milli_tokens = self.milli_tokens.saturating_sub(milli);
    }
}

/// The burst in thousandths.
const fn full(burst: u32) -> i64 {
    let milli = burst as i64 * 1_000;
    if milli < i32::MAX as i64 { milli } else { i32::MAX as i64 }
}

/// How many messages a batch of points is.
pub(crate) const fn messages_of_points(points: usize) -> usize {
    points.div_ceil(POINTS_PER_MESSAGE)
}

/// How many messages writes to so many pins are.
pub(crate) const fn messages_of_writes(writes: usize) -> usize {
    writes.div_ceil(WRITES_PER_MESSAGE)
}

/// What to do about a dropped message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is said.
    Silent,
    /// Notify the device, at most once in `QUOTA_NOTICE_MS`.
    Notice,
    /// It floods: end the connection.
    End,
}

/// Drops of one device.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flood {
    /// When it was notified, ms + 1; 0 = never.
    notified: u64,
    window_start: Millis,
    drops: u32,
}

impl Flood {
    /// One more; how many are in this window.
    fn count(&mut self, now: Millis) -> u32 {
        if now.since(self.window_start) >= FLOOD_WINDOW_MS {
            self.window_start = now;
            self.drops = 0;
        }
        self.drops = self.drops.saturating_add(1);
        self.drops
    }

    /// One more HTTP request was refused: is the asker held back from now on, until the window ends?
    pub(crate) fn holds_back(&mut self, now: Millis) -> bool {
        self.count(now) > REFUSALS_AT_ONCE
    }

    /// One more message was dropped.
    pub(crate) fn on_drop(&mut self, now: Millis) -> Verdict {
        if self.count(now) > FLOOD_DROPS {
            self.drops = 0;
            return Verdict::End;
        }
        if self.notified == 0 || now.0 + 1 - self.notified >= QUOTA_NOTICE_MS {
            self.notified = now.0 + 1;
            return Verdict::Notice;
        }
        Verdict::Silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the pattern: never more than the burst and what was earned, and nothing earned is lost.
        #[test]
        fn conserves_messages(gaps in proptest::collection::vec(0u64..400, 1..400), rate in 1u32..200, burst in 1u32..200) {
            let mut now = 10_000u64;
            let mut bucket = Bucket::full(burst, Millis(now));
            let start = now;
            let mut passed = 0u64;
            for gap in gaps {
                now += gap;
                passed += u64::from(bucket.take(Millis(now), rate, burst));
                prop_assert!(passed * 1_000 <= u64::from(burst) * 1_000 + (now - start) * u64::from(rate));
            }
            // A pause long enough gives the whole burst back.
            now += u64::from(burst) * 1_000 / u64::from(rate) + 1;
            let regained = (0..burst + 5).filter(|_| bucket.take(Millis(now), rate, burst)).count();
            prop_assert_eq!(regained as u32, burst);
        }
    }

    #[test]
    fn what_is_owed_is_earned_first() {
        let mut bucket = Bucket::full(100, Millis(0));
        assert!(bucket.take(Millis(0), 50, 100));
        bucket.owe(messages_of_points(10_000) - 1);
        // 100 - 625 are owed: 10.5 s, and one more message.
        assert!(!bucket.take(Millis(10_400), 50, 100));
        assert!(bucket.take(Millis(10_600), 50, 100));
        bucket.owe(usize::MAX);
        bucket.owe(usize::MAX);
        assert!(!bucket.take(Millis(20_000), 50, 100));
        assert_eq!((messages_of_points(0), messages_of_points(16), messages_of_points(17)), (0, 1, 2));
        assert_eq!((messages_of_writes(8), messages_of_writes(9)), (1, 2));
        assert!(Bucket::full(u32::MAX, Millis(0)).take(Millis(0), u32::MAX, u32::MAX));
    }

    #[test]
    fn notified_once_a_minute_and_ended_after_too_many_in_a_window() {
        let mut flood = Flood::default();
        assert_eq!(flood.on_drop(Millis(1_000)), Verdict::Notice);
        assert_eq!(flood.on_drop(Millis(2_000)), Verdict::Silent);
        assert_eq!(flood.on_drop(Millis(1_000 + QUOTA_NOTICE_MS)), Verdict::Notice);
        let mut flood = Flood::default();
        let verdicts: Vec<_> = (0..=FLOOD_DROPS).map(|n| flood.on_drop(Millis(u64::from(n)))).collect();
        assert_eq!(verdicts.iter().filter(|v| **v == Verdict::End).count(), 1);
        assert_eq!(verdicts.last(), Some(&Verdict::End));
        // Spread over many windows the same number is only silence and notices.
        let mut flood = Flood::default();
        let spread = (0..=u64::from(FLOOD_DROPS)).map(|n| flood.on_drop(Millis(n * FLOOD_WINDOW_MS)));
        assert!(spread.into_iter().all(|v| v != Verdict::End));
    }
}

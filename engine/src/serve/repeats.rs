//! How often one place in the program may write its line: a fault that repeats must not fill the disk with its log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::Level;
use tracing::callsite::Identifier;

use crate::limits;

/// A place may write so many thousandths of a line.
struct Credit {
    milli: u64,
    at: Instant,
}

/// Places that have written: as many as the program has at most.
#[derive(Default)]
pub(super) struct Repeats(Mutex<HashMap<Identifier, Credit>>);

impl Repeats {
    /// May this place write a line now?
    pub(super) fn may_write(&self, place: Identifier, level: Level, now: Instant) -> bool {
        // Whoever asks for "debug" reads it, and it is much.
        let (burst, per_second) = if level <= Level::INFO {
            (limits::LOG_REPEATS, limits::LOG_REPEATS_PER_SECOND)
        } else {
            (limits::LOG_DEBUG_REPEATS, limits::LOG_DEBUG_REPEATS_PER_SECOND)
        };
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let credit = places.entry(place).or_insert(Credit { milli: burst * 1_000, at: now });
        let passed_ms = now.saturating_duration_since(credit.at).as_millis() as u64;
        credit.milli = credit.milli.saturating_add(passed_ms.saturating_mul(per_second)).min(burst * 1_000);
        // What passed of a millisecond counts the next time.
        credit.at += std::time::Duration::from_millis(passed_ms);
        let may_write = credit.milli >= 1_000;
        credit.milli -= if may_write { 1_000 } else { 0 };
        may_write
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::callsite::{Callsite, DefaultCallsite};

    use super::*;

    fn place() -> Identifier {
        static META: tracing::Metadata<'static> = tracing::Metadata::new(
            "one",
            "test",
            Level::INFO,
            None,
            None,
            None,
            tracing::field::FieldSet::new(&[], Identifier(&PLACE)),
            tracing::metadata::Kind::EVENT,
        );
        static PLACE: DefaultCallsite = DefaultCallsite::new(&META);
        let place: &'static dyn Callsite = &PLACE;
        Identifier(place)
    }

    #[test]
    fn a_place_that_repeats_itself_for_a_day_writes_what_a_disk_bears() {
        let (repeats, begun) = (Repeats::default(), Instant::now());
        let lines = |from: Instant, seconds: u64, level: Level| {
            let every_ms = (0..seconds * 1_000).map(|ms| from + Duration::from_millis(ms));
            every_ms.filter(|now| repeats.may_write(place(), level, *now)).count() as u64
        };
        let hour = lines(begun, 3_600, Level::WARN);
        assert_eq!(hour, limits::LOG_REPEATS + 3_600 * limits::LOG_REPEATS_PER_SECOND - 1);
        assert!(24 * hour * (limits::LOG_LINE_BYTES as u64) < 4 << 30, "{hour} lines an hour");
        // After a while it may speak as before.
        let later = begun + Duration::from_secs(7_200);
        assert!((0..limits::LOG_REPEATS).all(|_| repeats.may_write(place(), Level::WARN, later)));
        assert!(!repeats.may_write(place(), Level::WARN, later));
    }
}

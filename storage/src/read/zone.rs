//! Time zones: how far local times are ahead of UTC, by name or by distance.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

/// A zone, as `java.time.ZoneId` names them: of the IANA database that the program carries (`Europe/Kyiv`), or a distance
/// from UTC (`+03:00`, `UTC-5`, `GMT+0530`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Local times differ from UTC by at most this, minutes: as in Java.
const ZONE_MINUTES: i32 = 18 * 60;

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// By name; case does not matter. `None`: there is no such zone.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(minutes) = distance(name) {
            return Offset::from_seconds(minutes * 60).ok().map(|offset| Self(TimeZone::fixed(offset)));
        }
        // Not the database of the machine: the same names everywhere, and no file is read for a request.
        TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    /// Date and time there, of ms since 1970.
    pub(crate) fn local(&self, at_ms: u64) -> DateTime {
        let at = i64::try_from(at_ms).ok().and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
        self.0.to_datetime(at.unwrap_or(Timestamp::MAX))
    }
}

/// `UTC`, `GMT`, `UT`, `Z`, or one of them or nothing before `+3`, `-05:30`, `+0530`: minutes ahead of UTC.
fn distance(zone: &str) -> Option<i32> {
    let begins = |name: &&str| zone.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    let name = ["UTC", "GMT", "UT", "Z"].iter().find(|name| begins(name));
    let rest = &zone[name.map_or(0, |name| name.len())..];
    if rest.is_empty() {
        return (!zone.is_empty()).then_some(0);
    }
    // A plus that was not escaped arrives as a space.
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+" | " ", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(pair) => pair,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |text: &str| {
        (!text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i32>())
    };
    let (hours, minutes) = (number(hours)?.ok()?, number(minutes)?.ok()?);
    let ahead = hours * 60 + minutes;
    (minutes < 60 && ahead <= ZONE_MINUTES).then_some(sign * ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_from_utc() {
        for (zone, minutes) in [
            ("UTC", 0),
            ("gmt", 0),
            ("UT", 0),
            ("Z", 0),
            ("+03:00", 180),
            (" 03:00", 180),
            ("UTC+3", 180),
            ("GMT-05:30", -330),
            ("-0930", -570),
            ("+18", 1_080),
        ] {
            assert_eq!(distance(zone), Some(minutes), "{zone}");
            assert!(Zone::parse(zone).is_some());
        }
        for zone in ["", "Europe/Kyiv", "+", "UTC+", "+3:60", "+19", "+1:2:3", "+ 3", "3", "+12345", "\u{e9}t"] {
            assert_eq!(distance(zone), None, "{zone}");
        }
    }

    #[test]
    fn names_have_the_laws_of_their_places() {
        let local = |zone: &str, at_ms| Zone::parse(zone).expect(zone).local(at_ms).to_string();
        // Summer and winter of 2026 in New York; Lord Howe Island moves by half an hour.
        assert_eq!(local("America/New_York", 1_782_907_200_000), "2026-07-01T08:00:00");
        assert_eq!(local("america/new_york", 1_795_953_600_000), "2026-11-29T07:00:00");
        assert_eq!(local("Australia/Lord_Howe", 1_795_953_600_000), "2026-11-29T23:00:00");
        assert_eq!(local("Europe/Kiev", 1_795_953_600_000), "2026-11-29T14:00:00", "old names stay");
        for unknown in ["Europe/Nowhere", "Mars", "../etc/passwd", "Europe/Kyiv\0"] {
            assert_eq!(Zone::parse(unknown), None, "{unknown}");
        }
        assert_eq!(Zone::UTC.local(u64::MAX).year(), 9999);
    }
}

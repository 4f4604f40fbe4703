//! Times for people: how long, how long ago, and dates.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// How times are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeStyle {
    /// How long ago; dates in the machine's time zone.
    Local,
    /// ISO 8601 in UTC.
    Utc,
}

/// A span in its two greatest units: `45 s`, `12 min`, `3 h 5 min`, `3 d 4 h`.
pub(crate) fn span(seconds: u64) -> String {
    let two = |great: u64, unit: &str, less: u64, less_unit: &str| match less {
        0 => format!("{great} {unit}"),
        _ => format!("{great} {unit} {less} {less_unit}"),
    };
    match seconds {
        0..MINUTE_S => format!("{seconds} s"),
        MINUTE_S..HOUR_S => format!("{} min", seconds / MINUTE_S),
        HOUR_S..DAY_S => two(seconds / HOUR_S, "h", seconds % HOUR_S / MINUTE_S, "min"),
        _ => two(seconds / DAY_S, "d", seconds % DAY_S / HOUR_S, "h"),
    }
}

/// Unix seconds now; 0 before 1970.
pub(crate) fn now_s() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}

impl TimeStyle {
    /// By the flag `--utc`.
    pub(crate) const fn of(utc: bool) -> Self {
        if utc { Self::Utc } else { Self::Local }
    }

    /// A moment: `2026-11-23 19:15:30` here, or `2026-11-23T18:15:30Z`.
    pub(crate) fn date(self, unix_s: u64) -> String {
        let Ok(moment) = i64::try_from(unix_s).map_err(drop).and_then(|s| Timestamp::from_second(s).map_err(drop))
        else {
            return unix_s.to_string();
        };
        match self {
            Self::Utc => moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::Local => moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }

    /// The same in a list: how long ago, or the date in UTC.
    pub(crate) fn since(self, unix_s: u64, now_s: u64) -> String {
        match self {
            Self::Utc => self.date(unix_s),
            Self::Local if unix_s > now_s => format!("in {}", span(unix_s - now_s)),
            Self::Local => format!("{} ago", span(now_s - unix_s)),
        }
    }
}

/// The time of day here: `08:16:04`.
pub(crate) fn time_of_day() -> String {
    Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (11_100, "3 h 5 min"),
            (86_400, "1 d"),
            (86_400 * 3 + 3_600 * 4 + 59, "3 d 4 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar_and_of_utc() {
        for (unix_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_457_730, "2026-11-23T18:15:30Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(TimeStyle::Utc.date(unix_s), text);
        }
        assert_eq!(TimeStyle::Local.since(100, 160), "1 min ago");
        assert_eq!(TimeStyle::Local.since(160, 100), "in 1 min");
        assert_eq!(TimeStyle::Utc.since(0, 100), "1970-01-01T00:00:00Z");
    }
}

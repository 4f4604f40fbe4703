//! INTERNAL: what a device asks about itself and its clock, the answers, and what the server may push.

use nom::Parser as _;
use nom::bytes::complete::tag;
use nom::combinator::rest;

use crate::limits::{MAX_META_NAME_BYTES, MAX_META_VALUE_BYTES};
use crate::model::UnixMillis;
use crate::{Action, ClockQuery, Fault, InfoPairs};

use super::body::{check_len, field, found, text_field, wrong_shape};
use super::{Command, codec};

/// First keys of bodies that are not about the device itself and that the server does not act on.
const ECHOES: [&[u8]; 5] = [b"ota", b"vfs", b"dbg", b"acon", b"adis"];

/// What a body asks. All that does not start with a word of another request is a list of pairs about the device.
pub(super) fn request(body: &[u8]) -> Result<Action<'_>, Fault> {
    const EXPECTED: &str = "pairs of keys and values joined by NUL, or rtc, or utc or meta and what is asked";
    let wrong = wrong_shape(Command::Internal, EXPECTED);
    let (left, first) = field(body).map_err(|_| wrong)?;
    match first {
        b"" => Err(wrong),
        b"rtc" => Ok(Action::Clock(ClockQuery::Rtc)),
        b"utc" => clock_query(left).map(Action::Clock).ok_or(wrong),
        b"meta" => meta(left),
        echo if ECHOES.contains(&echo) => Ok(Action::Nothing),
        _ => Ok(Action::Info(InfoPairs::new(body))),
    }
}

fn clock_query(asked: &[u8]) -> Option<ClockQuery> {
    Some(match found(field(asked))? {
        b"time" => ClockQuery::Time,
        b"iso" => ClockQuery::Iso,
        b"tz" => ClockQuery::Tz,
        b"tz_name" => ClockQuery::TzName,
        b"tz_rule" => ClockQuery::TzRule,
        b"dst_next" => ClockQuery::DstNext,
        _ => return None,
    })
}

/// `get NUL name` or `set NUL name NUL value`.
fn meta(asked: &[u8]) -> Result<Action<'_>, Fault> {
    const COMMAND: Command = Command::Internal;
    let wrong = wrong_shape(COMMAND, "meta, NUL, get, NUL, a name, or meta, NUL, set, NUL, a name, NUL, a value");
    let mut get = (tag::<_, _, nom::error::Error<&[u8]>>(&b"get\0"[..]), text_field);
    if let Ok((_, (_, name))) = get.parse(asked) {
        check_len(COMMAND, "name of the field", name.len(), MAX_META_NAME_BYTES)?;
        return Ok(Action::MetaGet { name });
    }
    let mut set = (tag::<_, _, nom::error::Error<&[u8]>>(&b"set\0"[..]), text_field, rest);
    let (_, (_, name, value)) = set.parse(asked).map_err(|_| wrong)?;
    let value = std::str::from_utf8(value).map_err(|_| wrong)?;
    let value = value.strip_suffix('\0').unwrap_or(value);
    check_len(COMMAND, "name of the field", name.len(), MAX_META_NAME_BYTES)?;
    check_len(COMMAND, "value of the field", value.len(), MAX_META_VALUE_BYTES)?;
    Ok(Action::MetaSet { name, value })
}

/// Answer a clock query. Devices have no place yet, so the zone is UTC.
pub fn clock_answer(out: &mut Vec<u8>, id: u16, query: ClockQuery, wall: UnixMillis) {
    let mut text = String::new();
    let body: &[&[u8]] = match query {
        ClockQuery::Rtc => {
            text = wall.seconds().to_string();
            &[b"rtc", text.as_bytes()]
        }
        ClockQuery::Time => {
            text = wall.0.to_string();
            &[b"utc", b"time", text.as_bytes()]
        }
        ClockQuery::Iso => {
            push_iso(&mut text, wall);
            &[b"utc", b"iso", text.as_bytes()]
        }
        ClockQuery::Tz => &[b"utc", b"tz", b"0", b"0"],
        ClockQuery::TzName => &[b"utc", b"tz_name", b"UTC"],
        ClockQuery::TzRule => &[b"utc", b"tz_rule", b"UTC0"],
        ClockQuery::DstNext => &[b"utc", b"dst_next", b"0", b"0", b"0", b"0"],
    };
    codec::internal(out, id, body);
}

/// `2026-11-22T04:33:07+00:00`.
pub(crate) fn push_iso(text: &mut String, wall: UnixMillis) {
    use std::fmt::Write as _;
    let seconds = wall.seconds();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    // Writing to a String cannot fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00");
}

/// Year, month and day of the Gregorian calendar, `days` after 1970-01-01. Counts in years that start in March, so that
/// the leap day is the last of its year.
const fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let since = days + DAYS_TO_1970;
    let (era, day_of_era) = (since / DAYS_OF_400_YEARS, since % DAYS_OF_400_YEARS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Answer `meta get`: the field and its value.
pub fn meta_answer(out: &mut Vec<u8>, id: u16, name: &str, value: &str) {
    codec::internal(out, id, &[b"meta", name.as_bytes(), value.as_bytes()]);
}

/// Push: fetch firmware from this URL (http or https) and install it.
pub fn ota(out: &mut Vec<u8>, id: u16, url: &str) {
    codec::internal(out, id, &[b"ota", url.as_bytes()]);
}

/// Push: restart.
pub fn reboot(out: &mut Vec<u8>, id: u16) {
    codec::internal(out, id, &[b"dbg", b"reboot"]);
}

/// Push: the first app is watching.
pub fn app_connected(out: &mut Vec<u8>, id: u16) {
    codec::internal(out, id, &[b"acon"]);
}

/// Push: the last app is gone.
pub fn app_disconnected(out: &mut Vec<u8>, id: u16) {
    codec::internal(out, id, &[b"adis"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(body: &[u8]) -> Fault {
        request(body).expect_err("must be refused")
    }

    #[test]
    fn requests_are_told_by_their_first_key() {
        let clock = |query| Ok(Action::Clock(query));
        assert_eq!(request(b"rtc"), clock(ClockQuery::Rtc));
        assert_eq!(request(b"rtc\0sync"), clock(ClockQuery::Rtc));
        assert_eq!(request(b"utc\0time"), clock(ClockQuery::Time));
        assert_eq!(request(b"utc\0iso\0"), clock(ClockQuery::Iso));
        assert_eq!(request(b"utc\0tz"), clock(ClockQuery::Tz));
        assert_eq!(request(b"utc\0tz_name"), clock(ClockQuery::TzName));
        assert_eq!(request(b"utc\0tz_rule"), clock(ClockQuery::TzRule));
        assert_eq!(request(b"utc\0dst_next"), clock(ClockQuery::DstNext));
        assert_eq!(request(b"meta\0get\0Serial Number"), Ok(Action::MetaGet { name: "Serial Number" }));
        assert_eq!(request(b"meta\0set\0A\0b c"), Ok(Action::MetaSet { name: "A", value: "b c" }));
        assert_eq!(request(b"meta\0set\0A\0"), Ok(Action::MetaSet { name: "A", value: "" }));
        for echo in ["ota\0http://h/f", "vfs\0x", "dbg\0reboot", "acon", "adis\0"] {
            assert_eq!(request(echo.as_bytes()), Ok(Action::Nothing), "{echo:?}");
        }
    }

    #[test]
    fn everything_else_is_about_the_device() {
        for body in ["ver\x001.4.0\0", "mcu\x000.1", "ncp\x001", "rtcx", "tmpl\0TMPL1", "h-beat\x0010"] {
            let info = InfoPairs::new(body.as_bytes());
            assert_eq!(request(body.as_bytes()), Ok(Action::Info(info)), "{body:?}");
        }
    }

    #[test]
    fn malformed_bodies_are_refused_and_the_stream_goes_on() {
        let bad: [&[u8]; 9] = [
            b"",
            b"\0ver",
            b"utc",
            b"utc\0now",
            b"meta",
            b"meta\0get",
            b"meta\0get\0",
            b"meta\0set\0\0v",
            b"meta\0set\0a\0\xff",
        ];
        for body in bad {
            let fault = fault(body);
            assert_eq!((fault.status(), fault.ends()), (Some(crate::Status::IllegalCommandBody), false), "{body:?}");
        }
        let name = [&b"meta\0get\0"[..], &[b'n'; MAX_META_NAME_BYTES + 1]].concat();
        assert!(matches!(fault(&name), Fault::TextTooLong { len: 65, limit: 64, .. }));
        let value = [&b"meta\0set\0n\0"[..], &[b'v'; MAX_META_VALUE_BYTES + 1]].concat();
        assert!(matches!(fault(&value), Fault::TextTooLong { len: 1025, limit: 1024, .. }));
    }

    #[test]
    fn clocks_answer_in_utc() {
        let wall = UnixMillis(1_700_000_000_123);
        let answer = |query| {
            let mut out = Vec::new();
            clock_answer(&mut out, 7, query, wall);
            String::from_utf8(out.split_off(5)).expect("text").replace('\0', " ")
        };
        assert_eq!(answer(ClockQuery::Rtc), "rtc 1700000000");
        assert_eq!(answer(ClockQuery::Time), "utc time 1700000000123");
        assert_eq!(answer(ClockQuery::Iso), "utc iso 2023-11-14T22:13:20+00:00");
        assert_eq!(answer(ClockQuery::Tz), "utc tz 0 0");
        assert_eq!(answer(ClockQuery::TzName), "utc tz_name UTC");
        assert_eq!(answer(ClockQuery::TzRule), "utc tz_rule UTC0");
        assert_eq!(answer(ClockQuery::DstNext), "utc dst_next 0 0 0 0");
    }

    #[test]
    fn dates_follow_the_calendar() {
        let known = [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (19_782, (2024, 2, 29)),
            (20_818, (2026, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ];
        for (days, date) in known {
            assert_eq!(civil_date(days), date, "{days} days");
        }
        let mut out = Vec::new();
        clock_answer(&mut out, 1, ClockQuery::Iso, UnixMillis(u64::MAX));
        assert!(out.len() > 5, "no time is too late");
    }

    #[test]
    fn pushes() {
        let push = |write: fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out.split_off(5)
        };
        assert_eq!(push(|out| meta_answer(out, 1, "A", "b")), b"meta\0A\0b");
        assert_eq!(push(|out| ota(out, 1, "http://h/f")), b"ota\0http://h/f");
        assert_eq!(push(|out| reboot(out, 1)), b"dbg\0reboot");
        assert_eq!(push(|out| app_connected(out, 1)), b"acon");
        assert_eq!(push(|out| app_disconnected(out, 1)), b"adis");
    }
}

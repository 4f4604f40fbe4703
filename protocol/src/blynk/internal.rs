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
    let wrong = wrong_shape(
        COMMAND,
        "meta, NUL, get, NUL, a name, or meta, NUL, set, NUL, a name, NUL, a value",
    );
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
fn push_iso(text: &mut String, wall: UnixMillis) {
    use std::fmt::Write as _;
    let seconds = wall.seconds();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00"
    );
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
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
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

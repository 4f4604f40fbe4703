//! Questions about history: `data/get`.

use serde::{Deserialize, Serialize};

use super::{Dialect, Reply, Target};
use crate::model::Pin;

/// Values of a pin over a time. Names are those of the API; what they stand for is known where history is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The pin.
    pub pin: Pin,
    /// How far back: `HOUR`, `DAY`, `WEEK`, `MONTH`, `THREE_MONTHS`.
    pub period: Box<str>,
    /// How fine: `RAW_DATA`, `MINUTE`, `HOURLY`, `DAILY`.
    pub granularity: Box<str>,
    /// Which value of a row: `AVG`, `MIN`, `MAX`, `SUM`, `COUNT`, `LAST`.
    pub source: Box<str>,
    /// How times look: `TS`, `ISO`, `ISO_US`, `ISO_SIMPLE`.
    pub format: Box<str>,
    /// Minutes that local times are ahead of UTC.
    pub ahead_minutes: i32,
    /// The body is CSV, not JSON.
    pub is_csv: bool,
}

/// Longest of the names, bytes.
const NAME_BYTES: usize = 32;
/// Local times differ from UTC by at most this, minutes.
const ZONE_MINUTES: i32 = 14 * 60;

/// What a request asks, with the defaults of the API.
pub(super) fn history(target: &Target<'_>, pin: Pin) -> Result<History, Reply> {
    let name = |key: &str, default: &str| -> Result<Box<str>, Reply> {
        match target.get(key) {
            None => Ok(default.into()),
            Some(name) if name.len() <= NAME_BYTES => std::str::from_utf8(&name)
                .map(|name| name.to_ascii_uppercase().into())
                .map_err(|_| wrong(&format!("{key} is no text."))),
            Some(name) => Err(wrong(&format!("{key} has {NAME_BYTES} bytes at most, this one {}.", name.len()))),
        }
    };
    let zone = name("tzName", "UTC")?;
    let output = name("output", "JSON")?;
    if !matches!(&*output, "JSON" | "CSV") {
        return Err(wrong(&format!("output is JSON or CSV, not {output}.")));
    }
    Ok(History {
        pin,
        period: name("period", "MONTH")?,
        granularity: name("granularityType", "RAW_DATA")?,
        source: name("sourceType", "AVG")?,
        format: name("format", "TS")?,
        ahead_minutes: zone_minutes(&zone).ok_or_else(|| {
            wrong(&format!("tzName is UTC or a distance from it such as +03:00 (in a query %2B03:00), not {zone}."))
        })?,
        is_csv: &*output == "CSV",
    })
}

fn wrong(message: &str) -> Reply {
    Reply::error(Dialect::Current, 400, message)
}

/// `UTC`, `GMT`, `Z`, or one of them or nothing before `+3`, `-05:30`, `+0530`. Names of places would need their laws.
fn zone_minutes(zone: &str) -> Option<i32> {
    let rest = ["UTC", "GMT", "Z"].iter().find_map(|name| zone.strip_prefix(name)).unwrap_or(zone);
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
    fn zones_are_distances_from_utc() {
        for (zone, minutes) in [
            ("UTC", 0),
            ("GMT", 0),
            ("Z", 0),
            ("+03:00", 180),
            (" 03:00", 180),
            ("UTC+3", 180),
            ("GMT-05:30", -330),
            ("-0930", -570),
            ("+14", 840),
        ] {
            assert_eq!(zone_minutes(zone), Some(minutes), "{zone}");
        }
        for zone in ["", "EUROPE/KYIV", "+", "UTC+", "+3:60", "+15", "+1:2:3", "+ 3", "3", "+12345"] {
            assert_eq!(zone_minutes(zone), None, "{zone}");
        }
    }
}

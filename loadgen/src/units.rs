//! Quantities with their units, as scenario files and flags write them: `"50k/s"`, `"30s"`, `10k`, `"5%"`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Events a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Rate(pub(crate) f64);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count(pub(crate) u64);

/// A part of a whole, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Share(pub(crate) f64);

impl Span {
    /// In nanoseconds; a run is far shorter than 2^64 of them.
    pub(crate) fn ns(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A number and what follows it.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '_')).unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    (number.is_finite()).then_some((number, text[end..].trim()))
}

/// A number with `k` or `M`, and what follows it.
fn split_thousands(text: &str) -> Option<(f64, &str)> {
    let (number, rest) = split(text)?;
    Some(match rest.chars().next() {
        Some('k' | 'K') => (number * 1e3, rest[1..].trim()),
        Some('M') => (number * 1e6, rest[1..].trim()),
        _ => (number, rest),
    })
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let per_s = match split_thousands(text) {
            Some((number, "/s" | "")) => Some(number),
            Some((number, "/m" | "/min")) => Some(number / 60.0),
            Some((number, "/h")) => Some(number / 3_600.0),
            _ => None,
        };
        per_s.map(Self).ok_or_else(|| format!("{text:?} is no rate; write such as 50k (a second), 50k/s or 600/min"))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = split(text).and_then(|(number, unit)| {
            let unit_s = match unit {
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3_600.0,
                _ => return None,
            };
            Some(number * unit_s)
        });
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(Self).ok_or_else(|| {
            format!("{text:?} is no length of time; write a number and us, ms, s, m or h, such as \"30s\"")
        })
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match split_thousands(text) {
            Some((number, "")) if number.fract().abs() < 1e-6 && number < 1e15 => Ok(Self(number.round() as u64)),
            _ => Err(format!("{text:?} is no number of things; write such as 500, 10k or 1.5M")),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match split(text) {
            Some((percent, "%")) if percent <= 100.0 => Ok(Self(percent / 100.0)),
            _ => Err(format!("{text:?} is no share; write 0% to 100%, such as \"5%\"")),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n >= 1e6 => write!(f, "{}M/s", round(n / 1e6)),
            n if n >= 1e3 => write!(f, "{}k/s", round(n / 1e3)),
            n => write!(f, "{}/s", round(n)),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            s if s >= 1.0 || s == 0.0 => write!(f, "{}s", round(s)),
            s if s >= 1e-3 => write!(f, "{}ms", round(s * 1e3)),
            s => write!(f, "{}us", round(s * 1e6)),
        }
    }
}

/// To three decimals, without zeros at the end.
fn round(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

/// Strings of this form, and the numbers where they need no unit.
macro_rules! from_text {
    ($type:ident, $expecting:literal, $pattern:literal, $allow_number:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }

                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        let unit = de::Unexpected::Signed(number);
                        if $allow_number { number.to_string().parse().map_err(E::custom) } else { Err(E::invalid_type(unit, &self)) }
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                if $allow_number {
                    json_schema!({ "description": $expecting, "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": $pattern }] })
                } else {
                    json_schema!({ "description": $expecting, "type": "string", "pattern": $pattern })
                }
            }
        }
    };
}

from_text!(
    Rate,
    "a rate, a second unless it says otherwise, such as \"50k/s\"",
    r"^[0-9._]+ *[kKM]?(/(s|m|min|h))?$",
    false
);
from_text!(Span, "a length of time with its unit, such as \"30s\"", r"^[0-9._]+ *(us|ms|s|m|min|h)$", false);
from_text!(Count, "a number, such as 500 or \"10k\"", r"^[0-9._]+ *[kKM]?$", true);
from_text!(Share, "a share, such as \"5%\"", r"^[0-9._]+ *%$", false);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_with_their_units() {
        assert_eq!("50k/s".parse(), Ok(Rate(50_000.0)));
        assert_eq!("50k".parse(), Ok(Rate(50_000.0)), "a rate without a unit is one a second");
        assert_eq!("1.5M/s".parse(), Ok(Rate(1_500_000.0)));
        assert_eq!("120/m".parse(), Ok(Rate(2.0)));
        assert_eq!("200ms".parse(), Ok(Span(Duration::from_millis(200))));
        assert_eq!("2 min".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("10k".parse(), Ok(Count(10_000)));
        assert_eq!("1_000".parse(), Ok(Count(1_000)));
        assert_eq!("5%".parse(), Ok(Share(0.05)));
    }

    #[test]
    fn what_has_no_unit_or_a_wrong_one_is_refused_with_an_example() {
        for (text, example) in [("50/d", "50k/s"), ("50kB", "50k/s"), ("x/s", "50k/s"), ("-1/s", "50k/s")] {
            let error = text.parse::<Rate>().expect_err(text);
            assert!(error.contains(example) && error.contains(text), "{error}");
        }
        for text in ["30", "30 parsecs", "", "s"] {
            assert!(text.parse::<Span>().expect_err(text).contains("30s"));
        }
        assert!("1.5".parse::<Count>().is_err() && "10kk".parse::<Count>().is_err());
        assert!("101%".parse::<Share>().is_err() && "5".parse::<Share>().is_err());
    }

    #[test]
    fn quantities_are_shown_as_they_are_written() {
        let shown = [Rate(50_000.0).to_string(), Rate(1.5).to_string(), Span(Duration::from_millis(1_500)).to_string()];
        assert_eq!(shown, ["50k/s", "1.5/s", "1.5s"]);
        assert_eq!(Span(Duration::from_micros(50)).to_string(), "50us");
    }
}

//! Words of the model as they stand in JSON: checked once, when a request is read.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use linchpin_protocol::model::{DeviceId, OrgId, Pin, PinKind, TemplateId, Token};
use linchpin_storage::{Granularity, Period, Source, TimeFormat};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A type of the model that is a number or a text in JSON.
pub trait Word: Sized {
    /// What it is in JSON.
    type Form: Serialize + DeserializeOwned;
    /// What is right, for messages: `must be ...`.
    const EXPECTED: &'static str;

    /// Read it; `None`: it is not one.
    fn read(form: Self::Form) -> Option<Self>;
    /// Write it.
    fn form(&self) -> Self::Form;
    /// Its JSON schema.
    fn schema() -> Schema;
}

/// A [`Word`] in a request or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plain<T>(pub T);

impl<T: Word> Serialize for Plain<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.form().serialize(to)
    }
}

impl<'de, T: Word> Deserialize<'de> for Plain<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let wrong = || D::Error::custom(format_args!("must be {}", T::EXPECTED));
        // What was there is not repeated: it may be a secret in the wrong place.
        let form = T::Form::deserialize(from).map_err(|_| wrong())?;
        T::read(form).map(Self).ok_or_else(wrong)
    }
}

impl<T: Word> JsonSchema for Plain<T> {
    fn schema_name() -> Cow<'static, str> {
        T::EXPECTED.into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        T::schema()
    }
}

impl<T: Word<Form = String>> FromStr for Plain<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        T::read(text.to_owned()).map(Self).ok_or_else(|| format!("must be {}", T::EXPECTED))
    }
}

impl<T: fmt::Display> fmt::Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> From<T> for Plain<T> {
    fn from(word: T) -> Self {
        Self(word)
    }
}

macro_rules! number {
    ($type:ty, $expected:literal) => {
        impl Word for $type {
            type Form = u32;
            const EXPECTED: &'static str = $expected;

            fn read(form: u32) -> Option<Self> {
                Self::new(form)
            }

            fn form(&self) -> u32 {
                self.get()
            }

            fn schema() -> Schema {
                json_schema!({"type": "integer", "format": "uint32", "minimum": 1})
            }
        }
    };
}

number!(DeviceId, "a device id, 1 or more");
number!(OrgId, "an organization's number, 1 or more");

impl Word for TemplateId {
    type Form = String;
    const EXPECTED: &'static str = "a template id such as TMPLxxxxxxxx";

    fn read(form: String) -> Option<Self> {
        Self::parse(form.as_bytes()).ok()
    }

    fn form(&self) -> String {
        self.as_str().to_owned()
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,16}$"})
    }
}

/// `V7`, `D3`, `A0`; small letters are read too.
impl Word for Pin {
    type Form = String;
    const EXPECTED: &'static str = "V0 to V255, D0 to D255 or A0 to A255";

    fn read(form: String) -> Option<Self> {
        let (letter, index) = form.as_bytes().split_first()?;
        PinKind::from_letter(letter.to_ascii_lowercase())?;
        Self::parse(letter.to_ascii_lowercase(), index)
    }

    fn form(&self) -> String {
        self.to_string()
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^[VDAvda][0-9]{1,3}$"})
    }
}

macro_rules! names {
    ($type:ty, $expected:literal, $($name:literal)*) => {
        impl Word for $type {
            type Form = String;
            const EXPECTED: &'static str = $expected;

            fn read(form: String) -> Option<Self> {
                Self::parse(&form)
            }

            fn form(&self) -> String {
                let named = [$($name),*].into_iter().find(|name| Self::parse(name).as_ref() == Some(self));
                named.unwrap_or_default().to_owned()
            }

            fn schema() -> Schema {
                json_schema!({"enum": [$($name),*]})
            }
        }
    };
}

names!(Period, "HOUR, DAY, WEEK, MONTH or THREE_MONTHS", "HOUR" "DAY" "WEEK" "MONTH" "THREE_MONTHS");
names!(Granularity, "RAW_DATA, MINUTE, HOURLY or DAILY", "RAW_DATA" "MINUTE" "HOURLY" "DAILY");
names!(Source, "AVG, MIN, MAX, SUM, COUNT or LAST", "AVG" "MIN" "MAX" "SUM" "COUNT" "LAST");
names!(TimeFormat, "TS, ISO, ISO_US or ISO_SIMPLE", "TS" "ISO" "ISO_US" "ISO_SIMPLE");

/// A secret: only answers that hand out tokens have it.
impl Word for Token {
    type Form = String;
    const EXPECTED: &'static str = "a token of 32 characters";

    fn read(form: String) -> Option<Self> {
        Self::parse(form.as_bytes()).ok()
    }

    fn form(&self) -> String {
        self.expose().to_owned()
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 32, "maxLength": 32})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Word>(json: &str) -> Result<T, String> {
        serde_json::from_str::<Plain<T>>(json).map(|plain| plain.0).map_err(|error| error.to_string())
    }

    #[test]
    fn words_are_checked_when_they_are_read() {
        assert_eq!(read("7"), Ok(DeviceId::new(7).expect("not zero")));
        assert_eq!(read::<Pin>("\"a0\"").map(|pin| pin.to_string()), Ok("A0".to_owned()));
        for wrong in ["0", "-1", "4294967296", "\"7\"", "null"] {
            assert!(read::<DeviceId>(wrong).expect_err(wrong).contains("a device id"), "{wrong}");
        }
        for wrong in ["\"\"", "\"V\"", "\"V256\"", "\"X1\"", "\"é1\"", "1"] {
            assert!(read::<Pin>(wrong).expect_err(wrong).contains("V0 to V255"), "{wrong}");
        }
        assert!(read::<TemplateId>("\"no such id!\"").is_err());
    }

    #[test]
    fn words_are_written_as_they_are_read() {
        fn same<T: Word + fmt::Debug>(names: &[&str]) {
            for name in names {
                let json = format!("{name:?}");
                let word = serde_json::from_str::<Plain<T>>(&json).expect(name);
                assert_eq!(serde_json::to_string(&word).expect("a text"), json);
            }
        }
        same::<Period>(&["HOUR", "DAY", "WEEK", "MONTH", "THREE_MONTHS"]);
        same::<Granularity>(&["RAW_DATA", "MINUTE", "HOURLY", "DAILY"]);
        same::<Source>(&["AVG", "MIN", "MAX", "SUM", "COUNT", "LAST"]);
        same::<TimeFormat>(&["TS", "ISO", "ISO_US", "ISO_SIMPLE"]);
        same::<Pin>(&["V7", "D255", "A0"]);
    }

    #[test]
    fn a_wrong_token_is_not_repeated() {
        let error = read::<Token>("\"0123456789abcdefghij-_ABCDEFGHIJKLM\"").expect_err("too long");
        assert!(!error.contains("0123"), "{error}");
        let token = Token::from_random(&[7; 24]);
        assert!(!format!("{:?}", Plain(token)).contains(token.expose()));
    }
}

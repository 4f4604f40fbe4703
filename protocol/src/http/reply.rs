//! What a device's home answers to a [`super::Call`].

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::model::{Pin, ValueKind, ValueRef};

use super::Dialect;

/// Kind of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Plain text in UTF-8.
    Text,
    /// JSON.
    Json,
    /// Comma-separated values, RFC 4180.
    Csv,
}

impl Content {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain;charset=utf-8",
            Self::Json => "application/json",
            Self::Csv => "text/csv;charset=utf-8",
        }
    }
}

/// A status and a body. Plain data: it may come from another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// What the body is.
    pub content: Content,
    /// The body.
    pub body: Box<[u8]>,
    /// The methods of a path that was asked with another one, for its `Allow` field.
    pub allow: Option<Box<str>>,
    /// The device is far beyond its quota of requests: the asker's next one is read a moment later.
    pub holds_back: bool,
}

impl Reply {
    /// Done; there is nothing to tell.
    #[must_use]
    pub fn empty() -> Self {
        Self::text("")
    }

    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { status: 200, content: Content::Text, body: text.as_bytes().into(), allow: None, holds_back: false }
    }

    /// JSON.
    #[must_use]
    pub fn json(json: String) -> Self {
        Self { status: 200, content: Content::Json, body: json.into_bytes().into(), allow: None, holds_back: false }
    }

    /// A refusal in the words of a dialect.
    #[must_use]
    pub fn error(dialect: Dialect, status: u16, message: &str) -> Self {
        match dialect {
            Dialect::Current => {
                let mut json = String::from("{\"error\":{\"message\":");
                put_string(&mut json, message);
                json.push_str("}}");
                Self { status, ..Self::json(json) }
            }
            Dialect::Legacy => Self { status, ..Self::text(message) },
        }
    }

    /// The path is not asked with this method.
    #[must_use]
    pub fn wrong_method(dialect: Dialect, allow: &str) -> Self {
        Self { allow: Some(allow.into()), ..Self::error(dialect, 405, &format!("This path takes {allow}.")) }
    }

    /// A value that is refused.
    #[must_use]
    pub fn refused(dialect: Dialect, fault: Fault) -> Self {
        let message = match fault {
            Fault::NoDatastream { .. } => "No datastream setup for that pin.".to_owned(),
            Fault::ValueKind { .. } | Fault::ValueRange { .. } => {
                format!("Value doesn't match the Datastream data type. {}", sentence(&fault.to_string()))
            }
            _ => fault.to_string(),
        };
        Self::error(dialect, 400, &message)
    }
}

/// With a capital letter and a full stop: faults are parts of sentences.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// Append a JSON string.
pub fn put_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Append a value as JSON: a number where its datastream has numbers; without a datastream a number if it is written as
/// JSON writes one; else a string. Several parts are an array.
pub fn put_value(out: &mut String, kind: Option<ValueKind>, value: ValueRef<'_>) {
    let is_many = value.as_bytes().contains(&0);
    if is_many {
        out.push('[');
    }
    for (at, part) in value.parts().enumerate() {
        if at > 0 {
            out.push(',');
        }
        put_part(out, kind, ValueRef(part));
    }
    if is_many {
        out.push(']');
    }
}

fn put_part(out: &mut String, kind: Option<ValueKind>, part: ValueRef<'_>) {
    match kind {
        Some(ValueKind::Int { .. } | ValueKind::Enum { .. }) if part.as_integer().is_some() => {
            let _ = write!(out, "{}", part.as_integer().unwrap_or_default());
        }
        Some(ValueKind::Double { .. }) if part.as_number().is_some() => {
            // `{:?}` keeps ".0", so that a number of a decimal datastream always looks like one.
            let _ = write!(out, "{:?}", part.as_number().unwrap_or_default());
        }
        None if is_json_number(part.as_bytes()) => out.push_str(&String::from_utf8_lossy(part.as_bytes())),
        _ => put_string(out, &String::from_utf8_lossy(part.as_bytes())),
    }
}

/// The longest value that is taken for a number, bytes: with more digits it is a name, and readers would round it.
const NUMBER_BYTES: usize = 17;

/// Is it a number as JSON writes it (RFC 8259, 6)? Not `007`, `+1`, `.5`, `1.`: such texts mean something.
fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 1 && rest[0] == b'0' || text.len() > NUMBER_BYTES {
        return false;
    }
    let rest = match rest[whole..].strip_prefix(b".") {
        None => &rest[whole..],
        Some(fraction) if digits(fraction) > 0 => &fraction[digits(fraction)..],
        Some(_) => return false,
    };
    rest.is_empty()
}

/// Append `"v1":` or, for other kinds, `"d8":`.
pub fn put_pin(out: &mut String, pin: Pin) {
    let _ = write!(out, "\"{}{}\":", char::from(pin.kind.letter()), pin.index);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_of_their_kind() {
        let json = |kind, value: &[u8]| {
            let mut out = String::new();
            put_value(&mut out, kind, ValueRef(value));
            serde_json::from_str::<serde_json::Value>(&out).expect("valid JSON");
            out
        };
        let int = Some(ValueKind::Int { min: 0, max: 9 });
        let double = Some(ValueKind::Double { min: 0.0, max: 9.0 });
        assert_eq!(json(int, b"7.000"), "7");
        assert_eq!(json(double, b"2.500"), "2.5");
        assert_eq!(json(double, b"2"), "2.0");
        assert_eq!(json(double, b"1e300"), "1e300");
        assert_eq!(json(double, b"12\x0011.5"), "[12.0,11.5]");
        for number in ["7", "-1", "0", "2.500", "-0.5", "12345678901234567"] {
            assert_eq!(json(None, number.as_bytes()), number);
        }
        for text in ["", "-", "007", "1.", ".5", "+1", "1e3", "0x1", "1 ", "nan", "123456789012345678"] {
            assert_eq!(json(None, text.as_bytes()), format!("\"{text}\""));
        }
        assert_eq!(json(Some(ValueKind::Text), b"7"), "\"7\"");
        assert_eq!(json(Some(ValueKind::Text), b"a\"\\\n\x01\xff"), "\"a\\\"\\\\\\n\\u0001\u{fffd}\"");
        assert_eq!(json(None, b"a\0"), "[\"a\",\"\"]");
        assert_eq!(json(None, b"1\x00a"), "[1,\"a\"]");
        assert_eq!(json(int, b"old text"), "\"old text\"");
    }

    #[test]
    fn errors_speak_the_dialect() {
        let reply = Reply::error(Dialect::Current, 400, "Say \"x\".");
        assert_eq!(&*reply.body, br#"{"error":{"message":"Say \"x\"."}}"#);
        let reply = Reply::refused(Dialect::Legacy, Fault::NoDatastream { pin: Pin::new_virtual(1) });
        assert_eq!((reply.status, &*reply.body), (400, &b"No datastream setup for that pin."[..]));
    }
}

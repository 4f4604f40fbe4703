//! Reading JSON in tests: a missing field is a failed test.

use serde_json::Value;

/// A field of an object.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn field<'a>(object: &'a Value, name: &str) -> &'a Value {
    object.get(name).unwrap_or_else(|| panic!("no field {name:?} in {object}"))
}

/// A field of an object that is a text.
///
/// # Panics
/// When there is none or it is none.
#[must_use]
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    field(object, name).as_str().unwrap_or_else(|| panic!("field {name:?} is no text in {object}"))
}

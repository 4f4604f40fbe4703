//! The limits that schemas name, looked at in one place for all rows and to any depth: what a description forbids is refused.

use schemars::Schema;
use serde_json::{Map, Value};

use crate::CommandError;

/// Is everything that was given within what its schema says? Lengths of texts are in bytes. Types and patterns are looked at by
/// the types that the parameters are read into.
///
/// # Errors
/// The first value that is not, by its path (`policy.keys_from`, `devices[3]`), with its size and the limit.
pub(super) fn check(schema: &Schema, given: &Value) -> Result<(), CommandError> {
    let root = schema.as_value();
    Bounds { definitions: root.get("$defs").and_then(Value::as_object) }.look("", given, root)
}

struct Bounds<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl Bounds<'_> {
    fn look(&self, path: &str, value: &Value, schema: &Value) -> Result<(), CommandError> {
        if let Some(schema) = self.referred(schema) {
            self.look(path, value, schema)?;
        }
        size(path, value, schema)?;
        one_of(path, value, schema)?;
        for schema in list(schema, "allOf") {
            self.look(path, value, schema)?;
        }
        for name in ["anyOf", "oneOf"] {
            self.any(path, value, list(schema, name))?;
        }
        match value {
            Value::Object(fields) => self.fields(path, fields, schema),
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else { return Ok(()) };
                let mut each = items.iter().enumerate();
                each.try_for_each(|(at, item)| self.look(&format!("{path}[{at}]"), item, schema))
            }
            _ => Ok(()),
        }
    }

    fn fields(&self, path: &str, fields: &Map<String, Value>, schema: &Value) -> Result<(), CommandError> {
        for (name, value) in fields {
            let named = schema.get("properties").and_then(|all| all.get(name));
            let Some(schema) = named.or_else(|| schema.get("additionalProperties")) else { continue };
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.look(&inner, value, schema)?;
        }
        Ok(())
    }

    /// One alternative is enough; of several that do not hold, the first that it could be says why.
    fn any(&self, path: &str, value: &Value, schemas: &[Value]) -> Result<(), CommandError> {
        let mut why = Ok(());
        for schema in schemas.iter().filter(|schema| self.could_be(value, schema)) {
            let one = self.look(path, value, schema);
            if one.is_ok() {
                return one;
            }
            why = why.and(one);
        }
        why
    }

    fn could_be(&self, value: &Value, schema: &Value) -> bool {
        if let Some(schema) = self.referred(schema) {
            return self.could_be(value, schema);
        }
        let is = |kind: &Value| match kind.as_str().unwrap_or_default() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" | "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        };
        let is_of_type = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().any(is),
            Some(kind) => is(kind),
            None => true,
        };
        is_of_type && schema.get("properties").and_then(Value::as_object).is_none_or(|all| is_tagged(value, all))
    }

    fn referred(&self, schema: &Value) -> Option<&Value> {
        self.definitions?.get(schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?)
    }
}

/// Are the fields that say which alternative it is those of this one?
fn is_tagged(value: &Value, properties: &Map<String, Value>) -> bool {
    let mut tags = properties.iter().filter_map(|(name, schema)| Some((name, schema.get("const")?)));
    tags.all(|(name, tag)| value.get(name).is_none_or(|given| given == tag))
}

fn list<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Numbers by their value, texts by their bytes, lists by their items. A text has at least so many characters, too: that is what
/// `minLength` means to whoever reads the schema.
fn size(path: &str, value: &Value, schema: &Value) -> Result<(), CommandError> {
    let (size, least, most, unit) = match value {
        Value::Number(number) => (number.as_f64(), "minimum", "maximum", ""),
        Value::String(text) => (Some(text.len() as f64), "minLength", "maxLength", " bytes"),
        Value::Array(items) => (Some(items.len() as f64), "minItems", "maxItems", " items"),
        _ => return Ok(()),
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let (Value::String(text), Some(least)) = (value, bound(least))
        && ((text.chars().count() as f64) < least)
    {
        return Err(CommandError::parameter(
            path,
            &format!("at least {least} characters, not {}", text.chars().count()),
        ));
    }
    let (Some(size), least, most) = (size, bound(least), bound(most)) else { return Ok(()) };
    if least.is_none_or(|least| size >= least) && most.is_none_or(|most| size <= most) {
        return Ok(());
    }
    let expected = match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}{unit}, not {size}"),
        (Some(least), None) => format!("at least {least}{unit}, not {size}"),
        (_, most) => format!("at most {}{unit}, not {size}", most.unwrap_or_default()),
    };
    Err(CommandError::parameter(path, &expected))
}

/// A value out of a short list. What was given instead is not repeated: it may be a secret in the wrong place.
fn one_of(path: &str, value: &Value, schema: &Value) -> Result<(), CommandError> {
    let known = list(schema, "enum");
    if known.is_empty() || known.contains(value) {
        return Ok(());
    }
    let known: Vec<&str> = known.iter().filter_map(Value::as_str).collect();
    Err(CommandError::parameter(path, &format!("one of {}", known.join(", "))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::command::TABLE;

    /// Keywords that limit nothing, or what the types look at that the parameters are read into.
    const BY_TYPES: [&str; 17] = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "default",
        "description",
        "format",
        "items",
        "oneOf",
        "properties",
        "required",
        "title",
        "type",
        "x-form",
    ];
    const HERE: [&str; 7] = ["enum", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum"];

    /// A value that a keyword forbids.
    fn beyond(keyword: &str, bound: &Value) -> Option<Value> {
        let number = bound.as_u64();
        Some(match keyword {
            "maximum" => json!(number? + 1),
            "minimum" => json!(number?.checked_sub(1)?),
            "maxLength" => json!("a".repeat(usize::try_from(number?).ok()? + 1)),
            "minLength" => json!("a".repeat(usize::try_from(number?.checked_sub(1)?).ok()?)),
            "maxItems" => json!(vec![Value::Null; usize::try_from(number?).ok()? + 1]),
            "minItems" => json!(vec![Value::Null; usize::try_from(number?.checked_sub(1)?).ok()?]),
            "enum" => json!("none of them"),
            "pattern" => json!("\u{1}"),
            _ => return None,
        })
    }

    /// All bounds of a schema: where they are, with a request in which this one alone is broken.
    struct Walk<'a> {
        definitions: Option<&'a Value>,
        found: Vec<(String, &'a str, Value)>,
        keywords: BTreeSet<&'a str>,
    }

    impl<'a> Walk<'a> {
        fn walk(&mut self, path: &str, schema: &'a Value, around: &dyn Fn(Value) -> Value) {
            let Some(fields) = schema.as_object() else { return };
            for (keyword, bound) in fields {
                self.keywords.insert(keyword);
                if let Some(wrong) = beyond(keyword, bound) {
                    self.found.push((path.to_owned(), keyword, around(wrong)));
                }
                match keyword.as_str() {
                    "$ref" => {
                        let name = bound.as_str().and_then(|path| path.strip_prefix("#/$defs/")).expect("a definition");
                        let definition = self.definitions.and_then(|all| all.get(name)).expect("is there");
                        self.walk(path, definition, around);
                    }
                    "properties" => {
                        let all = bound.as_object().expect("properties");
                        let tags =
                            all.iter().filter_map(|(name, schema)| Some((name.clone(), schema.get("const")?.clone())));
                        let tags: Map<String, Value> = tags.collect();
                        for (name, schema) in all {
                            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                            let with_tags = |value| {
                                let mut fields = tags.clone();
                                fields.insert(name.clone(), value);
                                around(fields.into())
                            };
                            self.walk(&inner, schema, &with_tags);
                        }
                    }
                    "items" => self.walk(&format!("{path}[0]"), bound, &|value| around(json!([value]))),
                    "additionalProperties" if bound.is_object() => {
                        let inner = if path.is_empty() { "x".to_owned() } else { format!("{path}.x") };
                        self.walk(&inner, bound, &|value| around(json!({"x": value})));
                    }
                    "anyOf" | "oneOf" | "allOf" => {
                        bound.as_array().expect("a list").iter().for_each(|schema| self.walk(path, schema, around));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Four bytes are not four characters.
    #[test]
    fn a_short_text_of_long_characters_is_short() {
        let schema = json!({"minLength": 4, "maxLength": 6});
        for (text, is_good) in [("abcd", true), (",\u{f3}f", false), ("\u{f3}\u{f3}\u{f3}", false), ("\u{f3}abc", true)]
        {
            assert_eq!(size("code", &json!(text), &schema).is_ok(), is_good, "{text}");
        }
        let error = size("code", &json!("\u{f3}\u{f3}\u{f3}\u{f3}"), &schema).expect_err("eight bytes");
        assert!(error.text.contains("4 to 6 bytes, not 8"), "{}", error.text);
    }

    #[test]
    fn every_bound_of_every_row_is_looked_at() {
        let mut count = 0;
        for row in TABLE.iter().copied() {
            let schema = &row.shapes().parameters;
            let root = schema.as_value();
            let mut walk = Walk { definitions: root.get("$defs"), found: Vec::new(), keywords: BTreeSet::new() };
            walk.walk("", root, &|value| value);
            for keyword in &walk.keywords {
                let is_known = HERE.contains(keyword) || BY_TYPES.contains(keyword) || *keyword == "pattern";
                assert!(is_known, "{}: nobody looks at {keyword}", row.name);
            }
            for (path, keyword, wrong) in walk.found {
                count += 1;
                // What the types look at is refused by them; all else by the check, whatever else is missing.
                let error = check(schema, &wrong).and_then(|()| (row.read)(schema, wrong.clone()).map(|_| ()));
                let error = error.expect_err(&format!("{}: {keyword} of {path}: {wrong}", row.name));
                assert_eq!(error.field.as_deref(), Some(path.as_str()), "{}: {keyword}: {error}", row.name);
            }
        }
        assert!(count > 150, "{count} bounds");
    }
}

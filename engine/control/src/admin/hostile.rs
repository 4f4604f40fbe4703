//! Lines that are nearly a command: each is read, or refused in words that repeat no value, and nothing panics.
//! `LINCHPIN_HOSTILE=1000000` tries as many.

use serde_json::{Map, Value, json};

use super::parse;
use crate::command::{Row, TABLE};
use crate::limits;

/// Stands for a secret in a wrong place.
const SECRET: &str = "canary-secret-4711";

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift64: the same lines at every run.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// A value that is nobody's.
fn strange(dice: &mut Dice) -> Value {
    match dice.below(12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e300),
        5 => json!([]),
        6 => json!({}),
        7 => json!(SECRET.repeat(1 + dice.below(400))),
        8 => json!({SECRET.split('-').next().unwrap_or_default(): SECRET}),
        9 => json!([SECRET, [SECRET], {"a": SECRET}]),
        10 => (0..dice.below(200)).fold(json!(SECRET), |inner, _| json!([inner])),
        _ => json!(SECRET),
    }
}

/// A value as its schema wants it, now and then with something strange in it.
fn value(schema: &Value, whole: &Value, dice: &mut Dice, depth: usize) -> Value {
    if dice.below(12) == 0 || depth > 6 {
        return strange(dice);
    }
    let named = schema["$ref"].as_str().and_then(|path| whole.pointer(path.trim_start_matches('#')));
    if let Some(named) = named {
        return value(named, whole, dice, depth + 1);
    }
    for of in ["anyOf", "oneOf", "enum"] {
        let Some(choices) = schema[of].as_array() else { continue };
        let choice = &choices[dice.below(choices.len())];
        return if of == "enum" { choice.clone() } else { value(choice, whole, dice, depth + 1) };
    }
    if let Some(only) = schema.get("const") {
        return only.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[dice.below(kinds.len())].as_str().unwrap_or_default().to_owned(),
        kind => kind.as_str().unwrap_or_default().to_owned(),
    };
    match kind.as_str() {
        "string" => json!(["a", "V1", "1", SECRET, "x@y.example", "2026-11-29", ""][dice.below(7)]),
        "integer" => json!([0, 1, 2, 60, 65_536, 1u64 << 40][dice.below(6)]),
        "number" => json!(dice.below(1_000) as f64 / 7.0),
        "boolean" => json!(dice.below(2) == 0),
        "array" => (0..dice.below(3)).map(|_| value(&schema["items"], whole, dice, depth + 1)).collect(),
        "object" => object(schema, whole, dice, depth),
        "null" => Value::Null,
        _ => strange(dice),
    }
}

fn object(schema: &Value, whole: &Value, dice: &mut Dice, depth: usize) -> Value {
    let needed = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut made = Map::new();
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if dice.below(16) > 0 && (needed(name) || dice.below(3) == 0) {
            made.insert(name.clone(), value(schema, whole, dice, depth + 1));
        }
    }
    if dice.below(24) == 0 {
        made.insert("unknown".to_owned(), strange(dice));
    }
    Value::Object(made)
}

fn line(row: &Row, dice: &mut Dice) -> Vec<u8> {
    let schema = row.shapes().parameters.as_value();
    let mut asked = object(schema, schema, dice, 0);
    asked["command"] = json!(row.name);
    asked["id"] = json!(7);
    let mut bytes = asked.to_string().into_bytes();
    // One of four is damaged on its way.
    for _ in 0..[0, 0, 0, 1 + dice.below(3)][dice.below(4)] {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, b"\"{}[],:\\\0"[dice.below(9)]),
            2 if !bytes.is_empty() => bytes[at] = dice.below(256) as u8,
            _ => bytes.splice(at..at, b"\"a\":".repeat(dice.below(3))).for_each(drop),
        }
    }
    bytes
}

/// True: it is read.
fn try_line(bytes: &[u8]) -> bool {
    let (_, asked) = parse(bytes);
    let read = asked.and_then(|(row, parameters)| {
        let schema = &row.shapes().parameters;
        let written = (row.read)(schema, parameters)?;
        let again = (row.read)(schema, written.clone());
        assert_eq!(again.ok().as_ref(), Some(&written), "{} is not read as it was written", row.name);
        Ok(())
    });
    let Err(error) = read else { return true };
    let (said, line) = (serde_json::to_string(&error).expect("an error is JSON"), String::from_utf8_lossy(bytes));
    assert!(!error.to_string().is_empty(), "no words for {line}");
    assert!(!said.contains(SECRET) && said.len() < limits::LINE_BYTES, "{said}\nfor {line}");
    false
}

#[test]
fn any_line_at_the_admin_socket_is_read_or_refused_in_words() {
    let times = std::env::var("LINCHPIN_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(5_000usize);
    let (mut dice, mut read) = (Dice(0x9e37_79b9_7f4a_7c15), 0);
    for at in 0..times {
        let row = TABLE[at % TABLE.len()];
        read += usize::from(try_line(&line(row, &mut dice)));
    }
    // Both happen often.
    assert!(read > times / 10 && read < times * 9 / 10, "{read} of {times} are read");
}

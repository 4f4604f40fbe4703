//! docs/admin.md is made from the table of commands.

use std::fmt::Write as _;
use std::path::PathBuf;

use linchpin_control::access::Permission;
use linchpin_control::{Code, Row, TABLE};
use serde_json::{Map, Value, json};

const HEAD: &str = "\
# Commands of operators

`DATA/admin.sock` is a Unix socket with mode 0600; peers other than the server's own user and root are refused. One JSON
object a line (at most 64 KiB), one answer a line, with the `id` of its request. The command line uses it.

    {\"id\": 7, \"command\": \"device.show\", \"device\": 3}
    {\"id\": 7, \"ok\": {...}}
    {\"id\": 7, \"error\": {\"code\": \"no-such-device\", \"text\": \"there is no device 3: `linchpin device list` shows them\"}}

Unknown parameters are refused. What **follows** an answer comes a line each, until the server ends it or the asker sends
anything or goes away; an error is an end too:

    {\"id\": 7, \"item\": {...}}
    {\"id\": 7, \"end\": true}

The commands `keys`, `erase`, `store`, `backup`, `org`, `upgrade`, `audit`, `access` and `admin` of the command line work
without a server too, on the store itself; of `cert` those that only look.

This page is made from the table in `engine/control/src/command/table.rs` (`LINCHPIN_BLESS=1 cargo test -p linchpin-control
--test reference`).
";

#[test]
fn the_page_of_commands_is_what_the_table_says() {
    let mut page = HEAD.to_owned();
    for row in TABLE.iter().copied() {
        command(&mut page, row);
    }
    page += "\n## Error codes\n\n| code | over HTTP | status | meaning |\n|---|---|---|---|\n";
    for code in Code::ALL {
        let _ = writeln!(page, "| `{code}` | {} | {} | {} |", code.number(), code.status(), code.meaning());
    }
    page += "\n## Permissions\n\nAn operator has all of them.\n\n| permission | allows |\n|---|---|\n";
    for permission in Permission::ALL {
        let _ = writeln!(page, "| `{permission}` | {} |", permission.meaning());
    }
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/admin.md"));
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(&path, &page).expect("writes the page");
    }
    let written = std::fs::read_to_string(path).expect("the page");
    assert!(written == page, "docs/admin.md is old: LINCHPIN_BLESS=1 cargo test -p linchpin-control --test reference");
}

#[test]
fn the_published_openapi_is_what_the_server_serves() {
    let document = linchpin_control::http::openapi();
    let text = serde_json::to_string_pretty(&document).expect("JSON") + "\n";
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"));
    if std::env::var_os("LINCHPIN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("writes the document");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == text,
        "docs/openapi.json is old: LINCHPIN_BLESS=1 cargo test -p linchpin-control --test reference"
    );
    // Every reference leads somewhere, and every parameter of a path is there.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.iter().all(|path| document.pointer(path.trim_start_matches('#')).is_some()), "{found:?}");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let named = operation["parameters"].as_array().expect("a list").iter().filter(|one| one["in"] == "path");
            let named: Vec<_> = named.filter_map(|one| one["name"].as_str()).collect();
            let wanted: Vec<_> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(named, wanted, "{method} {path}");
        }
    }
}

fn command(page: &mut String, row: &Row) {
    let shapes = row.shapes();
    let parameters = shapes.parameters.as_value();
    let _ = write!(page, "\n## {}\n\n{}\n\n", row.name, text(parameters));
    let _ = writeln!(page, "Needs {}; audit: {}.\n", row.needs, row.audit.name());
    if let Some(route) = row.route {
        let _ = writeln!(page, "Over HTTP: `{} {}`.\n", route.method, route.path);
    }
    if parameters.get("properties").is_some_and(|properties| properties.as_object().is_some_and(|all| !all.is_empty()))
    {
        page.push_str("| parameter | type | meaning |\n|---|---|---|\n");
        fields(page, "", parameters, parameters, true);
        page.push('\n');
    }
    answer(page, "Answer", shapes.answer.as_value());
    if let Some(item) = &shapes.item {
        page.push('\n');
        answer(page, "Then follows, again and again", item.as_value());
    }
}

/// An answer: what it is, and its fields.
fn answer(page: &mut String, title: &str, root: &Value) {
    let (inner, many) = match root.get("items") {
        Some(items) => (resolve(items, root), "A list. Each: "),
        None => (root, ""),
    };
    if inner.get("type") == Some(&json!("string")) {
        let _ = writeln!(page, "{title}: a list of texts.");
        return;
    }
    let _ = writeln!(page, "{title}: {many}{}\n\n| field | type | meaning |\n|---|---|---|", text(inner));
    fields(page, "", inner, root, false);
}

fn text(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let Some(path) = schema.get("$ref").and_then(Value::as_str) else { return schema };
    root.pointer(path.trim_start_matches('#')).unwrap_or_else(|| panic!("{path} is not in the schema"))
}

/// The alternatives of a schema; of an optional one without its null.
fn alternatives<'a>(schema: &'a Value, root: &'a Value) -> Vec<&'a Value> {
    let list = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(*name)).and_then(Value::as_array);
    let is_null = |schema: &&Value| schema.get("type") == Some(&json!("null"));
    match list {
        Some(list) => list.iter().map(|one| resolve(one, root)).filter(|one| !is_null(one)).collect(),
        None => vec![resolve(schema, root)],
    }
}

/// Rows of a schema's fields, those of lists and objects in it behind their own.
fn fields(page: &mut String, before: &str, schema: &Value, root: &Value, is_asked: bool) {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    // What must be given comes first.
    let mut names: Vec<_> = properties.keys().collect();
    names.sort_by_key(|name| is_asked && !required.contains(&json!(name)));
    for name in names {
        let field = &properties[name];
        let path = format!("{before}{name}");
        let default = field.get("default").filter(|value| !value.is_null());
        let note = match default {
            Some(value) if is_asked => format!("; {} without it", bare(value)),
            None if is_asked && !required.contains(&json!(name)) => "; optional".to_owned(),
            _ => String::new(),
        };
        let shape = kind(field, root);
        assert!(!text(field).is_empty(), "{path} says nothing of itself");
        let _ = writeln!(page, "| `{path}` | {shape}{note} | {} |", text(field));
        for one in alternatives(field, root) {
            match one.get("items").map(|items| resolve(items, root)) {
                Some(items) if items.get("$ref").is_none() && !is_figures(items) => {
                    fields(page, &format!("{path}[]."), items, root, is_asked);
                }
                _ => fields(page, &format!("{path}."), one, root, is_asked),
            }
        }
        for one in alternatives(field, root) {
            for variant in one.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
                if let Some(tag) = variant.pointer("/properties/type/const").and_then(Value::as_str) {
                    let _ = writeln!(page, "| `{path}.type` | `{tag}` | {} |", text(variant));
                    let mut inner = variant.clone();
                    inner["properties"].as_object_mut().expect("fields").remove("type");
                    fields(page, &format!("{path}."), &inner, root, is_asked);
                }
            }
        }
    }
    if is_figures(schema) {
        let _ = writeln!(page, "| {before}*figures* | number, true or false, or object | See docs/metrics.md. |");
    }
}

/// Figures by the keys of their counters: docs/metrics.md lists them.
fn is_figures(schema: &Value) -> bool {
    schema.get("additionalProperties").is_some_and(|inner| inner.pointer("/$ref") == Some(&json!("#/$defs/Figure")))
}

fn bare(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => other.to_string(),
    }
}

/// A type in words, with its range.
fn kind(schema: &Value, root: &Value) -> String {
    let inner = alternatives(schema, root);
    if inner.len() > 1 {
        return words(&inner);
    }
    let inner = inner[0];
    if let Some(words_of) = inner.get("enum").or_else(|| inner.get("oneOf")).and_then(Value::as_array) {
        return words(&words_of.iter().collect::<Vec<_>>());
    }
    let names = match inner.get("type") {
        Some(Value::Array(names)) => names.iter().filter(|name| **name != "null").filter_map(Value::as_str).next(),
        Some(name) => name.as_str(),
        None => None,
    };
    let base = match names {
        Some("integer") => "number",
        Some("string") => "text",
        Some("boolean") => "true or false",
        Some("array") => "list",
        _ if inner.get("additionalProperties").is_some() => "object by name",
        other => other.unwrap_or("object"),
    };
    // A range of the field itself goes before that of its type.
    let bound =
        |names: [&str; 3]| names.iter().find_map(|name| schema.get(*name).or_else(|| inner.get(*name))).cloned();
    let (least, most) = (bound(["minimum", "minLength", "minItems"]), bound(["maximum", "maxLength", "maxItems"]));
    let unit = if base == "text" { " bytes" } else { "" };
    let is_type = |bound: &Value| ["255", "65535", "4294967295"].contains(&bound.to_string().as_str());
    match (least, most) {
        (Some(least), Some(most)) if least == most => format!("{base}, {least}{unit}"),
        (Some(least), Some(most)) if !is_type(&most) => format!("{base}, {least} to {most}{unit}"),
        (None, Some(most)) if !is_type(&most) => format!("{base}, at most {most}{unit}"),
        (Some(least), _) if least != json!(0) => format!("{base}, at least {least}{unit}"),
        _ => base.to_owned(),
    }
}

fn words(list: &[&Value]) -> String {
    let word = |one: &&Value| match one {
        Value::String(text) => format!("`{text}`"),
        one => match one.get("const").or_else(|| one.pointer("/properties/type/const")) {
            Some(word) => format!("`{}`", word.as_str().unwrap_or_default()),
            None => kind(one, one),
        },
    };
    list.iter().map(word).collect::<Vec<_>>().join(", ")
}

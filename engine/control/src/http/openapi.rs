//! OpenAPI 3.1 of the routes, made from the rows of the table: their schemas are JSON Schema 2020-12, as it takes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::parameters::is_of;
use crate::command::{Needs, Row, TABLE};

/// The document.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for row in TABLE.iter().copied() {
        let Some(route) = row.route else { continue };
        let operation = operation(row, &mut schemas);
        paths.entry(route.path).or_default().insert(route.method.to_ascii_lowercase(), operation);
    }
    schemas.insert("Problem".to_owned(), problem());
    let mut of_platform = problem();
    of_platform["description"] =
        "Why a request failed, with the message where programs of Blynk's Platform API look for it.".into();
    let message = json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]});
    schemas.insert("Refusal".to_owned(), refusal(&message));
    of_platform["properties"]["error"] = message;
    schemas.insert("PlatformProblem".to_owned(), of_platform);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Linchpin",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Organizations, people, roles, keys and the audit log. Who may do what: docs/permissions.md.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
            },
        },
    })
}

fn refusal(message: &Value) -> Value {
    json!({
        "type": "object",
        "description": "Why a request was not looked at: too long, badly framed, too much at once.",
        "required": ["error"],
        "properties": {"error": message},
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Why a request failed (RFC 9457).",
        "required": ["status", "title", "code", "detail", "request"],
        "properties": {
            "status": {"type": "integer"},
            "title": {"type": "string", "description": "What the code means."},
            "code": {"type": "string", "description": "For programs: docs/admin.md lists them."},
            "detail": {"type": "string", "description": "What happened, with the value and the limit."},
            "field": {"type": "string", "description": "The parameter that it is about."},
            "request": {"type": "string", "description": "The number of the request, as in the audit log."},
        },
    })
}

/// A schema with its definitions moved to the components.
fn moved(schema: &Value, schemas: &mut BTreeMap<String, Value>) -> Value {
    let mut schema = schema.clone();
    let Some(fields) = schema.as_object_mut() else { return schema };
    fields.remove("$schema");
    if let Some(Value::Object(definitions)) = fields.remove("$defs") {
        for (name, mut definition) in definitions {
            refer(&mut definition);
            schemas.insert(name, definition);
        }
    }
    refer(&mut schema);
    schema
}

/// References lead to the components.
fn refer(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(path)) = fields.get_mut("$ref")
                && let Some(name) = path.strip_prefix("#/$defs/")
            {
                *path = format!("#/components/schemas/{name}");
            }
            fields.values_mut().for_each(refer);
        }
        Value::Array(items) => items.iter_mut().for_each(refer),
        _ => {}
    }
}

fn operation(row: &Row, schemas: &mut BTreeMap<String, Value>) -> Value {
    let route = row.route.unwrap_or(crate::Route { method: "", path: "" });
    let shapes = row.shapes();
    let mut request = moved(shapes.parameters.as_value(), schemas);
    let description = request.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
    let mut parameters = Vec::new();
    let in_path: Vec<&str> =
        route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    for name in in_path {
        let own = format!("in_{name}");
        let key = if request["properties"].get(&own).is_some() { own.as_str() } else { name };
        parameters.push(parameter(&mut request, key, name, "path"));
    }
    let has_body = !matches!(route.method, "GET" | "DELETE");
    if !has_body {
        let names: Vec<String> =
            request["properties"].as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
        parameters.extend(names.iter().map(|name| parameter(&mut request, name, name, "query")));
    }
    let mut operation = json!({
        "operationId": row.name,
        "tags": [row.name.split('.').next().unwrap_or_default()],
        "description": description,
        "parameters": parameters,
        "responses": responses(row, schemas),
        "x-needs": row.needs.to_string(),
        "x-audit": row.audit.name(),
    });
    if has_body {
        let is_needed = request.get("required").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
        let media =
            if request.get("x-form").is_some() { "application/x-www-form-urlencoded" } else { "application/json" };
        operation["requestBody"] = json!({"required": is_needed, "content": {media: {"schema": request}}});
    }
    if row.needs != Needs::Nobody {
        operation["security"] = match row.needs {
            Needs::In(_) => json!([{"key": []}, {"session": []}]),
            _ => json!([{"session": []}]),
        };
    }
    operation
}

/// Take one property out of the request: it comes by the path or the query.
fn parameter(request: &mut Value, key: &str, name: &str, place: &str) -> Value {
    let mut schema = request["properties"].as_object_mut().and_then(|all| all.remove(key)).unwrap_or_default();
    let mut is_needed = place == "path";
    if let Some(required) = request.get_mut("required").and_then(Value::as_array_mut) {
        is_needed |= required.iter().any(|known| known == key);
        required.retain(|known| known != key);
    }
    let description = schema.as_object_mut().and_then(|fields| fields.remove("description"));
    if place == "query" {
        schema = or_empty(schema);
    }
    let mut parameter = json!({"name": name, "in": place, "required": is_needed, "schema": schema});
    if let Some(description) = description {
        parameter["description"] = description;
    }
    parameter
}

/// An empty value of a query is none, where there may be none; where there may be a text it is that.
fn or_empty(mut schema: Value) -> Value {
    if let Some(alternatives) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        if alternatives.iter().any(|one| one["type"] == "null") {
            alternatives.push(json!({"const": ""}));
        }
        return schema;
    }
    let takes_empty = is_of(&schema, "null") && !is_of(&schema, "string");
    if takes_empty { json!({"anyOf": [schema, {"const": ""}]}) } else { schema }
}

/// Rows whose items are written as a file, and as which; those of the others are a line of JSON each.
const FILES: [(&str, &[&str]); 4] = [
    ("me.export", &["application/x-tar"]),
    ("privacy.export", &["application/x-tar"]),
    ("fleet.export", &["text/csv"]),
    ("fleet.export-history", &["text/csv", "application/json"]),
];

/// What the items of a row look like.
fn items(row: &Row, item: &Value) -> Value {
    match FILES.iter().find(|(name, _)| *name == row.name) {
        Some((_, media)) => {
            let content: Map<String, Value> = media.iter().map(|media| ((*media).to_owned(), json!({}))).collect();
            json!({"description": "A file.", "content": content})
        }
        None => json!({"description": "A line each.", "content": {"application/x-ndjson": {"schema": item}}}),
    }
}

fn responses(row: &Row, schemas: &mut BTreeMap<String, Value>) -> Value {
    let shapes = row.shapes();
    let answer = moved(shapes.answer.as_value(), schemas);
    let good = match &shapes.item {
        Some(item) => {
            let item = moved(item.as_value(), schemas);
            items(row, &item)
        }
        None if answer.get("type").is_some_and(|kind| kind == "null") => json!({"description": "It is done."}),
        None => json!({"description": "The answer.", "content": {"application/json": {"schema": answer}}}),
    };
    let is_platform = row.route.is_some_and(|route| route.is_platform());
    let of = |name: &str| json!({"schema": {"$ref": format!("#/components/schemas/{name}")}});
    // What is no request that the API could look at is answered before it, as the device API answers.
    let content = if is_platform {
        json!({"application/json": {"schema": {"anyOf": [of("PlatformProblem")["schema"], of("Refusal")["schema"]]}}})
    } else {
        json!({"application/problem+json": of("Problem"), "application/json": of("Refusal")})
    };
    json!({"2XX": good, "default": {"description": "It was not done.", "content": content}})
}

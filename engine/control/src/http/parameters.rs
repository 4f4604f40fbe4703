//! From a request to the parameters of its row: those of the path, of the query, and of the body. Each name comes from one
//! place only, so that nothing in a body takes the place of what the path says.

use std::pin::Pin;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use linchpin_protocol::http::Target;
use schemars::Schema;
use serde_json::{Map, Value};

use crate::limits::{API_BODY_BYTES, API_PARAMETERS};
use crate::{Code, CommandError};

/// All parameters of a request.
///
/// # Errors
/// The body is too long, of another kind, no JSON object; a name is there twice.
pub(super) async fn parameters(
    schema: &Schema,
    path: &[(String, String)],
    target: &str,
    (headers, body): (&HeaderMap, Body),
) -> Result<Value, CommandError> {
    let mut found = match bytes_of(headers, body).await? {
        bytes if bytes.is_empty() => Map::new(),
        bytes => body_of(schema, headers, &bytes)?,
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec());
    let query = Target::parse(target);
    let query = query.pairs().map(|(name, value)| Some((text(&name).ok()?, text(&value).ok()?)));
    // A body may have a field of the same name: then the request calls that of the path `in_NAME`.
    let of_path = |(name, value): &(String, String)| {
        let own = format!("in_{name}");
        let is_own = schema.get("properties").is_some_and(|all| all.get(&own).is_some());
        Some((if is_own { own } else { name.clone() }, value.clone()))
    };
    for (count, pair) in path.iter().map(of_path).chain(query).enumerate() {
        let (name, value) = pair
            .filter(|_| count < API_PARAMETERS)
            .ok_or_else(|| CommandError::new(Code::BadParameter, "the query is no UTF-8, or is too long"))?;
        let value = typed(schema, &name, value);
        if found.insert(name.clone(), value).is_some() {
            let text = format!("parameter {name:?} is there twice: in the path, the query or the body");
            return Err(CommandError::new(Code::BadParameter, text).about(&name));
        }
    }
    Ok(Value::Object(found))
}

async fn bytes_of(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, CommandError> {
    let too_long = || {
        let text = format!("a body of more than {API_BODY_BYTES} bytes is not read");
        CommandError::new(Code::LineTooLong, text)
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > API_BODY_BYTES) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while !body.is_end_stream() {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| CommandError::new(Code::BadJson, "the body ended before its length"))?;
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
        if bytes.len() > API_BODY_BYTES {
            return Err(too_long());
        }
    }
    Ok(bytes)
}

/// JSON; of OAuth's routes what forms send, because the standard says so.
fn body_of(schema: &Schema, headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Value>, CommandError> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let takes_forms = schema.get("x-form").is_some();
    if takes_forms && media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let text = std::str::from_utf8(bytes).map_err(|_| CommandError::new(Code::BadJson, "the body is no UTF-8"))?;
        let line = format!("/?{text}");
        let mut found = Map::new();
        for (name, value) in Target::parse(&line).pairs() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let (name, value) = (text(&name), text(&value));
            if found.insert(name.clone(), typed(schema, &name, value)).is_some() {
                return Err(CommandError::new(Code::BadParameter, "a parameter is there twice").about(&name));
            }
        }
        return Ok(found);
    }
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(CommandError::new(Code::UnsupportedMedia, "the body must be application/json"));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(CommandError::new(Code::BadJson, "the body must be one JSON object")),
    }
}

/// Text of a path or query as its schema wants it; what does not fit stays a text, and is refused as such.
fn typed(schema: &Schema, name: &str, text: String) -> Value {
    let property = schema.get("properties").and_then(|all| all.get(name));
    let Some(property) = property else { return Value::String(text) };
    let text_again = || Value::String(text.clone());
    if is_of(property, "array") {
        let item = property.get("items").cloned().unwrap_or_default();
        return text.split(',').filter(|part| !part.is_empty()).map(|part| scalar(&item, part)).collect();
    }
    if text.is_empty() && !is_of(property, "string") { Value::Null } else { scalar_or(property, &text, text_again()) }
}

fn scalar(schema: &Value, text: &str) -> Value {
    scalar_or(schema, text, Value::String(text.to_owned()))
}

fn scalar_or(schema: &Value, text: &str, otherwise: Value) -> Value {
    let number = || text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok();
    match text {
        "true" | "false" if is_of(schema, "boolean") => (text == "true").into(),
        _ if is_of(schema, "integer") => number().unwrap_or(otherwise),
        _ if is_of(schema, "number") => text.parse::<f64>().ok().map_or(otherwise, Value::from),
        _ => otherwise,
    }
}

/// Is it of this type, or is one of its alternatives?
pub(super) fn is_of(schema: &Value, wanted: &str) -> bool {
    let one = match schema.get("type") {
        Some(Value::String(kind)) => kind == wanted,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        _ => false,
    };
    let of_any = |list: &Value| list.as_array().is_some_and(|all| all.iter().any(|schema| is_of(schema, wanted)));
    one || ["anyOf", "oneOf"].into_iter().filter_map(|name| schema.get(name)).any(of_any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        let value = json!({"type": "object", "properties": {
            "org": {"type": "integer"}, "below": {"type": ["boolean", "null"]}, "q": {"type": "string"},
            "pins": {"type": "array", "items": {"type": "string"}}, "after": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        }});
        value.try_into().expect("a schema")
    }

    fn read(path: &[(&str, &str)], target: &str, media: &str, body: &'static str) -> Result<Value, CommandError> {
        let path: Vec<_> = path.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media.parse().expect("a value"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(parameters(&schema(), &path, target, (&headers, Body::from(body))))
    }

    #[test]
    fn texts_become_what_the_schema_wants() {
        let got = read(&[("org", "7")], "/x?below=true&q=12&pins=V1,V2&after=", "", "").expect("good");
        assert_eq!(got, json!({"org": 7, "below": true, "q": "12", "pins": ["V1", "V2"], "after": null}));
        let got = read(&[("org", "x")], "/x?below=maybe", "", "").expect("the row refuses it");
        assert_eq!(got, json!({"org": "x", "below": "maybe"}));
    }

    #[test]
    fn threat_16_a_body_takes_no_place_of_the_path() {
        let error = read(&[("org", "7")], "/x", "application/json", "{\"org\": 8}").expect_err("twice");
        assert_eq!((error.code, error.field.as_deref()), (Code::BadParameter, Some("org")));
        assert!(read(&[], "/x?q=1&q=2", "", "").is_err());
    }

    #[test]
    fn a_path_and_a_body_may_have_a_name_in_common() {
        let value = json!({"properties": {"in_org": {"type": "integer"}, "org": {"type": "array"}}});
        let schema: Schema = value.try_into().expect("a schema");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().expect("a value"));
        let path = [("org".to_owned(), "7".to_owned())];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let body = Body::from("{\"org\": [\"device.view\"]}");
        let got = runtime.block_on(parameters(&schema, &path, "/x", (&headers, body))).expect("good");
        assert_eq!(got, json!({"in_org": 7, "org": ["device.view"]}));
        let body = Body::from("{\"in_org\": 8}");
        assert!(runtime.block_on(parameters(&schema, &path, "/x", (&headers, body))).is_err());
    }

    #[test]
    fn threat_8_only_json_is_read() {
        for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            let error = read(&[], "/x", media, "{\"q\": \"1\"}").expect_err(media);
            assert_eq!(error.code, Code::UnsupportedMedia, "{media}");
        }
        assert!(read(&[], "/x", "application/json; charset=utf-8", "{\"q\": \"1\"}").is_ok());
        for body in ["[]", "1", "{", "null"] {
            assert_eq!(read(&[], "/x", "application/json", body).expect_err(body).code, Code::BadJson);
        }
    }
}

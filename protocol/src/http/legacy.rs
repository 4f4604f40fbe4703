//! The legacy server's API: `/{token}/...`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::{BATCH_POINTS, HTTP_WRITES, MAX_PUSH_CHARS};
use crate::model::{Pin, Token, is_known_property};

use super::api::{check_part, check_value, methods, written};
use super::history::legacy_history;
use super::pin_ref::pin_of;
use super::{Call, Dialect, Method, Reply, Request, Route, Target, What};

fn bad(message: &str) -> Reply {
    Reply::error(Dialect::Legacy, 400, message)
}

pub(super) fn route(target: &Target<'_>, request: &Request<'_>) -> Result<Route, Reply> {
    let mut segments = target.path.split('/').skip(1);
    let (first, verb) = (segments.next().unwrap_or_default(), segments.next());
    let Some(verb) = verb else {
        let message = "This port serves Blynk devices and their HTTP API: see the path /external/api/.";
        return Err(Reply::error(Dialect::Legacy, 404, message));
    };
    let rest: Vec<_> = segments.collect();
    let method = request.head.method;
    let is_get = matches!(method, Method::Get | Method::Head);
    if !is_legacy_verb(verb) {
        return Err(Reply::error(Dialect::Legacy, 404, "There is no such path."));
    }
    let writes_pin =
        method == Method::Put && matches!(verb, "update" | "pin") || method == Method::Post && verb == "pin";
    let is_right = match verb {
        "notify" | "email" => method == Method::Post,
        "extra" => method == Method::Put,
        _ => is_get || writes_pin,
    };
    if !is_right {
        return Err(Reply::wrong_method(Dialect::Legacy, methods(target.path)));
    }
    if request.head.bearer.is_some_and(|bearer| bearer != first) {
        return Err(bad("The path and the Authorization field have different tokens: send one."));
    }
    let token = Token::parse(first.as_bytes()).map_err(|_| bad("Invalid token."))?;
    let what = match (verb, rest.as_slice()) {
        ("project", []) => What::Project,
        ("isHardwareConnected", []) => What::IsConnected,
        ("isAppConnected", []) => What::IsAppConnected,
        ("rtc", []) => What::Clock,
        ("notify", []) => notify(request)?,
        ("email", []) => mail(request)?,
        ("qr", []) => {
            let text =
                "Project codes were for the Blynk app of old, which no shop has any more: give the device's token.";
            return Err(Reply::error(Dialect::Legacy, 410, text));
        }
        ("data", [pin]) => What::History(Box::new(legacy_history(pin_in(pin)?.into(), request))),
        ("update" | "pin", [pin]) if writes_pin => put(pin_in(pin)?, request)?,
        ("extra", ["pin", pin]) => extra(pin_in(pin)?, request)?,
        ("update", [pin]) => update(pin_in(pin)?, target)?,
        ("get" | "pin", [pin]) => What::Get([pin_in(pin)?.into()].into()),
        ("get" | "pin" | "update" | "data" | "extra", _) => return Err(bad("Wrong pin format.")),
        _ => return Err(Reply::error(Dialect::Legacy, 404, "There is no such path.")),
    };
    Ok(Route::Device { token, call: Call { dialect: Dialect::Legacy, what, over_tls: false } })
}

/// The second part of a legacy path, behind the token.
pub(super) fn is_legacy_verb(verb: &str) -> bool {
    let reads = ["get", "project", "isHardwareConnected", "isAppConnected", "rtc", "data", "qr"];
    reads.contains(&verb) || matches!(verb, "update" | "pin" | "extra" | "notify" | "email")
}

/// A JSON object, of which `name` is a text of 1 to `most` characters.
fn has_text(object: &serde_json::Value, name: &str, most: usize) -> bool {
    object.get(name).and_then(serde_json::Value::as_str).is_some_and(|text| (1..=most).contains(&text.chars().count()))
}

/// `{"body": TEXT}`.
fn notify(request: &Request<'_>) -> Result<What, Reply> {
    let object = serde_json::from_slice(&request.body).map_err(|_| bad("Wrong request format."))?;
    let is_right = has_text(&object, "body", MAX_PUSH_CHARS);
    if is_right { Ok(What::Notify) } else { Err(bad("Body is empty or larger than 255 chars.")) }
}

/// `{"to": ADDRESS, "subj": TEXT, "title": TEXT}`.
fn mail(request: &Request<'_>) -> Result<What, Reply> {
    let object = serde_json::from_slice(&request.body).map_err(|_| bad("Wrong request format."))?;
    let is_right = ["to", "subj"].iter().all(|name| has_text(&object, name, usize::MAX));
    if is_right { Ok(What::Mail) } else { Err(bad("Email body is wrong. Missing or empty fields 'to', 'subj'.")) }
}

fn pin_in(text: &str) -> Result<Pin, Reply> {
    pin_of(text.as_bytes()).ok_or_else(|| bad("Wrong pin format."))
}

/// `?value=a&value=b`, or `?PROPERTY=x`.
fn update(pin: Pin, target: &Target<'_>) -> Result<What, Reply> {
    let mut values = Vec::new();
    for (_, value) in target.assignments().filter(|(key, _)| &**key == b"value") {
        let value = value.ok_or_else(|| bad("A value needs its =: ?value=..."))?;
        check_part(Dialect::Legacy, &value)?;
        values.push(value);
    }
    if !values.is_empty() {
        return write(pin, values.join(&0));
    }
    let mut set: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
    for (key, value) in target.pairs() {
        let name = std::str::from_utf8(&key).ok().filter(|name| is_known_property(name));
        let name = name.ok_or_else(|| bad("Error setting widget property."))?;
        if value.is_empty() || set.len() >= HTTP_WRITES {
            return Err(bad("No properties for update provided."));
        }
        check_value(Dialect::Legacy, &value)?;
        check_part(Dialect::Legacy, &value)?;
        set.push((name.into(), value.into_owned().into()));
    }
    if set.is_empty() { Err(bad("No pin for update provided.")) } else { Ok(What::Property(pin.into(), set)) }
}

/// A JSON array of the value's parts.
fn put(pin: Pin, request: &Request<'_>) -> Result<What, Reply> {
    let wrong = || bad("Wrong request format.");
    let parts: Vec<&RawValue> = serde_json::from_slice(&request.body).map_err(|_| wrong())?;
    if parts.is_empty() {
        return Err(bad("No pin for update provided."));
    }
    let value: &RawValue = serde_json::from_slice(&request.body).map_err(|_| wrong())?;
    write(pin, written(value).ok_or_else(wrong)?)
}

/// A value of another time.
#[derive(Deserialize)]
struct ExtraPoint<'a> {
    /// Unix ms.
    timestamp: u64,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// A JSON array of values and their times.
fn extra(pin: Pin, request: &Request<'_>) -> Result<What, Reply> {
    let wrong = || bad("Wrong request format.");
    let rows: Vec<ExtraPoint<'_>> = serde_json::from_slice(&request.body).map_err(|_| wrong())?;
    if !(1..=BATCH_POINTS).contains(&rows.len()) {
        return Err(if rows.is_empty() { bad("No pin for update provided.") } else { wrong() });
    }
    let mut points = Vec::with_capacity(rows.len());
    for row in rows {
        let value = written(row.value).ok_or_else(wrong)?;
        check_value(Dialect::Legacy, &value)?;
        points.push((row.timestamp, value.into()));
    }
    Ok(What::Batch(pin.into(), points))
}

fn write(pin: Pin, value: Vec<u8>) -> Result<What, Reply> {
    check_value(Dialect::Legacy, &value)?;
    Ok(What::Update(vec![(pin.into(), value.into())]))
}

#[cfg(test)]
mod tests {
    use super::super::{Next, next_request, route};
    use super::*;

    const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

    fn ask(method: &str, path: &str, body: &str) -> Result<What, String> {
        let path = path.replace('@', TOKEN);
        let text = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let Ok(Next::Whole(request)) = next_request(text.as_bytes()) else { panic!("not whole: {text}") };
        match route(&request) {
            Ok(Route::Device { call, .. }) => Ok(call.what),
            Ok(other) => panic!("{other:?}"),
            Err(reply) => Err(format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))),
        }
    }

    #[test]
    fn calls_of_the_legacy_api() {
        let v1 = super::super::PinRef::Pin(Pin::new_virtual(1));
        let get = |path: &str| ask("GET", path, "");
        assert_eq!(get("/@/get/V1"), Ok(What::Get([v1].into())));
        assert_eq!(get("/@/pin/v1"), Ok(What::Get([v1].into())));
        assert_eq!(get("/@/update/v1?value=a&value=b"), Ok(What::Update(vec![(v1, (*b"a\0b").into())])));
        assert_eq!(
            get("/@/update/v1?label=My%20pin"),
            Ok(What::Property(v1, vec![("label".into(), (*b"My pin").into())]))
        );
        assert_eq!(get("/@/project"), Ok(What::Project));
        assert_eq!(get("/@/isHardwareConnected"), Ok(What::IsConnected));
        assert_eq!(get("/@/isAppConnected"), Ok(What::IsAppConnected));
        assert_eq!(get("/@/rtc"), Ok(What::Clock));
        let Ok(What::History(all)) = get("/@/data/V1") else { panic!("history") };
        assert_eq!((all.pin, all.output, &*all.host), (Some(v1), super::super::HistoryOutput::LegacyFile, "x"));
        assert_eq!(ask("POST", "/@/pin/v1", r#"["a"]"#), Ok(What::Update(vec![(v1, (*b"a").into())])));
        assert_eq!(ask("POST", "/@/notify", r#"{"body":"hot"}"#), Ok(What::Notify));
        assert_eq!(ask("POST", "/@/email", r#"{"to":"a@b.c","subj":"hot","title":""}"#), Ok(What::Mail));
        for path in ["/@/update/v1", "/@/pin/v1"] {
            assert_eq!(ask("PUT", path, r#"["a",1.50]"#), Ok(What::Update(vec![(v1, (*b"a\x001.50").into())])));
        }
        let points = r#"[{"timestamp":5,"value":1.50},{"value":"a","timestamp":4}]"#;
        let points = ask("PUT", "/@/extra/pin/v1", points);
        assert_eq!(points, Ok(What::Batch(v1, vec![(5, (*b"1.50").into()), (4, (*b"a").into())])));
    }

    #[test]
    fn mistakes_are_texts() {
        for (method, path, body, words) in [
            ("GET", "/short/get/v1", "", "400 Invalid token."),
            ("GET", "/@/get/x1", "", "400 Wrong pin format."),
            ("GET", "/@/get", "", "400 Wrong pin format."),
            ("GET", "/@/update/v1?value", "", "400 A value needs its ="),
            ("GET", "/@/update/v1?value=1%002", "", "400 A value may not contain NUL"),
            ("PUT", "/@/update/v1", r#"["a\u0000b"]"#, "400 Wrong request format."),
            ("GET", "/@/update/v1", "", "400 No pin for update provided."),
            ("GET", "/@/update/v1?colour=x", "", "400 Error setting widget property."),
            ("GET", "/@/update/v1?label=", "", "400 No properties for update provided."),
            ("PUT", "/@/update/v1", "", "400 Wrong request format."),
            ("PUT", "/@/update/v1", "{}", "400 Wrong request format."),
            ("PUT", "/@/update/v1", "[]", "400 No pin for update provided."),
            ("PUT", "/@/update/v1", "[[1]]", "400 Wrong request format."),
            ("GET", "/@/data", "", "400 Wrong pin format."),
            ("PUT", "/@/extra/pin/x1", "[]", "400 Wrong pin format."),
            ("PUT", "/@/extra/v1", "[]", "400 Wrong pin format."),
            ("PUT", "/@/extra/pin/v1", "[]", "400 No pin for update provided."),
            ("PUT", "/@/extra/pin/v1", r#"[{"value":1}]"#, "400 Wrong request format."),
            ("GET", "/@/extra/pin/v1", "", "405"),
            ("POST", "/@/notify", r#"{"body":""}"#, "400 Body is empty or larger than 255 chars."),
            ("POST", "/@/notify", "body", "400 Wrong request format."),
            ("POST", "/@/email", r#"{"to":"a@b.c"}"#, "400 Email body is wrong. Missing or empty fields 'to', 'subj'."),
            ("GET", "/@/qr", "", "410 Project codes"),
            ("GET", "/@/notify", "", "405"),
            ("POST", "/@/update/v1", "[]", "405"),
            ("GET", "/@/nothing", "", "404 There is no such path."),
            ("DELETE", "/@/get/v1", "", "405"),
            ("PUT", "/@/get/v1", "[]", "405"),
            ("GET", "/", "", "404 This port serves"),
        ] {
            let error = ask(method, path, body).expect_err(path);
            assert!(error.starts_with(words), "{method} {path}: {error}");
        }
    }
}

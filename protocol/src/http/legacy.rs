//! The legacy server's API: `/{token}/...`.

use crate::limits::HTTP_WRITES;
use crate::model::{Pin, Token, is_known_property};

use super::api::{check_part, check_value, methods, pin_of, text_of};
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
    let known = matches!(verb, "get" | "update" | "pin" | "project" | "isHardwareConnected" | "isAppConnected" | "rtc");
    if !known {
        return Err(Reply::error(Dialect::Legacy, 404, "There is no such path."));
    }
    let is_put = method == Method::Put && matches!(verb, "update" | "pin");
    if !is_get && !is_put {
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
        ("update" | "pin", [pin]) if method == Method::Put => put(pin_in(pin)?, request)?,
        ("update", [pin]) => update(pin_in(pin)?, target)?,
        ("get" | "pin", [pin]) => What::Get([pin_in(pin)?].into()),
        ("get" | "pin" | "update", _) => return Err(bad("Wrong pin format.")),
        _ => return Err(Reply::error(Dialect::Legacy, 404, "There is no such path.")),
    };
    Ok(Route::Device { token, call: Call { dialect: Dialect::Legacy, what, over_tls: false } })
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
        check_value(&value)?;
        check_part(Dialect::Legacy, &value)?;
        set.push((name.into(), value.into_owned().into()));
    }
    if set.is_empty() { Err(bad("No pin for update provided.")) } else { Ok(What::Property(pin, set)) }
}

/// A JSON array of the value's parts.
fn put(pin: Pin, request: &Request<'_>) -> Result<What, Reply> {
    let value: serde_json::Value = serde_json::from_slice(&request.body).map_err(|_| bad("Wrong request format."))?;
    if value.as_array().is_some_and(Vec::is_empty) {
        return Err(bad("No pin for update provided."));
    }
    let parts = value.as_array().and_then(|_| text_of(&value)).ok_or_else(|| bad("Wrong request format."))?;
    write(pin, parts)
}

fn write(pin: Pin, value: Vec<u8>) -> Result<What, Reply> {
    check_value(&value).map_err(|reply| Reply { content: super::Content::Text, ..reply })?;
    Ok(What::Update(vec![(pin, value.into())]))
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
        let v1 = Pin::new_virtual(1);
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
        for path in ["/@/update/v1", "/@/pin/v1"] {
            assert_eq!(ask("PUT", path, r#"["a","b"]"#), Ok(What::Update(vec![(v1, (*b"a\0b").into())])));
        }
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

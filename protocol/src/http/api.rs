//! The device API: which request asks what of which device. docs/device-api.yaml describes it for clients.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::limits::{
    BATCH_POINTS, HTTP_WRITES, MAX_EVENT_CODE_BYTES, MAX_META_NAME_BYTES, MAX_TEMPLATE_ID_BYTES, MAX_VALUE_BYTES,
};
use crate::model::{TemplateId, Token, is_known_property};

use super::head::MQTT_SUBPROTOCOL;
use super::history::history;
use super::pin_ref::{id_of, pin_of};
use super::{FieldRef, Head, History, Method, PinRef, Reply, Request, Target, legacy};

/// Which API was asked: they differ in how answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// `/external/api/...`: errors are JSON objects.
    Current,
    /// `/{token}/...`: errors are texts, values arrays of strings.
    Legacy,
}

/// What is asked of a device. Plain data: it may travel to another shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// How the answer looks.
    pub dialect: Dialect,
    /// What is asked.
    pub what: What,
    /// It came over TLS; the routes say no, their caller knows.
    pub over_tls: bool,
}

/// Pins and their new values, several parts joined by NUL.
pub type Writes = Vec<(PinRef, Box<[u8]>)>;

/// See [`Call`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Is the token good, and may a body of so many bytes follow? Asked before a long body is read.
    Upload(u32),
    /// Latest values of pins, at least one.
    Get(Box<[PinRef]>),
    /// All latest values.
    GetAll,
    /// Write pins: checked all first, then kept and sent to the device.
    Update(Writes),
    /// Points of one pin with their times, Unix ms.
    Batch(PinRef, Vec<(u64, Box<[u8]>)>),
    /// Set properties of a pin.
    Property(PinRef, Vec<(Box<str>, Box<[u8]>)>),
    /// Is the device connected?
    IsConnected,
    /// Is a watching app connected?
    IsAppConnected,
    /// An event happened: code, description.
    LogEvent(Box<str>, Box<str>),
    /// Read a field of the metadata.
    MetaGet(FieldRef),
    /// Write a field of the metadata.
    MetaSet(FieldRef, Box<str>),
    /// Values of the past.
    History(Box<History>),
    /// Is the token good, and does the device have this template? What a device asks before it logs in for the first time.
    Provision(Option<Box<str>>),
    /// Send a push notification to those who watch the device; legacy only.
    Notify,
    /// Send a mail; legacy only.
    Mail,
    /// What a legacy client calls its project.
    Project,
    /// The server's time.
    Clock,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a device.
    Device {
        /// Whose.
        token: Token,
        /// What is asked.
        call: Call,
    },
    /// The connection becomes a WebSocket.
    WebSocket {
        /// The subprotocol to agree to.
        protocol: Option<&'static str>,
    },
    /// A browser asks which methods it may use.
    Preflight {
        /// These.
        allow: &'static str,
    },
    /// An authority asks for the answer to its challenge (RFC 8555, 8.3): what the last part of the path is.
    Challenge(Box<str>),
}

/// Where challenges of authorities are answered.
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Where the current API lives.
const CURRENT: &str = "/external/api/";

/// Find out what a request asks.
///
/// # Errors
/// The answer that says what is wrong with it.
pub fn route(request: &Request<'_>) -> Result<Route, Reply> {
    let target = Target::parse(request.head.target);
    if target.path.starts_with("/websocket") {
        return if request.head.websocket_key.is_some() && request.head.method != Method::Get {
            Err(Reply::wrong_method(Dialect::Current, "GET"))
        } else if request.head.websocket_key.is_some() && target.path.starts_with("/websockets") {
            Ok(Route::WebSocket { protocol: None })
        } else {
            Err(Reply::error(Dialect::Current, 426, "This path is for WebSockets: send an upgrade request."))
        };
    }
    if target.path == "/mqtt" {
        return if request.head.websocket_key.is_some() && request.head.method != Method::Get {
            Err(Reply::wrong_method(Dialect::Current, "GET"))
        } else if request.head.websocket_key.is_some() && request.head.offers_mqtt {
            Ok(Route::WebSocket { protocol: Some(MQTT_SUBPROTOCOL) })
        } else {
            let text = "This path is for MQTT over WebSocket: send an upgrade request with the subprotocol mqtt.";
            Err(Reply::error(Dialect::Current, 426, text))
        };
    }
    if request.head.method == Method::Options {
        return Ok(Route::Preflight { allow: methods(target.path) });
    }
    if let Some(challenge) = target.path.strip_prefix(CHALLENGES) {
        return match request.head.method {
            Method::Get | Method::Head => Ok(Route::Challenge(challenge.into())),
            _ => Err(Reply::wrong_method(Dialect::Current, methods(target.path))),
        };
    }
    if let Some(path) = target.path.strip_prefix(CURRENT) {
        // The documentation writes paths with a slash at the end, too.
        return current(path.strip_suffix('/').unwrap_or(path), &target, request);
    }
    legacy::route(&target, request)
}

/// What a path may be asked with.
pub(super) fn methods(path: &str) -> &'static str {
    if matches!(path, "/external/api/batch/update" | "/external/api/batch/update/") {
        return "GET, HEAD, OPTIONS, POST";
    }
    let verb = path.split('/').nth(2).filter(|_| !path.starts_with(CURRENT));
    match verb {
        Some("update") => "GET, HEAD, OPTIONS, PUT",
        Some("pin") => "GET, HEAD, OPTIONS, POST, PUT",
        Some("extra") => "OPTIONS, PUT",
        Some("notify" | "email") => "OPTIONS, POST",
        _ => "GET, HEAD, OPTIONS",
    }
}

fn bad(message: &str) -> Reply {
    Reply::error(Dialect::Current, 400, message)
}

fn current(path: &str, target: &Target<'_>, request: &Request<'_>) -> Result<Route, Reply> {
    let post = path == "batch/update" && request.head.method == Method::Post;
    let known = [
        "get",
        "getAll",
        "update",
        "batch/update",
        "update/property",
        "isHardwareConnected",
        "logEvent",
        "data/get",
        "device/meta",
        "device/meta/update",
        "provision",
    ];
    if !known.contains(&path) {
        let message = "There is no such path: see the device API's description for those that exist.";
        return Err(Reply::error(Dialect::Current, 404, message));
    }
    if !post && !matches!(request.head.method, Method::Get | Method::Head) {
        return Err(Reply::wrong_method(Dialect::Current, methods(target.path)));
    }
    let token = token_of(target, request)?;
    let what = match path {
        "get" => What::Get(pins(target)?.into()),
        "getAll" => What::GetAll,
        "update" => What::Update(writes(target)?),
        "batch/update" if post => batch(target, request)?,
        "batch/update" => What::Update(writes(target)?),
        "update/property" => property(target)?,
        "isHardwareConnected" => What::IsConnected,
        "logEvent" => log_event(target)?,
        "data/get" => What::History(Box::new(history(target, named_pin(target)?, request)?)),
        "device/meta" => What::MetaGet(named_field(target)?),
        "provision" => provision(target)?,
        _ => meta_set(target)?,
    };
    Ok(Route::Device { token, call: Call { dialect: Dialect::Current, what, over_tls: false } })
}

/// The token that a request carries wherever it may stand, without judging the request: known before its body has come.
#[must_use]
pub fn token(head: &Head<'_>) -> Option<Token> {
    let target = Target::parse(head.target);
    let of_path = || target.path.split('/').nth(1).and_then(|first| Token::parse(first.as_bytes()).ok());
    match given_token(&target, head) {
        Ok(Some(given)) => Token::parse(&given).ok(),
        Ok(None) => of_path(),
        Err(TwoTokens) => None,
    }
}

/// The query and `Authorization: Bearer` name two devices: which of them is meant nobody can say.
struct TwoTokens;

fn given_token<'a>(target: &Target<'a>, head: &Head<'a>) -> Result<Option<Cow<'a, [u8]>>, TwoTokens> {
    let bearer = head.bearer.map(str::as_bytes);
    match (target.get("token"), bearer) {
        (Some(query), Some(bearer)) if *query != *bearer => Err(TwoTokens),
        (query, bearer) => Ok(query.or_else(|| bearer.map(Cow::from))),
    }
}

/// The token of the query, or of `Authorization: Bearer`, which no log of a proxy keeps.
fn token_of(target: &Target<'_>, request: &Request<'_>) -> Result<Token, Reply> {
    let given = given_token(target, &request.head)
        .map_err(|TwoTokens| bad("The query and the Authorization field have different tokens: send one."))?
        .ok_or_else(|| bad("No token provided."))?;
    Token::parse(&given).map_err(|_| bad("Invalid token."))
}

fn wrong_pin() -> Reply {
    bad("Wrong pin format.")
}

/// What `dataStreamId` or `pin` names.
fn named_pin(target: &Target<'_>) -> Result<Option<PinRef>, Reply> {
    if let Some(id) = target.get("dataStreamId") {
        return id_of(&id).map(|id| Some(PinRef::Stream(id))).ok_or_else(|| bad("Wrong dataStreamId format."));
    }
    match target.get("pin") {
        Some(pin) => pin_of(&pin).map(|pin| Some(pin.into())).ok_or_else(wrong_pin),
        None => Ok(None),
    }
}

/// What `metaFieldId` or `metaFieldName` names.
fn named_field(target: &Target<'_>) -> Result<FieldRef, Reply> {
    let wrong = || bad("Wrong metaField format.");
    if let Some(id) = target.get("metaFieldId") {
        return id_of(&id).map(FieldRef::Id).ok_or_else(wrong);
    }
    let name = target.text("metaFieldName").filter(|name| !name.is_empty() && name.len() <= MAX_META_NAME_BYTES);
    name.map(|name| FieldRef::Name(name.into())).ok_or_else(wrong)
}

fn pins(target: &Target<'_>) -> Result<Vec<PinRef>, Reply> {
    let mut found: Vec<_> = named_pin(target)?.into_iter().collect();
    for (key, _) in target.pairs() {
        if matches!(&*key, b"token" | b"dataStreamId" | b"pin") {
            continue;
        }
        found.push(pin_of(&key).ok_or_else(wrong_pin)?.into());
        check_count(found.len())?;
    }
    if found.is_empty() { Err(wrong_pin()) } else { Ok(found) }
}

fn check_count(count: usize) -> Result<(), Reply> {
    if count > HTTP_WRITES {
        return Err(bad(&format!("A request may name {HTTP_WRITES} pins at most: send several.")));
    }
    Ok(())
}

/// `v1=..`, several of them, or `dataStreamId=`/`pin=` with one or more `value=`. The same pin twice is one value of
/// several parts.
fn writes(target: &Target<'_>) -> Result<Writes, Reply> {
    let named = named_pin(target)?;
    let mut found: Vec<(PinRef, Vec<u8>)> = Vec::new();
    for (key, value) in target.assignments() {
        let pin = match &*key {
            b"token" | b"dataStreamId" | b"pin" => continue,
            b"value" => named.ok_or_else(wrong_pin)?,
            key => pin_of(key).ok_or_else(wrong_pin)?.into(),
        };
        // `update?v1` is a slip for `get?v1`: it must not erase anything.
        let value = value.ok_or_else(|| bad(&format!("{pin} needs a value: {pin}=...; an empty one is {pin}=.")))?;
        check_part(Dialect::Current, &value)?;
        match found.iter_mut().find(|write| write.0 == pin) {
            Some((_, parts)) => {
                parts.push(0);
                parts.extend_from_slice(&value);
            }
            None => found.push((pin, value.into_owned())),
        }
        check_count(found.len())?;
    }
    if found.is_empty() {
        return Err(wrong_pin());
    }
    for (_, value) in &found {
        check_value(Dialect::Current, value)?;
    }
    Ok(found.into_iter().map(|(pin, value)| (pin, value.into())).collect())
}

pub(super) fn check_value(dialect: Dialect, value: &[u8]) -> Result<(), Reply> {
    if value.len() > MAX_VALUE_BYTES {
        let text = format!("A value has {MAX_VALUE_BYTES} bytes at most, this one {}.", value.len());
        return Err(Reply::error(dialect, 400, &text));
    }
    Ok(())
}

/// NUL separates the parts of a value, so none may be within one.
pub(super) fn check_part(dialect: Dialect, part: &[u8]) -> Result<(), Reply> {
    if part.contains(&0) {
        let text = "A value may not contain NUL: give its parts one by one.";
        return Err(Reply::error(dialect, 400, text));
    }
    Ok(())
}

fn batch(target: &Target<'_>, request: &Request<'_>) -> Result<What, Reply> {
    if request.head.content_type.is_none_or(|found| !found.eq_ignore_ascii_case("application/json")) {
        return Err(bad("Unknown content type."));
    }
    let pin = named_pin(target)?.ok_or_else(wrong_pin)?;
    let wrong = || bad("The body must be JSON: an array of [time in Unix ms, value], texts without NUL.");
    let rows: Vec<(u64, &RawValue)> = serde_json::from_slice(&request.body).map_err(|_| wrong())?;
    if rows.len() > BATCH_POINTS {
        return Err(bad("Too much data in batch. Maximum batch size is 10000 points."));
    }
    let mut points = Vec::with_capacity(rows.len());
    for (at, value) in rows {
        let value = written(value).ok_or_else(wrong)?;
        check_value(Dialect::Current, &value)?;
        points.push((at, value.into()));
    }
    Ok(What::Batch(pin, points))
}

/// As [`text_of`], with numbers as their sender wrote them: `32.123960` stays that.
pub(crate) fn written(json: &RawValue) -> Option<Vec<u8>> {
    let text = json.get();
    match text.as_bytes().first()? {
        b'[' => {
            let parts: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let is_flat = !parts.is_empty() && parts.iter().all(|part| !part.get().starts_with('['));
            let parts: Option<Vec<_>> = is_flat.then(|| parts.into_iter().map(written).collect())?;
            Some(parts?.join(&0))
        }
        b'-' | b'0'..=b'9' if !text.contains(['e', 'E']) => Some(text.as_bytes().to_vec()),
        _ => text_of(&serde_json::from_str(text).ok()?),
    }
}

/// A JSON value as a pin has it: parts of an array are joined by NUL, so none may contain it.
pub(crate) fn text_of(value: &serde_json::Value) -> Option<Vec<u8>> {
    use serde_json::Value;
    Some(match value {
        Value::String(text) if !text.contains('\0') => text.clone().into_bytes(),
        Value::Number(number) => number.to_string().into_bytes(),
        Value::Bool(on) => vec![if *on { b'1' } else { b'0' }],
        Value::Array(parts) if !parts.is_empty() && parts.iter().all(|part| !part.is_array()) => {
            let parts: Option<Vec<_>> = parts.iter().map(text_of).collect();
            parts?.join(&0)
        }
        _ => return None,
    })
}

fn property(target: &Target<'_>) -> Result<What, Reply> {
    let pin = named_pin(target)?.ok_or_else(wrong_pin)?;
    let mut set: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
    for (key, value) in target.pairs() {
        if matches!(&*key, b"token" | b"dataStreamId" | b"pin") {
            continue;
        }
        let name = std::str::from_utf8(&key).ok().filter(|name| is_known_property(name));
        let name = name.ok_or_else(|| bad("Wrong property name."))?;
        check_value(Dialect::Current, &value)?;
        check_part(Dialect::Current, &value)?;
        if value.is_empty() {
            return Err(bad("A property needs a value."));
        }
        set.push((name.into(), value.into_owned().into()));
        check_count(set.len())?;
    }
    if set.is_empty() { Err(bad("No properties for update provided.")) } else { Ok(What::Property(pin, set)) }
}

fn log_event(target: &Target<'_>) -> Result<What, Reply> {
    let code = target.text("code").filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| bad("Event code is not provided."))?;
    if code.len() > MAX_EVENT_CODE_BYTES {
        return Err(bad(&format!("An event code has {MAX_EVENT_CODE_BYTES} bytes at most.")));
    }
    let description = target.text("description").unwrap_or_default();
    let most = crate::limits::MAX_EVENT_DESCRIPTION_CHARS;
    if description.chars().count() > most {
        return Err(bad(&format!("A description has {most} characters at most.")));
    }
    Ok(What::LogEvent(code.into(), description.into()))
}

/// `type` (MCU or NCP), `ver`, `build`, `fwType`, `blVer` and `boType` may stand there: what they say comes with INFO.
fn provision(target: &Target<'_>) -> Result<What, Reply> {
    let Some(id) = target.get("templateId") else { return Ok(What::Provision(None)) };
    let wrong = || bad(&format!("A templateId has 1 to {MAX_TEMPLATE_ID_BYTES} letters, digits, - and _."));
    TemplateId::parse(&id).map(|id| What::Provision(Some(id.as_str().into()))).map_err(|_| wrong())
}

fn meta_set(target: &Target<'_>) -> Result<What, Reply> {
    let name = named_field(target)?;
    let value = target.text("value").ok_or_else(|| bad("Wrong value."))?;
    check_value(Dialect::Current, value.as_bytes())?;
    Ok(What::MetaSet(name, value.into()))
}

#[cfg(test)]
mod tests {
    use super::super::{HistoryOutput, Next, next_request};
    use super::*;
    use crate::model::Pin;

    const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

    fn routed(text: &str) -> Result<Route, String> {
        let Ok(Next::Whole(request)) = next_request(text.as_bytes()) else { panic!("not whole: {text}") };
        route(&request).map_err(|reply| format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body)))
    }

    fn ask(text: &str) -> Result<What, String> {
        match routed(text)? {
            Route::Device { token, call } => {
                assert_eq!((token.expose(), call.dialect), (TOKEN, Dialect::Current));
                Ok(call.what)
            }
            other => panic!("{other:?}"),
        }
    }

    fn get(path: &str) -> Result<What, String> {
        let path = path.replace('@', &format!("token={TOKEN}"));
        ask(&format!("GET /external/api/{path} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    fn v(index: u8) -> PinRef {
        Pin::new_virtual(index).into()
    }

    #[test]
    fn history_has_defaults_and_names_are_not_judged_here() {
        let Ok(What::History(plain)) = get("data/get?@&pin=v7") else { panic!("history") };
        let names = [&plain.period, &plain.granularity, &plain.source, &plain.format, &plain.zone].map(|name| &**name);
        assert_eq!(names, ["MONTH", "RAW_DATA", "AVG", "TS", "UTC"]);
        assert_eq!((plain.pin, plain.output, plain.events), (Some(v(7)), HistoryOutput::Json, false));
        assert_eq!(&*plain.host, "x", "where a link would lead");
        let path = "data/get?@&dataStreamId=7&period=day&granularityType=HOURLY&sourceType=MAX&format=ISO_US\
                    &tzName=America/New_York&output=csv&sendEvents=true";
        let Ok(What::History(full)) = get(path) else { panic!("history") };
        let names = [&full.period, &full.granularity, &full.source, &full.format, &full.zone].map(|name| &**name);
        assert_eq!(names, ["DAY", "HOURLY", "MAX", "ISO_US", "America/New_York"]);
        assert_eq!((full.pin, full.output, full.events), (Some(PinRef::Stream(7)), HistoryOutput::Csv, true));
        let Ok(What::History(all)) = get("data/get/?@&output=FILE") else { panic!("history") };
        assert_eq!((all.pin, all.output), (None, HistoryOutput::File));
        for (path, part) in [
            ("data/get?@&pin=x1", "Wrong pin format."),
            ("data/get?@&pin=v1&output=ZIP", "JSON, CSV or FILE, not ZIP"),
            ("data/get?@&pin=v1&sendEvents=1", "true or false, not 1"),
            (&format!("data/get?@&pin=v1&period={}", "X".repeat(33)), "33"),
        ] {
            let refusal = get(path).expect_err(path);
            assert!(refusal.starts_with("400") && refusal.contains(part), "{path}: {refusal}");
        }
    }

    #[test]
    fn calls_of_the_current_api() {
        assert_eq!(get("get?@&v1"), Ok(What::Get([v(1)].into())));
        assert_eq!(
            get("get?@&V1&d8&a0"),
            Ok(What::Get([v(1), pin_of(b"d8").expect("a pin").into(), pin_of(b"A0").expect("a pin").into()].into()))
        );
        assert_eq!(get("get?@&dataStreamId=7"), Ok(What::Get([PinRef::Stream(7)].into())));
        assert_eq!(get("getAll?@"), Ok(What::GetAll));
        assert_eq!(get("getAll/?@"), Ok(What::GetAll), "the documentation writes it so, too");
        assert_eq!(get("update/?@&v1="), Ok(What::Update(vec![(v(1), Box::new([]))])));
        assert_eq!(get("batch/update/?@&v1=1"), Ok(What::Update(vec![(v(1), (*b"1").into())])));
        assert_eq!(get("update?@&v1=a%20b"), Ok(What::Update(vec![(v(1), (*b"a b").into())])));
        assert_eq!(get("update?@&pin=V1&value=24.1&value=52"), Ok(What::Update(vec![(v(1), (*b"24.1\x0052").into())])));
        assert_eq!(get("update?dataStreamId=3&value=1&@"), Ok(What::Update(vec![(PinRef::Stream(3), (*b"1").into())])));
        assert_eq!(
            get("batch/update?@&v1=1&v2=2"),
            Ok(What::Update(vec![(v(1), (*b"1").into()), (v(2), (*b"2").into())]))
        );
        assert_eq!(
            get("update/property?@&pin=v1&color=%23FF0000"),
            Ok(What::Property(v(1), vec![("color".into(), (*b"#FF0000").into())]))
        );
        assert_eq!(get("isHardwareConnected?@"), Ok(What::IsConnected));
        assert_eq!(get("logEvent?@&code=hot"), Ok(What::LogEvent("hot".into(), "".into())));
        assert_eq!(get("device/meta?@&metaFieldName=Room"), Ok(What::MetaGet(FieldRef::Name("Room".into()))));
        assert_eq!(
            get("device/meta/update?@&metaFieldName=Room&value=2"),
            Ok(What::MetaSet(FieldRef::Name("Room".into()), "2".into()))
        );
    }

    #[test]
    fn the_token_may_come_in_the_head() {
        let text = format!("GET /external/api/getAll HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
        assert_eq!(ask(&text), Ok(What::GetAll));
    }

    #[test]
    fn a_batch_is_json() {
        let post = |kind: &str, body: &str| {
            let len = body.len();
            ask(&format!(
                "POST /external/api/batch/update?token={TOKEN}&pin=v1 HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n\r\n{body}"
            ))
        };
        let got = post("application/json", r#"[[1,"a"],[2,2.5],[3,true],[4,[24.5,"x"]]]"#).expect("good");
        let point = |at, value: &[u8]| (at, Box::from(value));
        assert_eq!(
            got,
            What::Batch(v(1), vec![point(1, b"a"), point(2, b"2.5"), point(3, b"1"), point(4, b"24.5\0x")])
        );
        assert!(post("text/plain", "[]").expect_err("wrong").contains("Unknown content type."));
        for bad in [
            "",
            "{}",
            "[1]",
            "[[1]]",
            "[[1,null]]",
            "[[-1,2]]",
            "[[1,[]]]",
            r#"[[1,"a\u0000b"]]"#,
            r#"[[1,["\u0000"]]]"#,
            "[[1,[[2]]]]",
            "[[1,{}]]",
        ] {
            assert!(post("application/json", bad).expect_err(bad).starts_with("400"), "{bad}");
        }
        let many = format!("[{}[1,1]]", "[1,1],".repeat(BATCH_POINTS));
        assert!(post("application/json", &many).expect_err("too many").contains("10000"));
    }

    #[test]
    fn mistakes_are_told() {
        let long = format!("update?@&v1={}", "x".repeat(MAX_VALUE_BYTES + 1));
        for (path, words) in [
            ("getAll", "No token provided."),
            ("getAll?token=short", "Invalid token."),
            ("get?@", "Wrong pin format."),
            ("get?@&v256", "Wrong pin format."),
            ("get?@&x1", "Wrong pin format."),
            ("get?@&vV1", "Wrong pin format."),
            ("get?@&dataStreamId=x", "Wrong dataStreamId format."),
            ("update?@&value=1", "Wrong pin format."),
            ("update?@", "Wrong pin format."),
            ("update?@&v1", "V1 needs a value"),
            ("update?@&v1=1&v2", "V2 needs a value"),
            ("update?@&pin=v1&value", "V1 needs a value"),
            ("update?@&v1=1%002", "may not contain NUL"),
            ("update/property?@&pin=v1&label=a%00b", "may not contain NUL"),
            (&long, "1024 bytes at most, this one 1025"),
            ("update/property?@&pin=v1", "No properties"),
            ("update/property?@&pin=v1&colour=red", "Wrong property name."),
            ("update/property?@&pin=v1&color=", "needs a value"),
            ("logEvent?@", "Event code is not provided."),
            ("device/meta?@", "Wrong metaField format."),
            ("device/meta?@&metaFieldId=x", "Wrong metaField format."),
            ("device/meta?@&metaFieldId=4294967296", "Wrong metaField format."),
            ("provision?@&templateId=not%20one", "templateId"),
            ("device/meta/update?@&metaFieldName=Room", "Wrong value."),
        ] {
            let error = get(path).expect_err(path);
            assert!(error.starts_with("400 {\"error\":{\"message\":") && error.contains(words), "{path}: {error}");
        }
        assert!(get("nothing?@").expect_err("no path").starts_with("404"));
        let text = format!("POST /external/api/getAll?token={TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(ask(&text).expect_err("no method").starts_with("405"));
        assert!(ask("GET /websockets HTTP/1.1\r\nHost: x\r\n\r\n").expect_err("no upgrade").starts_with("426"));
        assert!(ask("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n").expect_err("no upgrade").starts_with("426"));
        let upgrade = "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
        for path in ["/websockets", "/mqtt"] {
            assert!(routed(&format!("GET {path} HTTP/1.1\r\n{upgrade}")).is_ok(), "{path}");
            for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"] {
                let refused = routed(&format!("{method} {path} HTTP/1.1\r\n{upgrade}")).expect_err("only GET");
                assert!(refused.starts_with("405") && refused.contains("takes GET."), "{method} {path}: {refused}");
            }
        }
    }

    #[test]
    fn two_tokens_that_differ_are_refused() {
        let other = "t".repeat(32);
        let with = |path: &str, bearer: &str| {
            routed(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n")).map(drop)
        };
        for path in [format!("/external/api/getAll?token={TOKEN}"), format!("/{TOKEN}/project")] {
            assert_eq!(with(&path, TOKEN), Ok(()), "the same one twice");
            let refused = with(&path, &other).expect_err("two devices");
            assert!(refused.starts_with("400") && refused.contains("different tokens"), "{refused}");
            assert!(!refused.contains(TOKEN) && !refused.contains(&other), "no token in an answer");
        }
        let text = format!(
            "POST /external/api/batch/update?token={TOKEN} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {other}\r\n\r\n"
        );
        let (head, _) = crate::http::next_head(text.as_bytes()).expect("a head").expect("whole");
        assert_eq!(token(&head), None, "nor is a long body read for either");
    }
}

//! Payloads that are more than a value.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::blynk::internal::push_iso;
use crate::http::{text_of, written};
use crate::limits::{BATCH_POINTS, MAX_VALUE_BYTES, MQTT_LISTED_NAMES};
use crate::model::UnixMillis;

/// A payload is not what its topic needs. `Display` says what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadFault(&'static str);

impl std::fmt::Display for PayloadFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for PayloadFault {}

const BATCH: PayloadFault = PayloadFault(
    "batch_ds needs a JSON object of 1 to 256 names with texts, numbers, true, false or lists; send values of at most 1,024 bytes",
);
const TIMESTAMPED: PayloadFault = PayloadFault(
    "timestamped_batch needs a JSON array of [time in Unix ms, value], at most 10,000 of them; send values of at most 1,024 bytes",
);
const ABOUT: PayloadFault =
    PayloadFault("info/mcu needs a JSON object with texts or numbers; send tmpl, ver, build, type, rxbuff");
const NAMES: PayloadFault = PayloadFault("the payload must list names, separated by commas; send at most 256 of them");

/// A name and a raw value.
pub type Named = (String, Vec<u8>);

/// A time in Unix ms and a raw value.
pub type Timed = (u64, Box<[u8]>);

fn checked(value: Vec<u8>) -> Option<Vec<u8>> {
    (1..=MAX_VALUE_BYTES).contains(&value.len()).then_some(value)
}

fn value(json: &RawValue) -> Option<Vec<u8>> {
    written(json).and_then(checked)
}

/// `batch_ds`: names and values, in the order of the names.
///
/// # Errors
/// It is no JSON object of values, or it has none, or too many.
pub fn batch(payload: &[u8]) -> Result<Vec<Named>, PayloadFault> {
    let object: BTreeMap<String, &RawValue> = serde_json::from_slice(payload).map_err(|_| BATCH)?;
    if !(1..=MQTT_LISTED_NAMES).contains(&object.len()) {
        return Err(BATCH);
    }
    object.into_iter().map(|(name, json)| value(json).map(|value| (name, value)).ok_or(BATCH)).collect()
}

/// `ds/NAME/timestamped_batch`: times in Unix ms and values.
///
/// # Errors
/// It is no JSON array of them, or it is empty, or too long.
pub fn timestamped(payload: &[u8]) -> Result<Vec<Timed>, PayloadFault> {
    let rows: Vec<(u64, &RawValue)> = serde_json::from_slice(payload).map_err(|_| TIMESTAMPED)?;
    if !(1..=BATCH_POINTS).contains(&rows.len()) {
        return Err(TIMESTAMPED);
    }
    rows.iter().map(|(at, json)| value(json).map(|value| (*at, value.into())).ok_or(TIMESTAMPED)).collect()
}

/// `info/mcu`: keys and values joined by NUL, as INTERNAL of the Blynk wire has them, for [`crate::InfoPairs`].
///
/// # Errors
/// It is no JSON object of texts and numbers without NUL.
pub fn about(payload: &[u8]) -> Result<Vec<u8>, PayloadFault> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(payload).map_err(|_| ABOUT)?;
    let mut pairs = Vec::new();
    for (key, json) in &object {
        let key = match key.as_str() {
            "ver" => "fw",
            "type" => "fw-type",
            "rxbuff" => "buff-in",
            key => key,
        };
        let value = match json {
            serde_json::Value::Null => continue,
            serde_json::Value::Array(_) => return Err(ABOUT),
            json => text_of(json).ok_or(ABOUT)?,
        };
        if key.is_empty() || key.contains('\0') || value.contains(&0) {
            return Err(ABOUT);
        }
        for part in [key.as_bytes(), &value] {
            pairs.extend_from_slice(part);
            pairs.push(0);
        }
    }
    Ok(pairs)
}

/// `get/ds` and `get/meta`: the names, without white space around them.
///
/// # Errors
/// It is no text, or it lists nothing, or too much.
pub fn names(payload: &[u8]) -> Result<impl Iterator<Item = &str> + Clone, PayloadFault> {
    let text = std::str::from_utf8(payload).map_err(|_| NAMES)?;
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let is_right = (1..=MQTT_LISTED_NAMES).contains(&names.clone().count());
    if is_right { Ok(names) } else { Err(NAMES) }
}

/// Where a value stands in the JSON payload of a mapped topic (RFC 6901; the empty pointer is the payload itself, which
/// need not be JSON then).
#[must_use]
pub fn pointed(payload: &[u8], pointer: &str) -> Option<Vec<u8>> {
    if pointer.is_empty() {
        return (1..=MAX_VALUE_BYTES).contains(&payload.len()).then(|| payload.to_vec());
    }
    let json: serde_json::Value = serde_json::from_slice(payload).ok()?;
    text_of(json.pointer(pointer)?).and_then(checked)
}

/// `downlink/utc/all/json`: time and zone. Devices have no place yet, so the zone is UTC.
#[must_use]
pub fn clock(wall: UnixMillis) -> String {
    let zone = "\"tz_name\":\"UTC\",\"tz_rule\":\"UTC0\",\"tz_offset\":0,\"dst_offset\":0";
    let mut text = format!("{{{zone},\"time\":{},\"iso8601\":\"", wall.0);
    push_iso(&mut text, wall);
    text + "\"}"
}

/// `downlink/ota/json`: fetch firmware from this URL.
#[must_use]
pub fn firmware(url: &str) -> String {
    serde_json::json!({ "url": url }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InfoPairs;

    #[test]
    fn batches_are_objects_of_values() {
        let found = batch(br#"{"Temperature":23.10,"On":true,"Place":[1.5,-2],"Text":"a"}"#).expect("a batch");
        let pairs: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), &value[..])).collect();
        let expected = [("On", &b"1"[..]), ("Place", b"1.5\0-2"), ("Temperature", b"23.10"), ("Text", b"a")];
        assert_eq!(pairs, expected);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_VALUE_BYTES + 1));
        for bad in ["", "{}", "[]", r#"{"a":{}}"#, r#"{"a":null}"#, r#"{"a":""}"#, "{\"a\":1}x", long.as_str()] {
            assert_eq!(batch(bad.as_bytes()), Err(BATCH), "{bad:.20}");
        }
    }

    #[test]
    fn timestamped_batches_are_arrays() {
        let found = timestamped(b"[[1772639468034,34.4],[1772639468035,\"x\"]]").expect("a batch");
        let rows: Vec<_> = found.iter().map(|(at, value)| (*at, &**value)).collect();
        assert_eq!(rows, [(1_772_639_468_034, &b"34.4"[..]), (1_772_639_468_035, b"x")]);
        for bad in ["", "[]", "[[1]]", "[[-1,2]]", "[[1,2,3]]", "{}", "[[1.5,2]]"] {
            assert_eq!(timestamped(bad.as_bytes()), Err(TIMESTAMPED), "{bad}");
        }
    }

    #[test]
    fn what_a_device_says_of_itself_becomes_pairs() {
        let raw =
            about(br#"{"tmpl":"TMPL1","ver":"0.1.2","build":"Jan 19","type":"TMPL1","rxbuff":1024}"#).expect("pairs");
        let pairs = InfoPairs::new(&raw);
        assert_eq!((pairs.firmware(), pairs.buff_in()), (Some("0.1.2"), Some(1_024)));
        assert_eq!((pairs.get("tmpl"), pairs.get("fw-type")), (Some("TMPL1"), Some("TMPL1")));
        assert_eq!(about(b"{}"), Ok(vec![]));
        for bad in [&b"x"[..], b"[]", br#"{"ver":[1]}"#, br#"{"ver":"\u0000"}"#, br#"{"":"a"}"#] {
            assert_eq!(about(bad), Err(ABOUT), "{bad:?}");
        }
    }

    #[test]
    fn names_are_separated_by_commas() {
        let found: Vec<_> = names("Power, Set Temperature,".as_bytes()).expect("names").collect();
        assert_eq!(found, ["Power", "Set Temperature"]);
        for bad in [&b""[..], b",", b"\xff", &b"a,".repeat(MQTT_LISTED_NAMES + 1)] {
            assert!(names(bad).is_err());
        }
    }

    #[test]
    fn clocks_and_firmware_are_json() {
        let text = clock(UnixMillis(1_700_000_000_123));
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&json["time"], &json["tz_offset"]), (&1_700_000_000_123_u64.into(), &0.into()));
        assert_eq!(json["iso8601"], "2023-11-14T22:13:20+00:00");
        assert_eq!(firmware("http://h/\"x"), r#"{"url":"http://h/\"x"}"#);
    }

    #[test]
    fn pointers_find_values() {
        let payload = br#"{"a":{"b":[1,"x"]}}"#;
        assert_eq!(pointed(payload, "/a/b/1"), Some(b"x".to_vec()));
        assert_eq!(pointed(payload, "/a/b"), Some(b"1\0x".to_vec()));
        assert_eq!(pointed(b"plain", ""), Some(b"plain".to_vec()));
        assert_eq!((pointed(payload, "/a/c"), pointed(payload, "/a"), pointed(b"", "")), (None, None, None));
    }
}

//! Live sockets: what one encoding carries, the other carries too, and bytes are one message or none.

use linchpin_protocol::live::{binary, json};

/// An ask in either encoding: the first byte chooses which. What is taken is written again alike by both.
pub fn live_ask(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let is_json = choice & 1 == 1;
    let taken = if is_json { json::decode_ask(bytes) } else { binary::decode_ask(bytes) };
    let Ok(ask) = taken else { return };
    let mut written = Vec::new();
    binary::encode_ask(&ask, &mut written);
    if !is_json {
        assert_eq!(written, bytes, "one message has one form");
    }
    assert_eq!(binary::decode_ask(&written).as_ref(), Ok(&ask), "binary");
    assert_eq!(json::decode_ask(json::encode_ask(&ask).to_string().as_bytes()), Ok(ask), "JSON");
}

/// A report, likewise.
pub fn live_report(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let is_json = choice & 1 == 1;
    let taken = if is_json { json::decode_report(bytes) } else { binary::decode_report(bytes) };
    let Ok(report) = taken else { return };
    let mut written = Vec::new();
    binary::encode_report(&report, &mut written);
    if !is_json {
        assert_eq!(written, bytes, "one message has one form");
    }
    assert_eq!(binary::decode_report(&written).as_ref(), Ok(&report), "binary");
    assert_eq!(json::decode_report(json::encode_report(&report).to_string().as_bytes()), Ok(report));
}

//! Bodies and queries of the device API: any bytes are a call within its bounds, or are refused in words.

use linchpin_protocol::http::{Next, Route, What, next_request, route};
use linchpin_protocol::limits::MAX_VALUE_BYTES;

const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz012345";

/// The first byte chooses where the others stand: in the body of a batch, in that of a legacy update, or in a query.
pub fn body(input: &[u8]) {
    let Some((choice, bytes)) = input.split_first() else { return };
    let len = bytes.len();
    let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ");
    let mut request = match choice % 3 {
        0 => head(&format!("POST /external/api/batch/update?token={TOKEN}&pin=v1")),
        1 => head(&format!("PUT /{TOKEN}/update/v1")),
        _ => {
            let query: String = bytes.iter().filter(|b| b.is_ascii_graphic()).map(|b| char::from(*b)).collect();
            format!("GET /external/api/update?token={TOKEN}&{query} HTTP/1.1\r\nHost: x\r\n\r\n")
        }
    }
    .into_bytes();
    if choice % 3 < 2 {
        request.extend_from_slice(format!("{len}\r\n\r\n").as_bytes());
        request.extend_from_slice(bytes);
    }
    let Ok(Next::Whole(whole)) = next_request(&request) else { return };
    match route(&whole) {
        Ok(Route::Device { token, call }) => {
            assert_eq!(token.expose(), TOKEN);
            let values = match &call.what {
                What::Batch(_, points) => points.iter().map(|(_, value)| value).collect(),
                What::Update(writes) => writes.iter().map(|(_, value)| value).collect(),
                _ => Vec::new(),
            };
            for value in values {
                assert!(value.len() <= MAX_VALUE_BYTES, "{} bytes", value.len());
            }
        }
        Ok(_) => {}
        Err(reply) => {
            assert!((400..500).contains(&reply.status) && !reply.body.is_empty(), "{reply:?}");
            let said = String::from_utf8_lossy(&reply.body);
            assert!(!said.contains(TOKEN), "no token in an answer");
        }
    }
}

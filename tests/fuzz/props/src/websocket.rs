//! WebSocket frames: whatever arrives first, the same stream comes out.

use linchpin_protocol::ws::{Decoder, Piece, Role, WsFault};

use crate::cuts;

/// Data, payloads of pings, whether it was closed, and the fault that ends it.
type Read = (Vec<u8>, Vec<Vec<u8>>, bool, Option<WsFault>);

fn read(stream: &[u8], ends: impl Iterator<Item = usize>) -> Read {
    let mut decoder = Decoder::new(Role::Server);
    let (mut data, mut pings, mut start) = (Vec::new(), Vec::new(), 0);
    for end in ends {
        let mut bytes = stream[start..end].to_vec();
        start = end;
        let mut rest = bytes.as_mut_slice();
        loop {
            match decoder.next(rest) {
                Ok((Piece::End, after)) => {
                    assert!(after.is_empty(), "everything is read");
                    break;
                }
                Ok((Piece::Data(piece), after)) => {
                    data.extend_from_slice(piece);
                    rest = after;
                }
                Ok((Piece::Ping(payload), after)) => {
                    assert!(payload.len() <= linchpin_protocol::limits::WS_CONTROL_BYTES);
                    pings.push(payload);
                    rest = after;
                }
                Ok((Piece::Close, _)) => return (data, pings, true, None),
                Err(fault) => return (data, pings, false, Some(fault)),
            }
            assert!(decoder.heap_bytes() <= 256, "what waits is less than one control frame");
        }
    }
    (data, pings, false, None)
}

/// See the module's page.
pub fn websocket(input: &[u8]) {
    let (mut cuts, stream) = cuts::parse(input);
    let ends = cuts.pieces(stream).into_iter().scan(0, |end, piece| {
        *end += piece.len();
        Some(*end)
    });
    assert_eq!(read(stream, ends), read(stream, std::iter::once(stream.len())), "cuts change nothing");
}

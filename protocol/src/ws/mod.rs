//! WebSocket (RFC 6455) as a byte pipe for the Blynk stream: no extensions, no subprotocol.
//!
//! [`Decoder`] unmasks in the receive buffer and hands out the payload of data frames as it comes, whatever the cuts;
//! control frames come whole. [`frame_header`] and [`accept_key`] are the server's writing side, [`client_frame`] the
//! client's.

mod decode;
mod encode;

pub use decode::{Decoder, Piece, Role, WsFault};
pub use encode::{
    CloseCode, FrameKind, accept_key, client_frame, close, frame_header, pong, upgrade_answer, upgrade_request,
};

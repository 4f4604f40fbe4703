//! Live sockets: what a page asks to watch, and what a shard reports. One set of messages in two encodings.
//!
//! `GET /api/v1/live` with the subprotocol `linchpin.live.1` carries the binary encoding in binary WebSocket frames,
//! `linchpin.live.json.1` the JSON encoding in text frames: one message a frame, in both directions.
//!
//! - [`LiveAsk`]: what a page sends. A watch selects devices and says what of them it wants; its snapshot comes first.
//! - [`LiveReport`]: what the server sends.
//! - [`binary`]: little-endian, the first byte is the kind; [`json`]: the same fields by name.
//!
//! Both sides share `tests/fixtures/live.json`: messages with their bytes, which the console's codec is tested with too.
//! After a reconnection a page gets a new snapshot; nothing is replayed.

pub mod binary;
pub mod json;
mod message;
mod value;

pub use message::{
    FrameDirection, LiveAsk, LiveFault, LiveLevel, LiveOutcome, LivePresence, LiveReport, LiveSelection, PresenceRow,
    Subjects, ValueRow, WatchedPins,
};
pub use value::LiveValue;

/// The subprotocol of the binary encoding.
pub const BINARY: &str = "linchpin.live.1";
/// The subprotocol of the JSON encoding.
pub const JSON: &str = "linchpin.live.json.1";

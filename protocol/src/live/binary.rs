//! `linchpin.live.1`: little-endian; the first byte is the kind: 0x01 and up for asks, 0x81 and up for reports. Texts,
//! bodies and lists carry their length in 16 bits; a value has one byte before it: 0 nothing, 1 a number, 2 bytes.

mod read;
mod write;

pub use read::{decode_ask, decode_report};
pub use write::{ValueRows, encode_ask, encode_report};

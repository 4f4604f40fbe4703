//! `linchpin.live.json.1`: the same messages as objects, for scripts. `kind` says which; fields have the names of the
//! variants' fields, pins are `V7`, bodies are base64, and a value is a number of at most 15 digits, a text, `null`, or `{"base64": ...}` when
//! it is not UTF-8. A watch has exactly one of `devices`, `query` and `subtree`. Unknown fields are refused.

mod read;
mod write;

pub use read::{decode_ask, decode_report};
pub use write::{encode_ask, encode_report};

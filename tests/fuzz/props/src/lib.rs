//! What must hold for any bytes of a peer. Each function panics when it does not; the fuzzers, the replay of the corpus
//! and the property tests all call the same ones.
//!
//! - Chunked = whole: the cuts that the network makes change nothing.
//! - Error = closed: after a fault that ends, nothing comes any more.
//! - Bounded: what waits for its rest is less than one frame.
//!
//! The first byte of an input chooses the cuts, the others are the stream; for packets of MQTT it chooses version and side.

mod body;
mod cuts;
mod device;
mod frame;
mod handover;
mod http;
mod live;
mod mqtt;
mod mqtt_differential;
mod proxy;
mod session;
mod ticket;
mod tls;
mod websocket;

pub use body::body;
pub use device::device;
pub use frame::frame;
pub use handover::handover;
pub use http::http;
pub use live::{live_ask, live_report};
pub use mqtt::{mqtt_decode, mqtt_session};
pub use mqtt_differential::mqtt_differential;
pub use proxy::proxy;
pub use session::session;
pub use ticket::ticket_file;
pub use tls::{tls_hello, tls_open, tls_seal};
pub use websocket::websocket;

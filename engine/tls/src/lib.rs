//! TLS on the device path, sans-IO.
//!
//! So far only what a port without TLS needs: to recognise a ClientHello at any cut, and to answer it with a proper
//! alert, so that the client reports "protocol version" instead of waiting in silence. The handshake and the in-place
//! record layer come here.

mod alert;
mod hello;
pub mod limits;
mod record;

pub use alert::{Alert, fatal};
pub use hello::{First, classify};
pub use record::{ContentType, Record, RecordFault, header};

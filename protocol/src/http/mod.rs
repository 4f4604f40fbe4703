//! HTTP/1.1 on the device ports: both sides of the wire, and the device API on it.
//!
//! - [`next_request`] cuts requests from received bytes, strictly: what two readers could understand differently is
//!   refused ([`HttpFault`]).
//! - [`api::route`] turns a request into a [`Call`]; the device's home answers it with a [`Reply`].
//! - [`Answer`] writes a response; [`client`] is the other side, for the load generator and tests.

pub mod api;
mod body;
pub mod client;
mod fault;
mod head;
mod history;
mod legacy;
pub mod reply;
mod request;
mod target;
mod write;

pub use api::{Call, Dialect, Route, What, Writes, route, token};
pub use fault::HttpFault;
pub use head::{Head, Method};
pub use history::History;
pub use reply::{Content, Reply};
pub use request::{Next, Request, next_request};
pub use target::{Target, decode};
pub use write::Answer;

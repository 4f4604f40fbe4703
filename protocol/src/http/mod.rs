//! HTTP/1.1 on the device ports: both sides of the wire, and the device API on it.
//!
//! - [`next_request`] cuts requests from received bytes, strictly: what two readers could understand differently is
//!   refused ([`HttpFault`]). [`next_head`] and [`BodyDecoder`] do the same for bodies that are passed on as they come;
//!   [`ListedFields`] are what such a request may say besides.
//! - [`api::route`] turns a request into a [`Call`]; the device's home answers it with a [`Reply`].
//! - [`Answer`] writes a response; [`client`] is the other side, for the load generator and tests.

pub mod api;
mod asset;
mod body;
pub mod client;
mod fault;
mod fields;
mod head;
mod history;
mod legacy;
mod pin_ref;
mod place;
pub mod reply;
mod request;
mod target;
mod write;

pub use api::{Call, Dialect, Route, What, Writes, route, token};
pub(crate) use api::{text_of, written};
pub use asset::{Asset, AssetForm, AssetTable, CacheClass, is_known_etag, wants_html};
pub use body::{BodyDecoder, BodyLength, BodyPart, ChunksSeen};
pub use fault::HttpFault;
pub use fields::{ListedField, ListedFields, host_name};
pub use head::{Head, Method};
pub use history::{History, HistoryOutput};
pub use pin_ref::{FieldRef, PinRef};
pub use place::{is_control_path, is_page_path};
pub use reply::{Content, Reply};
pub use request::{Next, Request, least_bytes, next_head, next_request, with_body};
pub use target::{Target, decode};
pub use write::{Answer, AnswerHead, AnswerLength, chunk, is_answer_field, last_chunk};

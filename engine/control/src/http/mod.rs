//! HTTP in the control plane: a service, not a server. Shards own the sockets, parse the requests and write the answers;
//! what comes here are asks in a lane, and an axum `Router` answers them on the runtime's worker threads.
//!
//! - [`ask_lane`] makes the lane of one shard; its [`AskDesk`] goes to [`Front::serve`].
//! - A handler reads its body as it comes; to read it accepts it, and only then the client is asked for it. One that
//!   answers before has refused it.
//! - A handler that panics is a 500. One whose client is gone is dropped, unless its method changes something: then it
//!   completes.
//! - Handlers find the [`AskClient`] in the request's extensions. Range, `ETag` and content are theirs; framing and
//!   `Connection` are the shard's.

mod admission;
mod api;
mod caller;
mod files;
mod inbox;
mod lane;
mod live;
mod openapi;
mod parameters;
mod problem;
mod routes;
mod security;
mod serve;
mod viewing;

pub use admission::Owner;
pub(crate) use api::front;
pub use lane::{AskDesk, AskLane, Wake, ask_lane};
pub use openapi::openapi;
pub use routes::{RouteOptions, routes};
pub use serve::{AskClient, Front, OwnerOf};

#[cfg(test)]
mod tests;

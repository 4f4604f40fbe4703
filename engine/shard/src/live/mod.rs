//! Live sockets: people's pages watch devices and write to them, whichever shards those live on.
//!
//! ```text
//! GET /api/v1/live -> an ask -> control grants it -> [begin] -> LiveSocket in [table]
//! page: watch      -> [watch]   -> Mirror: what all sockets here want -> Watch letters to homes
//! device: a value  -> verbs     -> [hooks] one bit in HomeWatches     -> News, one a tick and shard
//! News             -> [news]    -> Mirror -> one bit in each socket   -> [flush] every 100 ms
//! page: write      -> [write]   -> the device's home -> verbs         -> Wrote
//! revocation       -> [revoke]  -> sockets that it meets end at once
//! ```
//!
//! Nothing is queued but what happens once (events, frames, terminals), and that in rings: values, presence and properties
//! are state, read when they are told. So a socket that does not read costs what it watches, and a letter that finds no
//! room is made again later. Whatever is told of a device is checked against the socket's grant when it is told.

mod begin;
mod flush;
mod frames;
mod grant;
mod home;
mod hooks;
mod letter;
mod mirror;
mod news;
mod orgs;
mod pins;
mod refusal;
mod report;
mod revoke;
mod socket;
mod table;
mod watch;
mod write;

pub use grant::{LiveGrant, LiveOwner, LiveRights, LiveScope, Revocation, WhoseRights};
pub use letter::{
    AttemptRow, Card, CardRow, DeviceWanted, Happened, LiveLetter, News, NewsRow, OrgWanted, PropertyRows, Wrote,
};
pub use pins::PinSet;
pub use refusal::LiveRefusal;

pub(crate) use begin::Granted;
pub(crate) use table::Live;

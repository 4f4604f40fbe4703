//! Handing a server over to the process that takes its place, while its connections stand.
//!
//! ```text
//! old process                                             new process
//! Hello .. Ready                  <- what it reads, that it could start
//! accepts stop, handshakes end, receives stop, the store is written out and closed
//! Stand                           -> listeners; the new process opens the store and loads its shards
//!                                 <- Opened
//! Batch .. Batch                  -> freights and descriptors, nothing is armed on either side
//!                                 <- Taken .. Taken: what became of each
//! End                             -> so many there were
//!                                 <- Complete
//! Go                              -> the point of no return: the old one ends, the new one serves
//!                                 <- Running
//! ```
//!
//! [`OldSide`] and [`NewSide`] are that conversation without sockets, clocks or processes; a [`Freight`] is what travels
//! of one connection. Until `Go` the old process holds every descriptor and state, and takes all back when anything fails.

mod arrive;
mod codec;
mod depart;
mod freight;
mod message;
mod new;
mod old;

pub use depart::Readiness;
pub use freight::Freight;
pub use message::{
    FORMAT, FormatRange, HandoverMessage, MessageFault, OLDEST_FORMAT, SentListener, read_message, write_message,
};
pub use new::{NewEffect, NewInput, NewSide};
pub use old::{HandoverEnd, HandoverStep, OldEffect, OldInput, OldSide};

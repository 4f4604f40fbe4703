//! Bytes and meaning: the Blynk wire protocol, without I/O.
//!
//! Everything here is a pure function of its arguments: time is an argument, received bytes are borrowed, and what is to
//! be sent is appended to the caller's buffer. Three layers:
//!
//! - [`model`]: the nouns (token, pin, value, template), parsed once and valid from then on.
//! - [`Action`]: what a peer may ask, whatever the wire; [`Fault`]: a peer's mistake, with the one mapping to a [`Status`].
//! - [`blynk`]: the wire. [`blynk::split`] cuts frames, [`blynk::Session`] turns the frames of one device connection into
//!   actions, [`blynk::codec`] writes frames, [`blynk::DeviceSession`] is the device's side of the same conversation.
//!   [`http`] is the same for the HTTP device API, [`ws`] carries Blynk bytes in WebSocket frames, [`mqtt`] is the
//!   other wire of devices, [`live`] what pages watch, [`proxy`] reads what a load balancer says of its client.

pub mod action;
pub mod blynk;
pub mod fault;
pub mod http;
pub mod limits;
pub mod live;
pub mod model;
pub mod mqtt;
pub mod pack;
pub mod proxy;
pub mod sniff;
pub mod ws;

pub use action::{Action, Channel, ClockQuery, InfoPairs, PinList, SyncPins};
pub use fault::{Fault, Status};
pub use sniff::{Sniff, sniff};

//! Deterministic simulation: shards, their driver's contract, the network and devices in one thread and virtual time.
//!
//! Everything random comes from one seed, so the same seed gives the same trace. The [`World`] carries out a shard's
//! effects as the engine's tick does, but through a [`driver::SimDriver`] that may split, delay, shuffle and refuse
//! whatever the real one may.

pub mod asker;
pub mod client;
pub mod control;
pub mod driver;
pub mod fleet;
pub mod http_client;
pub mod live;
pub mod mqtt;
pub mod mqtt_client;
pub mod random;
pub mod script;
pub mod tls;
pub mod world;

pub use asker::{Asker, HttpAnswer};
pub use client::{Client, Kind};
pub use live::Page;
pub use mqtt::{Heard, MqttLogin, MqttScript};
pub use random::Random;
pub use script::{Frame, Script};
pub use world::{Faults, World, WorldOptions};

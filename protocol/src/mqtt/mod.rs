//! MQTT 3.1.1 and 5: packets, and the server's side of a device's session.
//!
//! - [`cut`] takes one packet off a stream and refuses one over the limit from its fixed header. [`decode`] reads it
//!   without allocating; texts and payloads are borrowed. [`Packet::write`] writes either side's packets.
//! - [`MqttSession`] is the server's side of one connection: it checks the order of packets, answers what needs no device
//!   (PINGREQ, SUBSCRIBE, PUBREL) and gives everything else out as [`MqttAsk`].
//! - [`Uplink`] says what a topic asks for, [`payload`] reads the JSON of batches. [`Downlink`] is what a server says.
//!
//! This is Blynk's device API over MQTT, not a broker: nothing is retained, queued or shared (docs/mqtt.md).

mod connect;
mod encode;
mod fault;
mod header;
mod packet;
pub mod payload;
mod property;
mod reason;
mod session;
mod subscribe;
mod topic;
mod wire;

pub use connect::{Connect, Will};
pub use encode::{PublishHead, publish_parts};
pub use fault::MqttFault;
pub use header::{Cut, RawPacket, cut, cut_connect};
pub use packet::{Ack, Connack, Disconnect, Level, Packet, Publish, Qos, Sender, decode, kind_name};
pub use property::{Property, PropertyList};
pub use reason::Reason;
pub use session::{Downlink, MqttAsk, MqttSession, Owed, Published, Welcome, WillMessage};
pub use subscribe::{Filters, Subscribe, Topics};
pub use topic::{StreamAsk, StreamPath, Uplink};

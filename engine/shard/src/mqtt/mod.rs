//! Devices that speak MQTT: packets in, verbs, answers out.
//!
//! | file | does |
//! |---|---|
//! | `connect` | CONNECT before the login, its answer at home, refusals |
//! | `packets` | packets of a logged-in device, one at a time |
//! | `uplink` | what a topic asks for, as verbs |
//! | `downlink` | what the device hears: values, answers, orders of operators |
//! | `will` | messages for the time when a connection is lost |
//! | `declined` | why a message did nothing, as reason code, text and code of ours |

mod connect;
mod declined;
mod downlink;
mod goodbye;
mod packets;
mod uplink;
pub(crate) mod will;

pub use declined::MESSAGE_CODES;
use linchpin_protocol::mqtt::MqttSession;

use crate::{Shard, Slot};

impl Shard {
    /// The MQTT session of a connection, if that is what it speaks.
    pub(crate) fn mqtt(&mut self, slot: Slot) -> Option<&mut MqttSession> {
        self.connections[slot].wire.speech.mqtt()
    }

    /// Does the connection speak MQTT?
    pub(crate) fn is_mqtt(&self, slot: Slot) -> bool {
        self.connections[slot].wire.speech.is_mqtt()
    }
}

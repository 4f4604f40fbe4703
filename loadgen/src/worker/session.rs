//! What speaks for a device: Blynk or MQTT.

use linchpin_protocol::blynk::DeviceSession;
use linchpin_protocol::model::Millis;

use super::mqtt::Client;
use crate::scenario::Transport;

/// One device's side of its protocol.
#[derive(Debug)]
pub(crate) enum Session {
    Blynk(DeviceSession),
    Mqtt(Client),
}

/// By what an answer is known on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// The id of its request.
    Id(u16),
    /// Its place among the pings: PINGRESP has no id.
    Turn(u32),
}

impl Session {
    pub(crate) fn new(transport: Transport) -> Self {
        if transport.is_mqtt() { Self::Mqtt(Client::default()) } else { Self::Blynk(DeviceSession::new()) }
    }

    /// Ask for a sign of life.
    pub(super) fn ping(&mut self, now: Millis, out: &mut Vec<u8>) -> Known {
        match self {
            Self::Blynk(session) => Known::Id(session.ping(now, out)),
            Self::Mqtt(client) => Known::Turn(client.ping(out)),
        }
    }
}

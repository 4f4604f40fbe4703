//! What a server says to a client.

use super::super::{PublishHead, Qos, publish_parts};
use super::MqttSession;

/// A message for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Downlink<'a> {
    /// `downlink/ds/NAME`: the value of a datastream, several parts joined by NUL.
    Value {
        /// Name of the datastream.
        name: &'a str,
    },
    /// `downlink/meta/NAME`: a field of the metadata.
    Meta {
        /// Name of the field.
        name: &'a str,
    },
    /// `downlink/utc/all/json`: time and zone.
    Clock,
    /// `downlink/loc/all`: latitude and longitude.
    Place,
    /// `downlink/ota/json`: fetch firmware. Comes without a subscription.
    Ota,
    /// `downlink/reboot`: restart.
    Reboot,
    /// `downlink/reconfigure`: go to the setup of Wi-Fi.
    Reconfigure,
    /// `downlink/ping`: comes without a subscription, at QoS 1; its PUBACK is [`super::MqttAsk::PingAnswered`].
    Ping,
    /// `downlink/redirect`: connect to this URI. Comes without a subscription.
    Redirect,
    /// `downlink/diag`: what the client does wrong. Comes without a subscription.
    Diag,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Published {
    /// Written.
    Sent,
    /// The client has no subscription for it.
    Unwanted,
    /// The client does not take packets of this length.
    TooLarge {
        /// Its length, bytes.
        len_bytes: usize,
        /// What the client takes, bytes.
        limit_bytes: usize,
    },
}

impl<'a> Downlink<'a> {
    /// The topic in two parts: fixed, and a name.
    const fn topic(self) -> [&'a str; 2] {
        match self {
            Self::Value { name } => ["downlink/ds/", name],
            Self::Meta { name } => ["downlink/meta/", name],
            Self::Clock => ["downlink/utc/", "all/json"],
            Self::Place => ["downlink/loc/", "all"],
            Self::Ota => ["downlink/", "ota/json"],
            Self::Reboot => ["downlink/", "reboot"],
            Self::Reconfigure => ["downlink/", "reconfigure"],
            Self::Ping => ["downlink/", "ping"],
            Self::Redirect => ["downlink/", "redirect"],
            Self::Diag => ["downlink/", "diag"],
        }
    }

    /// QoS of what comes without a subscription.
    const fn unasked(self) -> Option<Qos> {
        match self {
            Self::Ota | Self::Redirect | Self::Diag => Some(Qos::AtMostOnce),
            Self::Ping => Some(Qos::AtLeastOnce),
            _ => None,
        }
    }
}

impl MqttSession {
    /// Append a message for the client. At QoS 1 if it wants that and has answered enough of those before, else at 0; never
    /// above `best`, which is 0 for a message that a newer one may replace before it leaves.
    pub fn publish(&mut self, downlink: Downlink<'_>, payload: &[u8], best: Qos, out: &mut Vec<u8>) -> Published {
        let topic = downlink.topic();
        let unasked = downlink.unasked();
        let Some(wanted) = unasked.or_else(|| self.wanted(Self::usual_bits(topic[0]), &topic)) else {
            return Published::Unwanted;
        };
        let is_ping = downlink == Downlink::Ping;
        let may_wait = self.in_flight < self.receive_max || is_ping;
        let qos = if may_wait { wanted.min(best) } else { Qos::AtMostOnce };
        let mut head = PublishHead { level: self.level(), qos, id: 0 };
        let topic_bytes = topic[0].len() + topic[1].len();
        let len_bytes = head.packet_bytes(topic_bytes, payload.len()).unwrap_or(usize::MAX);
        if len_bytes == usize::MAX || !self.takes(len_bytes) {
            return Published::TooLarge { len_bytes, limit_bytes: self.max_packet_bytes as usize };
        }
        if qos == Qos::AtLeastOnce {
            head.id = self.next_id();
            self.in_flight = self.in_flight.saturating_add(1);
            if is_ping {
                self.ping_id = head.id;
            }
        }
        publish_parts(out, head, &topic, payload);
        Published::Sent
    }

    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && self.last_id != self.ping_id {
                return self.last_id;
            }
        }
    }
}

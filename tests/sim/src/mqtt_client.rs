//! The MQTT side of a simulated device.

use linchpin_protocol::model::Token;
use linchpin_protocol::mqtt::{Ack, Cut, Level, Packet, PropertyList, Publish, Qos, Reason, Sender, cut, decode};

use crate::World;
use crate::driver::Conn;
use crate::mqtt::MqttLogin;

/// A client waits so long for the answer to its login, ms.
const LOGIN_MS: u64 = 10_000;
/// It gives up when it hears nothing for so long, ms.
const SILENCE_MS: u64 = 30_000;

/// A client that subscribes to everything, answers what wants an answer and leaves a will on V9.
#[derive(Debug, Default)]
pub struct MqttSide {
    level: Level,
    received: Vec<u8>,
    begun_ms: u64,
    heard_ms: u64,
    next_id: u16,
    is_in: bool,
}

impl MqttSide {
    /// One for a new connection.
    pub fn start(world: &mut World, conn: Conn, device: u32, token: &Token) -> Self {
        let level = if device.is_multiple_of(2) { Level::V4 } else { Level::V5 };
        let delay_s = device % 3 * 4;
        let login = MqttLogin { keep_alive_s: 40, will: Some(("ds/V9", "gone", delay_s)), ..MqttLogin::new(level) };
        world.send(conn, &login.bytes(token.expose()));
        // Clients need not wait for the answer.
        let mut filter = Vec::new();
        filter.extend_from_slice(if level == Level::V5 { b"\x82\x10\0\x01\0" } else { b"\x82\x0f\0\x01" });
        filter.extend_from_slice(b"\0\x0adownlink/#\x01");
        world.send(conn, &filter);
        Self { level, begun_ms: world.now_ms(), heard_ms: world.now_ms(), next_id: 1, ..Self::default() }
    }

    /// Must it give up?
    #[must_use]
    pub fn is_lost(&self, now_ms: u64) -> bool {
        let limit_ms = if self.is_in { self.heard_ms + SILENCE_MS } else { self.begun_ms + LOGIN_MS };
        now_ms >= limit_ms
    }

    /// Take what came and answer it; true: it is logged in now.
    ///
    /// # Panics
    /// When what comes is no packet of a server, or the server says that this client breaks the rules.
    pub fn take(&mut self, world: &mut World, conn: Conn, bytes: &[u8]) -> bool {
        self.heard_ms = world.now_ms();
        self.received.extend_from_slice(bytes);
        let (mut used, mut answers, mut logs_in) = (0, Vec::new(), false);
        while let Ok(Cut::Packet { packet, used: len }) = cut(&self.received[used..], usize::MAX) {
            used += len;
            match decode(self.level, Sender::Server, packet).expect("a packet of a server") {
                Packet::Connack(connack) => {
                    assert_eq!(connack.code, 0, "no login of a good client is refused for good");
                    logs_in = true;
                }
                Packet::Publish(publish) if publish.qos != Qos::AtMostOnce => {
                    let ack = Ack { id: publish.id, reason: Reason::Success, properties: PropertyList::default() };
                    Packet::Puback(ack).write(self.level, &mut answers);
                }
                Packet::Disconnect(end) => {
                    let is_broken = matches!(end.reason, Reason::MalformedPacket | Reason::ProtocolError);
                    assert!(!is_broken, "a good client is blamed: {:?}", end.reason);
                }
                _ => {}
            }
        }
        self.received.drain(..used);
        self.is_in |= logs_in;
        world.send(conn, &answers);
        logs_in
    }

    /// Write a value to V1, and something else now and then.
    pub fn write(&mut self, world: &mut World, conn: Conn, value: &str) {
        let mut out = Vec::new();
        let qos = Qos::from_bits(world.random.below(3) as u8).unwrap_or(Qos::AtMostOnce);
        self.publish(qos, "ds/V1", value.as_bytes(), &mut out);
        match world.random.below(8) {
            0 => self.publish(Qos::AtMostOnce, "get/ds/all", b"", &mut out),
            1 => self.publish(Qos::AtMostOnce, "event/tick", b"", &mut out),
            2 => self.publish(Qos::AtMostOnce, "meta/Room", b"sim", &mut out),
            3 => self.publish(Qos::AtLeastOnce, "nowhere", b"x", &mut out),
            4 => Packet::Pingreq.write(self.level, &mut out),
            _ => {}
        }
        world.send(conn, &out);
    }

    fn publish(&mut self, qos: Qos, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
        let id = if qos == Qos::AtMostOnce {
            0
        } else {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            self.next_id
        };
        let properties = PropertyList::default();
        Packet::Publish(Publish { dup: false, qos, retain: false, topic, id, properties, payload })
            .write(self.level, out);
    }
}

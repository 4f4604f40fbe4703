//! What a device of a fleet speaks: Blynk by the protocol's own device side, or MQTT 3.1.1 by its packets.

use linchpin_protocol::blynk::{DeviceEvent, DeviceOptions, DeviceSession};
use linchpin_protocol::model::{Millis, Pin, Token};
use linchpin_protocol::mqtt::{Connect, Cut, Level, Packet, PropertyList, PublishHead, Qos, cut, publish_parts};

/// Which of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FleetWire {
    /// Blynk.
    #[default]
    Blynk,
    /// MQTT 3.1.1, subscribed to everything.
    Mqtt,
}

/// One device's side of its connection.
pub(crate) enum Speech {
    Blynk(Box<DeviceSession>),
    /// The start of a packet whose end has not come.
    Mqtt(Vec<u8>),
}

/// What came of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) logged_in: bool,
    pub(crate) answers: u64,
}

/// Five pins are written; INFO and PING are answered, and nothing else is.
const PINS: u8 = 5;

/// CONNECT of a device, and SUBSCRIBE to everything behind it.
pub fn mqtt_login(token: &Token, keep_alive_s: u16, out: &mut Vec<u8>) {
    let connect = Connect {
        level: Level::V4,
        clean: true,
        keep_alive_s,
        properties: PropertyList::default(),
        client_id: "",
        will: None,
        user: Some("device"),
        password: Some(token.expose().as_bytes()),
    };
    Packet::Connect(connect).write(Level::V4, out);
    out.extend_from_slice(b"\x82\x0f\0\x01\0\x0adownlink/#\0");
}

/// PUBLISH of 3.1.1; `id` 0: QoS 0, else QoS 1.
pub fn mqtt_message(id: u16, topic: &str, payload: &[u8], out: &mut Vec<u8>) {
    let qos = if id == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
    publish_parts(out, PublishHead { level: Level::V4, qos, id }, &[topic], payload);
}

const PINGREQ: &[u8] = b"\xc0\0";

impl Speech {
    pub(crate) fn new(wire: FleetWire) -> Self {
        match wire {
            FleetWire::Blynk => Self::Blynk(Box::new(DeviceSession::new())),
            FleetWire::Mqtt => Self::Mqtt(Vec::new()),
        }
    }

    pub(crate) fn start(&mut self, now: Millis, options: &DeviceOptions, token: &Token, out: &mut Vec<u8>) {
        match self {
            Self::Blynk(session) => {
                **session = DeviceSession::new();
                session.start(now, options, token, out);
            }
            Self::Mqtt(rest) => {
                rest.clear();
                mqtt_login(token, options.heartbeat_s, out);
            }
        }
    }

    /// `None`: the server said what cannot be understood.
    pub(crate) fn hear(&mut self, now: Millis, options: &DeviceOptions, bytes: &[u8]) -> Option<Heard> {
        let mut heard = Heard::default();
        match self {
            Self::Blynk(session) => {
                let on = &mut |event: DeviceEvent<'_>| match event {
                    DeviceEvent::LoggedIn => heard.logged_in = true,
                    DeviceEvent::InfoAccepted | DeviceEvent::Response { .. } => heard.answers += 1,
                    _ => {}
                };
                // The session wants to introduce itself at once; the fleet does that by order.
                session.on_bytes(now, options, bytes, &mut Vec::new(), on).ok()?;
            }
            Self::Mqtt(rest) => {
                rest.extend_from_slice(bytes);
                let mut used_all = 0;
                while let Cut::Packet { packet, used } = cut(&rest[used_all..], 1 << 16).ok()? {
                    match (packet.first >> 4, packet.body) {
                        (2, [_, 0]) => heard.logged_in = true,
                        (2, _) => return None,
                        // PUBACK and PINGRESP.
                        (4 | 13, _) => heard.answers += 1,
                        _ => {}
                    }
                    used_all += used;
                }
                rest.drain(..used_all);
                // An idle device of the fleet holds no buffer.
                if rest.is_empty() {
                    *rest = Vec::new();
                }
            }
        }
        Some(heard)
    }

    pub(crate) fn ping(&mut self, now: Millis, out: &mut Vec<u8>) {
        match self {
            Self::Blynk(session) => drop_id(session.ping(now, out)),
            Self::Mqtt(_) => out.extend_from_slice(PINGREQ),
        }
    }

    /// Say what it is, write five pins, ping: two answers.
    pub(crate) fn introduce(&mut self, now: Millis, at: usize, out: &mut Vec<u8>) {
        let value = |pin: u8| (at % 1_000 + usize::from(pin)).to_string();
        match self {
            Self::Blynk(session) => {
                let info: [&[u8]; 8] = [b"ver", b"1.4.0", b"h-beat", b"600", b"buff-in", b"1024", b"dev", b"fleet"];
                drop_id(session.internal(now, &info, out));
                for pin in 0..PINS {
                    drop_id(session.write(now, Pin::new_virtual(pin), value(pin).as_bytes(), out));
                }
            }
            Self::Mqtt(_) => {
                mqtt_message(1, "info/mcu", br#"{"ver":"1.4.0","rxbuff":1024}"#, out);
                for pin in 0..PINS {
                    mqtt_message(0, &format!("ds/V{pin}"), value(pin).as_bytes(), out);
                }
            }
        }
        self.ping(now, out);
    }

    /// A write that is long enough to be cut within.
    pub(crate) fn write_long(&mut self, now: Millis, out: &mut Vec<u8>) {
        let value = [b'x'; 200];
        match self {
            Self::Blynk(session) => drop_id(session.write(now, Pin::new_virtual(9), &value, out)),
            Self::Mqtt(_) => mqtt_message(0, "ds/V9", &value, out),
        }
    }
}

const fn drop_id(_: u16) {}

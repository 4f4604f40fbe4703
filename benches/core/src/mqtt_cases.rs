//! What is budgeted of MQTT: beside the Blynk cases, the same values from the same devices.

use std::hint::black_box;

use linchpin_protocol::limits::MQTT_PACKET_BYTES;
use linchpin_protocol::mqtt::{
    Connect, Cut, Level, Packet, PropertyList, Publish, PublishHead, Qos, Sender, cut, decode, publish_parts,
};

use crate::cases::{MANY, VALUE};
use crate::world::World;

/// CONNECT of a device.
#[must_use]
pub fn connect(token: &str) -> Vec<u8> {
    let connect = Connect {
        level: Level::V5,
        clean: true,
        keep_alive_s: 50,
        properties: PropertyList::default(),
        client_id: "",
        will: None,
        user: Some("device"),
        password: Some(token.as_bytes()),
    };
    let mut out = Vec::new();
    Packet::Connect(connect).write(Level::V5, &mut out);
    out
}

/// So many values for the datastream of the bench's template.
fn publishes(qos: Qos) -> Vec<u8> {
    let mut out = Vec::new();
    for at in 0..MANY as u16 {
        let id = if qos == Qos::AtMostOnce { 0 } else { at + 1 };
        publish_parts(&mut out, PublishHead { level: Level::V5, qos, id }, &["ds/", "t"], VALUE);
    }
    out
}

/// Cut and decode.
pub(crate) fn understand() -> Box<dyn FnMut()> {
    let bytes = publishes(Qos::AtMostOnce);
    Box::new(move || {
        let (mut rest, mut value_bytes) = (black_box(&bytes[..]), 0);
        while let Ok(Cut::Packet { packet, used }) = cut(rest, MQTT_PACKET_BYTES) {
            rest = &rest[used..];
            if let Ok(Packet::Publish(Publish { payload, .. })) = decode(Level::V5, Sender::Client, packet) {
                value_bytes += payload.len();
            }
        }
        assert_eq!(value_bytes, MANY * VALUE.len());
    })
}

fn of_one(qos: Qos) -> Box<dyn FnMut()> {
    let mut world = World::over_mqtt(MANY);
    let bytes = publishes(qos);
    let mut buffer = bytes.clone();
    Box::new(move || {
        buffer.copy_from_slice(&bytes);
        world.feed(0, &mut buffer);
        let answered = world.drain();
        assert_eq!(answered, if qos == Qos::AtMostOnce { 0 } else { 4 * MANY }, "a PUBACK a message at QoS 1");
    })
}

/// Values of a warm device at QoS 0.
pub(crate) fn tell() -> Box<dyn FnMut()> {
    of_one(Qos::AtMostOnce)
}

/// The same at QoS 1, each with its PUBACK.
pub(crate) fn confirm() -> Box<dyn FnMut()> {
    of_one(Qos::AtLeastOnce)
}

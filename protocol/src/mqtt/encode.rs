//! Writing packets. Every function appends exactly one whole packet to the caller's buffer.

use super::property::PropertyList;
use super::wire::{MAX_VARINT, put_binary, put_varint};
use super::{Ack, Connack, Connect, Disconnect, Level, Packet, Publish, Qos, Reason};

/// Append a packet whose body `write` appends. What no length can say is left out, whole, so that the stream stays in
/// step.
pub(super) fn packet(out: &mut Vec<u8>, first: u8, body_bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
    debug_assert!(body_bytes <= MAX_VARINT as usize, "a body of {body_bytes} bytes");
    if body_bytes > MAX_VARINT as usize {
        return;
    }
    out.push(first);
    put_varint(out, body_bytes);
    let start = out.len();
    write(out);
    debug_assert_eq!(out.len() - start, body_bytes, "a packet of another length than foretold");
}

/// What stands before the payload of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishHead {
    /// What the connection speaks.
    pub level: Level,
    /// How surely.
    pub qos: Qos,
    /// The packet id; 0 at QoS 0.
    pub id: u16,
}

impl PublishHead {
    /// Length of the whole packet, bytes; `None`: no packet can have this topic.
    #[must_use]
    pub fn packet_bytes(self, topic_bytes: usize, payload_bytes: usize) -> Option<usize> {
        if topic_bytes > usize::from(u16::MAX) {
            return None;
        }
        let body = self.body_bytes(topic_bytes, payload_bytes);
        let length = match body {
            0..128 => 1,
            128..16_384 => 2,
            16_384..2_097_152 => 3,
            _ => 4,
        };
        Some(1 + length + body)
    }

    const fn body_bytes(self, topic_bytes: usize, payload_bytes: usize) -> usize {
        let id = if matches!(self.qos, Qos::AtMostOnce) { 0 } else { 2 };
        let properties = if matches!(self.level, Level::V5) { 1 } else { 0 };
        2 + topic_bytes + id + properties + payload_bytes
    }
}

/// A message whose topic stands in parts; no properties.
pub fn publish_parts(out: &mut Vec<u8>, head: PublishHead, topic: &[&str], payload: &[u8]) {
    let topic_bytes = topic.iter().map(|part| part.len()).sum();
    let first = 0x30 | (head.qos as u8) << 1;
    packet(out, first, head.body_bytes(topic_bytes, payload.len()), |out| {
        out.extend_from_slice(&(topic_bytes as u16).to_be_bytes());
        for part in topic {
            out.extend_from_slice(part.as_bytes());
        }
        if head.qos != Qos::AtMostOnce {
            out.extend_from_slice(&head.id.to_be_bytes());
        }
        if head.level == Level::V5 {
            out.push(0);
        }
        out.extend_from_slice(payload);
    });
}

fn publish(level: Level, publish: &Publish<'_>, out: &mut Vec<u8>) {
    let head = PublishHead { level, qos: publish.qos, id: publish.id };
    let more = if level == Level::V5 { publish.properties.written_bytes() - 1 } else { 0 };
    let first = 0x30 | u8::from(publish.dup) << 3 | (publish.qos as u8) << 1 | u8::from(publish.retain);
    packet(out, first, head.body_bytes(publish.topic.len(), publish.payload.len()) + more, |out| {
        put_binary(out, publish.topic.as_bytes());
        if publish.qos != Qos::AtMostOnce {
            out.extend_from_slice(&publish.id.to_be_bytes());
        }
        put_properties(level, publish.properties, out);
        out.extend_from_slice(publish.payload);
    });
}

fn put_properties(level: Level, properties: PropertyList<'_>, out: &mut Vec<u8>) {
    if level == Level::V5 {
        properties.write(out);
    }
}

const fn properties_bytes(level: Level, properties: PropertyList<'_>) -> usize {
    if matches!(level, Level::V5) { properties.written_bytes() } else { 0 }
}

/// A reason with properties, as short as it can be.
fn put_verdict(level: Level, reason: Reason, properties: PropertyList<'_>, out: &mut Vec<u8>) {
    if level == Level::V5 && !properties.is_empty() {
        out.push(reason.code());
        properties.write(out);
    } else if level == Level::V5 && reason != Reason::Success {
        out.push(reason.code());
    }
}

fn verdict_bytes(level: Level, reason: Reason, properties: PropertyList<'_>) -> usize {
    match level {
        Level::V5 if !properties.is_empty() => 1 + properties.written_bytes(),
        Level::V5 if reason != Reason::Success => 1,
        _ => 0,
    }
}

fn ack(level: Level, first: u8, ack: &Ack<'_>, out: &mut Vec<u8>) {
    packet(out, first, 2 + verdict_bytes(level, ack.reason, ack.properties), |out| {
        out.extend_from_slice(&ack.id.to_be_bytes());
        put_verdict(level, ack.reason, ack.properties, out);
    });
}

fn end(level: Level, first: u8, end: &Disconnect<'_>, out: &mut Vec<u8>) {
    packet(out, first, verdict_bytes(level, end.reason, end.properties), |out| {
        put_verdict(level, end.reason, end.properties, out);
    });
}

fn connack(level: Level, connack: &Connack<'_>, out: &mut Vec<u8>) {
    packet(out, 0x20, 2 + properties_bytes(level, connack.properties), |out| {
        out.extend_from_slice(&[connack.session_present.into(), connack.code]);
        put_properties(level, connack.properties, out);
    });
}

fn connect(connect: &Connect<'_>, out: &mut Vec<u8>) {
    let level = connect.level;
    let (user, password) = (connect.user.map(str::as_bytes), connect.password);
    let field = |text: Option<&[u8]>| text.map_or(0, |text| 2 + text.len());
    let will_bytes = connect
        .will
        .map_or(0, |will| properties_bytes(level, will.properties) + 4 + will.topic.len() + will.payload.len());
    let body_bytes = 10
        + properties_bytes(level, connect.properties)
        + field(Some(connect.client_id.as_bytes()))
        + will_bytes
        + field(user)
        + field(password);
    packet(out, 0x10, body_bytes, |out| {
        out.extend_from_slice(b"\0\x04MQTT");
        let will = connect.will.map_or(0, |will| 4 | (will.qos as u8) << 3 | u8::from(will.retain) << 5);
        let flags =
            u8::from(connect.clean) << 1 | will | u8::from(password.is_some()) << 6 | u8::from(user.is_some()) << 7;
        out.extend_from_slice(&[level as u8, flags]);
        out.extend_from_slice(&connect.keep_alive_s.to_be_bytes());
        put_properties(level, connect.properties, out);
        put_binary(out, connect.client_id.as_bytes());
        if let Some(will) = connect.will {
            put_properties(level, will.properties, out);
            put_binary(out, will.topic.as_bytes());
            put_binary(out, will.payload);
        }
        for field in [user, password].into_iter().flatten() {
            put_binary(out, field);
        }
    });
}

/// A packet with an id, properties and a list behind them.
fn list(level: Level, first: u8, (id, properties, list): (u16, PropertyList<'_>, &[u8]), out: &mut Vec<u8>) {
    packet(out, first, 2 + properties_bytes(level, properties) + list.len(), |out| {
        out.extend_from_slice(&id.to_be_bytes());
        put_properties(level, properties, out);
        out.extend_from_slice(list);
    });
}

impl Packet<'_> {
    /// Append it. `level`: what the connection speaks.
    pub fn write(&self, level: Level, out: &mut Vec<u8>) {
        match self {
            Self::Connect(packet) => connect(packet, out),
            Self::Connack(packet) => connack(level, packet, out),
            Self::Publish(packet) => publish(level, packet, out),
            Self::Puback(packet) => ack(level, 0x40, packet, out),
            Self::Pubrec(packet) => ack(level, 0x50, packet, out),
            Self::Pubrel(packet) => ack(level, 0x62, packet, out),
            Self::Pubcomp(packet) => ack(level, 0x70, packet, out),
            Self::Subscribe(packet) => {
                list(level, 0x82, (packet.id, packet.properties, packet.filters.bytes()), out);
            }
            Self::Suback { id, properties, codes } => list(level, 0x90, (*id, *properties, codes), out),
            Self::Unsubscribe { id, properties, topics } => {
                list(level, 0xa2, (*id, *properties, topics.bytes()), out);
            }
            Self::Unsuback { id, properties, codes } => list(level, 0xb0, (*id, *properties, codes), out),
            Self::Pingreq => out.extend_from_slice(&[0xc0, 0]),
            Self::Pingresp => out.extend_from_slice(&[0xd0, 0]),
            Self::Disconnect(packet) => end(level, 0xe0, packet, out),
            Self::Auth(packet) => end(level, 0xf0, packet, out),
        }
    }
}

//! One packet, read without a copy.

use nom::Parser as _;
use nom::combinator::{map, rest};
use nom::number::complete::u8 as any_byte;

use super::connect::{self, Connect};
use super::property::{AllowedPackets, properties};
use super::subscribe::{self, Subscribe, Topics};
use super::wire::{Parsed, broken, malformed, packet_id, topic_name, whole};
use super::{MqttFault, PropertyList, RawPacket, Reason};

/// The version that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// 3.1.1.
    #[default]
    V4 = 4,
    /// 5.0.
    V5 = 5,
}

/// The name of the kind of packet that this first byte begins.
#[must_use]
pub const fn kind_name(first: u8) -> &'static str {
    match first >> 4 {
        1 => "CONNECT",
        2 => "CONNACK",
        3 => "PUBLISH",
        4 => "PUBACK",
        5 => "PUBREC",
        6 => "PUBREL",
        7 => "PUBCOMP",
        8 => "SUBSCRIBE",
        9 => "SUBACK",
        10 => "UNSUBSCRIBE",
        11 => "UNSUBACK",
        12 => "PINGREQ",
        13 => "PINGRESP",
        14 => "DISCONNECT",
        15 => "AUTH",
        _ => "RESERVED",
    }
}

/// How surely a message is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Qos {
    /// Perhaps.
    AtMostOnce = 0,
    /// Acknowledged.
    AtLeastOnce = 1,
    /// Acknowledged twice.
    ExactlyOnce = 2,
}

impl Qos {
    /// That of two bits; 3 does not exist.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// Who wrote a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A device.
    Client,
    /// A server.
    Server,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// It was sent before.
    pub dup: bool,
    /// How surely it is delivered.
    pub qos: Qos,
    /// To be stored for those who subscribe later.
    pub retain: bool,
    /// The topic: no wildcard; empty only with an alias.
    pub topic: &'a str,
    /// The packet id; 0 at QoS 0, never otherwise.
    pub id: u16,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
    /// The message.
    pub payload: &'a [u8],
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Of which message.
    pub id: u16,
    /// How it went; [`Reason::Success`] in 3.1.1.
    pub reason: Reason,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
}

/// The answer to CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack<'a> {
    /// The server had the session.
    pub session_present: bool,
    /// The byte: a return code in 3.1.1, a reason in 5.
    pub code: u8,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
}

/// The end, said by either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Why.
    pub reason: Reason,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "lives on the stack while one packet is handled; a box would allocate")]
pub enum Packet<'a> {
    /// Log in.
    Connect(Connect<'a>),
    /// The answer.
    Connack(Connack<'a>),
    /// A message.
    Publish(Publish<'a>),
    /// The answer at QoS 1.
    Puback(Ack<'a>),
    /// The first answer at QoS 2.
    Pubrec(Ack<'a>),
    /// What its sender says to that.
    Pubrel(Ack<'a>),
    /// The last answer at QoS 2.
    Pubcomp(Ack<'a>),
    /// Ask for messages.
    Subscribe(Subscribe<'a>),
    /// The answer: one code a filter.
    Suback {
        /// Of which packet.
        id: u16,
        /// MQTT 5 only.
        properties: PropertyList<'a>,
        /// A QoS, or 0x80 and above.
        codes: &'a [u8],
    },
    /// Ask for no more messages.
    Unsubscribe {
        /// The packet id.
        id: u16,
        /// MQTT 5 only.
        properties: PropertyList<'a>,
        /// At least one.
        topics: Topics<'a>,
    },
    /// The answer: in MQTT 5 one code a filter.
    Unsuback {
        /// Of which packet.
        id: u16,
        /// MQTT 5 only.
        properties: PropertyList<'a>,
        /// Empty in 3.1.1.
        codes: &'a [u8],
    },
    /// Are you there?
    Pingreq,
    /// Yes.
    Pingresp,
    /// The end.
    Disconnect(Disconnect<'a>),
    /// Enhanced authentication (MQTT 5).
    Auth(Disconnect<'a>),
}

/// Properties in MQTT 5, nothing in 3.1.1.
pub(super) fn properties_of(level: Level, place: AllowedPackets) -> impl Fn(&[u8]) -> Parsed<'_, PropertyList<'_>> {
    move |input| match level {
        Level::V4 => Ok((input, PropertyList::default())),
        Level::V5 => properties(place)(input),
    }
}

/// PUBLISH, by the lower half of its first byte and its body.
pub(super) fn publish(level: Level, flags: u8, body: &[u8]) -> Result<Publish<'_>, MqttFault> {
    let Some(qos) = Qos::from_bits(flags >> 1 & 3) else {
        return Err(MqttFault::Malformed { what: "a message has QoS 3" });
    };
    let dup = flags & 8 != 0;
    if dup && qos == Qos::AtMostOnce {
        return Err(MqttFault::Malformed { what: "a message of QoS 0 says that it was sent before" });
    }
    whole((|body| {
        let (left, topic) = topic_name(body)?;
        let (left, id) = if qos == Qos::AtMostOnce { (left, 0) } else { packet_id(left)? };
        let (payload, properties) = properties_of(level, AllowedPackets::PUBLISH)(left)?;
        let has_alias =
            !properties.is_empty() && properties.iter().any(|it| matches!(it, super::Property::TopicAlias(_)));
        if topic.is_empty() && !has_alias {
            return broken("a message has neither a topic nor an alias");
        }
        Ok((&[][..], Publish { dup, qos, retain: flags & 1 != 0, topic, id, properties, payload }))
    })(body))
}

/// What PUBACK and its like have behind the packet id, which may be left out from the end.
fn ack(level: Level, is_allowed: fn(Reason) -> bool) -> impl Fn(&[u8]) -> Parsed<'_, Ack<'_>> {
    move |input| {
        let (left, id) = packet_id(input)?;
        let (left, (reason, properties)) = verdict(level, AllowedPackets::ANSWER, is_allowed)(left)?;
        Ok((left, Ack { id, reason, properties }))
    }
}

/// A reason and properties, each of which may be left out if nothing follows.
fn verdict(
    level: Level,
    place: AllowedPackets,
    is_allowed: fn(Reason) -> bool,
) -> impl Fn(&[u8]) -> Parsed<'_, (Reason, PropertyList<'_>)> {
    move |input| {
        if input.is_empty() || level == Level::V4 {
            return Ok((input, (Reason::Success, PropertyList::default())));
        }
        let (left, byte) = any_byte.parse(input)?;
        let Some(reason) = Reason::from_code(byte).filter(|reason| is_allowed(*reason)) else {
            return broken("a reason code may not stand in its packet");
        };
        if left.is_empty() {
            return Ok((left, (reason, PropertyList::default())));
        }
        let (left, properties) = properties(place)(left)?;
        Ok((left, (reason, properties)))
    }
}

fn connack(level: Level, input: &[u8]) -> Parsed<'_, Connack<'_>> {
    let (left, flags) = any_byte.parse(input)?;
    if flags > 1 {
        return malformed("flags of CONNACK that do not exist");
    }
    let (left, code) = any_byte.parse(left)?;
    let (left, properties) = properties_of(level, AllowedPackets::CONNACK)(left)?;
    Ok((left, Connack { session_present: flags == 1, code, properties }))
}

fn codes(level: Level, has_codes: bool) -> impl Fn(&[u8]) -> Parsed<'_, (u16, PropertyList<'_>, &[u8])> {
    move |input| {
        let (left, id) = packet_id(input)?;
        let (left, properties) = properties_of(level, AllowedPackets::ANSWER)(left)?;
        let (left, codes) = if has_codes { rest.parse(left)? } else { (left, &[][..]) };
        if has_codes && codes.is_empty() {
            malformed("an answer has no codes")
        } else {
            Ok((left, (id, properties, codes)))
        }
    }
}

fn disconnect(level: Level, sender: Sender, body: &[u8]) -> Result<Disconnect<'_>, MqttFault> {
    let is_allowed: fn(Reason) -> bool = match sender {
        Sender::Client => Reason::ends_client,
        Sender::Server => |reason| reason == Reason::Success || reason.code() >= 0x80,
    };
    let (reason, properties) = whole(verdict(level, AllowedPackets::DISCONNECT, is_allowed)(body))?;
    Ok(Disconnect { reason, properties })
}

fn auth(level: Level, body: &[u8]) -> Result<Disconnect<'_>, MqttFault> {
    if level == Level::V4 {
        return Err(MqttFault::Malformed { what: "packet kind 15 does not exist in 3.1.1" });
    }
    let is_allowed =
        |reason| matches!(reason, Reason::Success | Reason::ContinueAuthentication | Reason::Reauthenticate);
    let (reason, properties) = whole(verdict(level, AllowedPackets::AUTH, is_allowed)(body))?;
    Ok(Disconnect { reason, properties })
}

/// Read one packet that [`super::cut`] gave. `level`: what the connection speaks; CONNECT names its own.
///
/// # Errors
/// The packet is not one that `sender` may write. Close the connection.
pub fn decode(level: Level, sender: Sender, raw: RawPacket<'_>) -> Result<Packet<'_>, MqttFault> {
    let (kind, flags, body) = (raw.first >> 4, raw.first & 0x0f, raw.body);
    if kind == 3 {
        return publish(level, flags, body).map(Packet::Publish);
    }
    if flags != if matches!(kind, 6 | 8 | 10) { 2 } else { 0 } {
        return Err(MqttFault::Malformed { what: "flags of a fixed header that do not exist" });
    }
    let is_client = sender == Sender::Client;
    let empty = |packet| whole(Ok((body, packet)));
    let answers = |reason: Reason| reason.answers_publish();
    let releases = |reason| matches!(reason, Reason::Success | Reason::PacketIdentifierNotFound);
    match kind {
        1 if is_client => connect::connect(body).map(Packet::Connect),
        2 if !is_client => whole(connack(level, body)).map(Packet::Connack),
        4 => whole(map(ack(level, answers), Packet::Puback).parse(body)),
        5 => whole(map(ack(level, answers), Packet::Pubrec).parse(body)),
        6 => whole(map(ack(level, releases), Packet::Pubrel).parse(body)),
        7 => whole(map(ack(level, releases), Packet::Pubcomp).parse(body)),
        8 if is_client => subscribe::subscribe(level, body).map(Packet::Subscribe),
        9 if !is_client => {
            whole(codes(level, true)(body)).map(|(id, properties, codes)| Packet::Suback { id, properties, codes })
        }
        10 if is_client => subscribe::unsubscribe(level, body).map(|(id, properties, topics)| Packet::Unsubscribe {
            id,
            properties,
            topics,
        }),
        11 if !is_client => whole(codes(level, level == Level::V5)(body))
            .map(|(id, properties, codes)| Packet::Unsuback { id, properties, codes }),
        12 if is_client => empty(Packet::Pingreq),
        13 if !is_client => empty(Packet::Pingresp),
        14 if is_client || level == Level::V5 => disconnect(level, sender, body).map(Packet::Disconnect),
        15 => auth(level, body).map(Packet::Auth),
        _ => Err(MqttFault::Protocol { what: "a packet came that its side may not send" }),
    }
}

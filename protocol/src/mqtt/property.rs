//! Properties of MQTT 5: checked once, read where they stand.

use nom::combinator::map;
use nom::number::complete::{be_u16, be_u32, u8 as any_byte};
use nom::sequence::pair;
use nom::{Err, Parser as _};

use super::MqttFault;
use super::wire::{Parsed, binary, broken, malformed, put_binary, put_varint, text, varint};

/// Properties of one packet, in the order of the wire. Empty in MQTT 3.1.1.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct PropertyList<'a>(&'a [u8]);

/// One property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property<'a> {
    /// Payload: 0 bytes, 1 UTF-8.
    PayloadFormat(bool),
    /// Seconds a message lives.
    MessageExpiry(u32),
    /// Media type of the payload.
    ContentType(&'a str),
    /// Where an answer goes.
    ResponseTopic(&'a str),
    /// What an answer carries.
    Correlation(&'a [u8]),
    /// Number of a subscription.
    SubscriptionId(u32),
    /// Seconds a session lives after its connection.
    SessionExpiry(u32),
    /// The id that the server chose.
    AssignedClientId(&'a str),
    /// Seconds, instead of the client's.
    ServerKeepAlive(u16),
    /// Name of enhanced authentication.
    AuthMethod(&'a str),
    /// Bytes of it.
    AuthBytes(&'a [u8]),
    /// May answers carry texts?
    RequestProblemTexts(bool),
    /// Seconds between the end and the will.
    WillDelay(u32),
    /// Does the client want a topic for answers?
    RequestResponseTopic(bool),
    /// It.
    ResponseTopicStart(&'a str),
    /// Another server.
    ServerReference(&'a str),
    /// Why, in words.
    ReasonString(&'a str),
    /// Messages of QoS above 0 under way at a time.
    ReceiveMaximum(u16),
    /// Largest topic alias.
    TopicAliasMaximum(u16),
    /// Stands for a topic.
    TopicAlias(u16),
    /// Highest QoS: 0 or 1.
    MaximumQos(bool),
    /// Is retaining spoken?
    RetainAvailable(bool),
    /// Anything.
    UserProperty(&'a str, &'a str),
    /// Longest packet, bytes.
    MaximumPacketSize(u32),
    /// Are wildcards taken?
    WildcardAvailable(bool),
    /// Are subscription ids taken?
    SubscriptionIdAvailable(bool),
    /// Are subscriptions shared?
    SharedAvailable(bool),
}

/// Which properties a packet may have, one bit an id.
#[derive(Clone, Copy, Debug)]
pub(super) struct AllowedPackets(u64);

const fn place(ids: &[u8]) -> AllowedPackets {
    let (mut mask, mut at) = (1 << USER_PROPERTY, 0);
    while at < ids.len() {
        mask |= 1 << ids[at];
        at += 1;
    }
    AllowedPackets(mask)
}

const USER_PROPERTY: u8 = 0x26;
const SUBSCRIPTION_ID: u8 = 0x0b;

impl AllowedPackets {
    pub(super) const CONNECT: Self = place(&[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x27]);
    pub(super) const WILL: Self = place(&[0x01, 0x02, 0x03, 0x08, 0x09, 0x18]);
    pub(super) const CONNACK: Self =
        place(&[0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x27, 0x28, 0x29, 0x2a]);
    pub(super) const PUBLISH: Self = place(&[0x01, 0x02, 0x03, 0x08, 0x09, SUBSCRIPTION_ID, 0x23]);
    pub(super) const ANSWER: Self = place(&[0x1f]);
    pub(super) const SUBSCRIBE: Self = place(&[SUBSCRIPTION_ID]);
    pub(super) const UNSUBSCRIBE: Self = place(&[]);
    pub(super) const DISCONNECT: Self = place(&[0x11, 0x1c, 0x1f]);
    pub(super) const AUTH: Self = place(&[0x15, 0x16, 0x1f]);

    const fn allows(self, id: u8) -> bool {
        id < 64 && self.0 & 1 << id != 0
    }
}

fn flag(input: &[u8]) -> Parsed<'_, bool> {
    let (left, byte) = any_byte.parse(input)?;
    if byte > 1 { broken("a property that is 0 or 1 has another value") } else { Ok((left, byte == 1)) }
}

/// One property with its id.
fn property(input: &[u8]) -> Parsed<'_, (u8, Property<'_>)> {
    let (left, id) = any_byte.parse(input)?;
    let (left, property) = match id {
        0x01 => map(flag, Property::PayloadFormat).parse(left),
        0x02 => map(be_u32, Property::MessageExpiry).parse(left),
        0x03 => map(text, Property::ContentType).parse(left),
        0x08 => map(text, Property::ResponseTopic).parse(left),
        0x09 => map(binary, Property::Correlation).parse(left),
        SUBSCRIPTION_ID => map(varint, Property::SubscriptionId).parse(left),
        0x11 => map(be_u32, Property::SessionExpiry).parse(left),
        0x12 => map(text, Property::AssignedClientId).parse(left),
        0x13 => map(be_u16, Property::ServerKeepAlive).parse(left),
        0x15 => map(text, Property::AuthMethod).parse(left),
        0x16 => map(binary, Property::AuthBytes).parse(left),
        0x17 => map(flag, Property::RequestProblemTexts).parse(left),
        0x18 => map(be_u32, Property::WillDelay).parse(left),
        0x19 => map(flag, Property::RequestResponseTopic).parse(left),
        0x1a => map(text, Property::ResponseTopicStart).parse(left),
        0x1c => map(text, Property::ServerReference).parse(left),
        0x1f => map(text, Property::ReasonString).parse(left),
        0x21 => map(be_u16, Property::ReceiveMaximum).parse(left),
        0x22 => map(be_u16, Property::TopicAliasMaximum).parse(left),
        0x23 => map(be_u16, Property::TopicAlias).parse(left),
        0x24 => map(flag, Property::MaximumQos).parse(left),
        0x25 => map(flag, Property::RetainAvailable).parse(left),
        USER_PROPERTY => map(pair(text, text), |(name, value)| Property::UserProperty(name, value)).parse(left),
        0x27 => map(be_u32, Property::MaximumPacketSize).parse(left),
        0x28 => map(flag, Property::WildcardAvailable).parse(left),
        0x29 => map(flag, Property::SubscriptionIdAvailable).parse(left),
        0x2a => map(flag, Property::SharedAvailable).parse(left),
        _ => malformed("a property does not exist"),
    }?;
    Ok((left, (id, property)))
}

/// Values that the protocol forbids, whatever the packet.
fn check(property: Property<'_>) -> Result<(), MqttFault> {
    let what = match property {
        Property::ReceiveMaximum(0) => "receive maximum is 0",
        Property::MaximumPacketSize(0) => "maximum packet size is 0",
        Property::SubscriptionId(0) => "a subscription identifier is 0",
        Property::ResponseTopic(topic) if topic.is_empty() || topic.contains(['+', '#']) => {
            "a response topic is empty or has wildcards"
        }
        Property::TopicAlias(0) => return Err(MqttFault::TopicAlias { alias: 0 }),
        _ => return Ok(()),
    };
    Err(MqttFault::Protocol { what })
}

/// Properties with their length in front. Each may come once; user properties, and the subscriptions that a message comes
/// of, may come again.
pub(super) fn properties(place: AllowedPackets) -> impl Fn(&[u8]) -> Parsed<'_, PropertyList<'_>> {
    move |input| {
        let (left, len) = varint(input)?;
        let Some((list, left)) = left.split_at_checked(len as usize) else {
            return malformed("properties are longer than their packet");
        };
        if !list.is_empty() {
            walk(place, list)?;
        }
        Ok((left, PropertyList(list)))
    }
}

fn walk(place: AllowedPackets, list: &[u8]) -> Result<(), Err<MqttFault>> {
    let (mut rest, mut seen) = (list, 0_u64);
    while !rest.is_empty() {
        let (left, (id, property)) = property(rest)?;
        if !place.allows(id) {
            return broken("a property may not stand in its packet");
        }
        let may_repeat = id == USER_PROPERTY || (id == SUBSCRIPTION_ID && place.allows(0x23));
        if seen & 1 << id != 0 && !may_repeat {
            return broken("a property comes twice");
        }
        check(property).map_err(Err::Failure)?;
        seen |= 1 << id;
        rest = left;
    }
    Ok(())
}

impl<'a> PropertyList<'a> {
    /// The properties.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + use<'a> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            // Checked when the packet was read: nothing here can fail.
            let (rest, (_, found)) = property(left).ok()?;
            left = rest;
            Some(found)
        })
    }

    /// None at all?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len());
        out.extend_from_slice(self.0);
    }

    /// Length with the length in front, bytes.
    pub(super) const fn written_bytes(&self) -> usize {
        let len = self.0.len();
        len + match len {
            0..128 => 1,
            128..16_384 => 2,
            _ => 3,
        }
    }

    /// The list of these bytes, which [`Property::write`] made: they are not checked.
    #[must_use]
    pub const fn of_written(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for PropertyList<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Property<'_> {
    /// Append it with its id.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut tagged = |id: u8, bytes: &[u8]| {
            out.push(id);
            out.extend_from_slice(bytes);
        };
        match self {
            Self::PayloadFormat(on) => tagged(0x01, &[on.into()]),
            Self::MessageExpiry(s) => tagged(0x02, &s.to_be_bytes()),
            Self::SessionExpiry(s) => tagged(0x11, &s.to_be_bytes()),
            Self::ServerKeepAlive(s) => tagged(0x13, &s.to_be_bytes()),
            Self::RequestProblemTexts(on) => tagged(0x17, &[on.into()]),
            Self::WillDelay(s) => tagged(0x18, &s.to_be_bytes()),
            Self::RequestResponseTopic(on) => tagged(0x19, &[on.into()]),
            Self::ReceiveMaximum(n) => tagged(0x21, &n.to_be_bytes()),
            Self::TopicAliasMaximum(n) => tagged(0x22, &n.to_be_bytes()),
            Self::TopicAlias(n) => tagged(0x23, &n.to_be_bytes()),
            Self::MaximumQos(on) => tagged(0x24, &[on.into()]),
            Self::RetainAvailable(on) => tagged(0x25, &[on.into()]),
            Self::MaximumPacketSize(n) => tagged(0x27, &n.to_be_bytes()),
            Self::WildcardAvailable(on) => tagged(0x28, &[on.into()]),
            Self::SubscriptionIdAvailable(on) => tagged(0x29, &[on.into()]),
            Self::SharedAvailable(on) => tagged(0x2a, &[on.into()]),
            Self::SubscriptionId(n) => {
                tagged(SUBSCRIPTION_ID, &[]);
                put_varint(out, n as usize);
            }
            Self::ContentType(text) => put_text(out, 0x03, text),
            Self::ResponseTopic(text) => put_text(out, 0x08, text),
            Self::AssignedClientId(text) => put_text(out, 0x12, text),
            Self::AuthMethod(text) => put_text(out, 0x15, text),
            Self::ResponseTopicStart(text) => put_text(out, 0x1a, text),
            Self::ServerReference(text) => put_text(out, 0x1c, text),
            Self::ReasonString(text) => put_text(out, 0x1f, text),
            Self::Correlation(bytes) => put_bytes(out, 0x09, bytes),
            Self::AuthBytes(bytes) => put_bytes(out, 0x16, bytes),
            Self::UserProperty(name, value) => {
                put_text(out, USER_PROPERTY, name);
                put_binary(out, value.as_bytes());
            }
        }
    }
}

fn put_text(out: &mut Vec<u8>, id: u8, text: &str) {
    put_bytes(out, id, text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, id: u8, bytes: &[u8]) {
    out.push(id);
    put_binary(out, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: AllowedPackets, bytes: &[u8]) -> Result<Vec<Property<'_>>, MqttFault> {
        super::super::wire::whole(properties(place)(bytes)).map(|list| list.iter().collect())
    }

    #[test]
    fn properties_are_read_in_their_order() {
        let bytes = b"\x11\x11\0\0\0\x0a\x21\0\x05\x26\0\x01a\0\x01b\x17\0";
        assert_eq!(
            read(AllowedPackets::CONNECT, bytes),
            Ok(vec![
                Property::SessionExpiry(10),
                Property::ReceiveMaximum(5),
                Property::UserProperty("a", "b"),
                Property::RequestProblemTexts(false),
            ])
        );
        assert_eq!(read(AllowedPackets::CONNECT, b"\0"), Ok(vec![]));
    }

    #[test]
    fn what_may_not_be_is_refused_with_its_reason() {
        use super::super::Reason::{MalformedPacket, ProtocolError, TopicAliasInvalid};
        for (place, bytes, reason) in [
            (AllowedPackets::CONNECT, &b"\x03\x21\0\0"[..], ProtocolError),
            (AllowedPackets::CONNECT, b"\x05\x27\0\0\0\0", ProtocolError),
            (AllowedPackets::CONNECT, b"\x02\x17\x02", ProtocolError),
            (AllowedPackets::CONNECT, b"\x06\x21\0\x01\x21\0\x01", ProtocolError),
            (AllowedPackets::CONNECT, b"\x03\x23\0\x01", ProtocolError),
            (AllowedPackets::CONNECT, b"\x02\x04\0", MalformedPacket),
            (AllowedPackets::CONNECT, b"\x02\x21\0", MalformedPacket),
            (AllowedPackets::CONNECT, b"\x09\x21\0\x01", MalformedPacket),
            (AllowedPackets::CONNECT, b"\x01\x80", MalformedPacket),
            (AllowedPackets::CONNECT, b"\x80\0", MalformedPacket),
            (AllowedPackets::PUBLISH, b"\x03\x23\0\0", TopicAliasInvalid),
            (AllowedPackets::PUBLISH, b"\x04\x08\0\x01#", ProtocolError),
            (AllowedPackets::SUBSCRIBE, b"\x02\x0b\0", ProtocolError),
            (AllowedPackets::SUBSCRIBE, b"\x04\x0b\x01\x0b\x02", ProtocolError),
            (AllowedPackets::WILL, b"\x07\x26\0\x01a\0\x01\xff", MalformedPacket),
        ] {
            assert_eq!(read(place, bytes).map_err(MqttFault::reason), Err(reason), "{bytes:?}");
        }
        assert_eq!(read(AllowedPackets::PUBLISH, b"\x04\x0b\x01\x0b\x02").map(|list| list.len()), Ok(2));
    }
}

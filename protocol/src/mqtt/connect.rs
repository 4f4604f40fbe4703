//! CONNECT.

use nom::Parser as _;
use nom::number::complete::{be_u16, u8 as any_byte};

use super::packet::properties_of;
use super::property::AllowedPackets;
use super::wire::{Parsed, binary, broken, malformed, text, whole};
use super::{Level, MqttFault, Property, PropertyList, Qos, Reason};

/// What is to be published when the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Where to.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// How surely.
    pub qos: Qos,
    /// To be stored for those who subscribe later.
    pub retain: bool,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
}

/// A login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The version from now on.
    pub level: Level,
    /// Begin without what an older connection left.
    pub clean: bool,
    /// The client ends one and a half of it without a packet; 0: never, seconds.
    pub keep_alive_s: u16,
    /// MQTT 5 only.
    pub properties: PropertyList<'a>,
    /// The client's name; may be empty.
    pub client_id: &'a str,
    /// The will.
    pub will: Option<Will<'a>>,
    /// User name.
    pub user: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
}

/// Password and user may be secrets: neither is shown.
impl std::fmt::Debug for Connect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("level", &self.level)
            .field("clean", &self.clean)
            .field("keep_alive_s", &self.keep_alive_s)
            .field("has_will", &self.will.is_some())
            .field("has_password", &self.password.is_some())
            .finish_non_exhaustive()
    }
}

/// Bits of the connect flags.
const RESERVED: u8 = 0x01;
const CLEAN: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER: u8 = 0x80;

/// The version; one that is well formed and not spoken here is refused in words that its client understands.
fn level(input: &[u8]) -> Result<(&[u8], Level), MqttFault> {
    const VERSION: MqttFault = MqttFault::Refused(Reason::UnsupportedProtocolVersion);
    match input {
        [0, 4, b'M', b'Q', b'T', b'T', 4, left @ ..] => Ok((left, Level::V4)),
        [0, 4, b'M', b'Q', b'T', b'T', 5, left @ ..] => Ok((left, Level::V5)),
        [0, 4, b'M', b'Q', b'T', b'T', _, ..] | [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', _, ..] => Err(VERSION),
        _ => Err(MqttFault::NotConnect),
    }
}

fn will<'a>(level: Level, flags: u8, qos: Qos, input: &'a [u8]) -> Parsed<'a, Option<Will<'a>>> {
    if flags & WILL == 0 {
        return Ok((input, None));
    }
    let (left, properties) = properties_of(level, AllowedPackets::WILL)(input)?;
    let (left, topic) = text(left)?;
    if topic.is_empty() || topic.contains(['+', '#']) {
        return malformed("the topic of a will is empty or has wildcards");
    }
    let (left, payload) = binary(left)?;
    Ok((left, Some(Will { topic, payload, qos, retain: flags & WILL_RETAIN != 0, properties })))
}

fn fields(level: Level, input: &[u8]) -> Parsed<'_, Connect<'_>> {
    let (left, flags) = any_byte.parse(input)?;
    let has = |bit: u8| flags & bit != 0;
    let Some(qos) = Qos::from_bits(flags >> 3 & 3) else { return malformed("a will has QoS 3") };
    if has(RESERVED) {
        return malformed("the reserved flag of CONNECT is set");
    }
    if !has(WILL) && (qos != Qos::AtMostOnce || has(WILL_RETAIN)) {
        return malformed("flags of a will without a will");
    }
    if level == Level::V4 && has(PASSWORD) && !has(USER) {
        return malformed("a password without a user name");
    }
    let (left, keep_alive_s) = be_u16.parse(left)?;
    let (left, properties) = properties_of(level, AllowedPackets::CONNECT)(left)?;
    let has_auth = |wanted: fn(&Property<'_>) -> bool| properties.iter().any(|property| wanted(&property));
    if has_auth(|it| matches!(it, Property::AuthBytes(_))) && !has_auth(|it| matches!(it, Property::AuthMethod(_))) {
        return broken("authentication without a method");
    }
    let (left, client_id) = text(left)?;
    let (left, will) = will(level, flags, qos, left)?;
    let (left, user) = optional(has(USER), text, left)?;
    let (left, password) = optional(has(PASSWORD), binary, left)?;
    Ok((left, Connect { level, clean: has(CLEAN), keep_alive_s, properties, client_id, will, user, password }))
}

fn optional<'a, T>(is_there: bool, parser: fn(&'a [u8]) -> Parsed<'a, T>, input: &'a [u8]) -> Parsed<'a, Option<T>> {
    if !is_there {
        return Ok((input, None));
    }
    let (left, value) = parser(input)?;
    Ok((left, Some(value)))
}

pub(super) fn connect(body: &[u8]) -> Result<Connect<'_>, MqttFault> {
    let (left, level) = level(body)?;
    whole(fields(level, left))
}

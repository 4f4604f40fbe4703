//! The server's side of one MQTT connection.

mod downlink;
mod login;
mod pack;
mod subscription;

pub use downlink::{Downlink, Published};
pub use login::Welcome;

use crate::model::Token;

use super::{
    Ack, Disconnect, Level, MqttFault, Packet, Property, PropertyList, Publish, Qos, RawPacket, Reason, Sender, Uplink,
    decode, packet::publish,
};

/// What a client asks. The session has answered everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttAsk<'a> {
    /// Log in. Answer with [`MqttSession::accept`] or [`MqttSession::farewell`].
    Login {
        /// Who it says it is.
        token: Token,
    },
    /// A message. Answer with [`MqttSession::acknowledge`].
    Publish {
        /// What its topic asks for.
        uplink: Uplink<'a>,
        /// The message.
        payload: &'a [u8],
        /// The answer that is due.
        owed: Owed,
    },
    /// The answer to [`Downlink::Ping`].
    PingAnswered,
    /// The client leaves: close. The will is due only if it says so.
    Leave {
        /// Send the will.
        with_will: bool,
    },
    /// Nothing is to be done.
    Nothing,
}

/// What a message's topic asks for, its payload, and the answer that is due: [`MqttAsk::Publish`] in parts.
type MessageParts<'a> = (Uplink<'a>, &'a [u8], Owed);

/// The answer that a message is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Owed {
    /// QoS 0: none.
    Nothing,
    /// QoS 1.
    Puback(u16),
    /// QoS 2. Nothing is remembered of it: its id could only repeat inside this connection, where that is not allowed, so
    /// PUBREC now and PUBCOMP to any PUBREL are all that the exchange needs.
    Pubrec(u16),
}

/// A message for the time when the connection is lost.
#[derive(Clone, PartialEq, Eq)]
pub struct WillMessage {
    /// Where to.
    pub topic: Box<str>,
    /// What.
    pub payload: Box<[u8]>,
    /// Seconds between the end and the message.
    pub delay_s: u32,
}

/// A payload is the owner's: only lengths are shown.
impl std::fmt::Debug for WillMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WillMessage {{ payload_bytes: {}, delay_s: {} }}", self.payload.len(), self.delay_s)
    }
}

/// What few sessions have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Extra {
    will: Option<WillMessage>,
    /// Filters that are none of the usual ones.
    named: Vec<(Box<str>, Qos)>,
}

mod flag {
    /// Wants reasons in words.
    pub(super) const TEXTS: u8 = 1;
    /// Gave no client id.
    pub(super) const NO_ID: u8 = 2;
    /// Asked for a session that outlives the connection.
    pub(super) const EXPIRY: u8 = 4;
    /// A CONNECT came whose version is known.
    pub(super) const KNOWN: u8 = 8;
    /// Its login waits for an answer.
    pub(super) const PENDING: u8 = 16;
    /// Logged in.
    pub(super) const LIVE: u8 = 32;
}

/// Turns the packets of one connection into [`MqttAsk`]s. A plain value of a few bytes that may travel between threads;
/// it allocates only for a will and for filters by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MqttSession {
    extra: Option<Box<Extra>>,
    /// Longest packet that the client takes, bytes; 0: any.
    max_packet_bytes: u32,
    /// As the client asked until the login is accepted, then as it holds.
    keep_alive_s: u16,
    /// Id of the last message of QoS 1.
    last_id: u16,
    /// Id of the ping that waits for its answer; 0: none.
    ping_id: u16,
    /// Messages of QoS 1 that the client takes at a time, 255 at most.
    receive_max: u8,
    /// Those that wait for their answer.
    in_flight: u8,
    flags: u8,
    usual: Usual,
    /// What is spoken. A field of its own: what it cannot be tells an enum of sessions its variants, without a byte more.
    level: Level,
}

/// The usual filters, a bit each. Aligned, so that `level` comes after it: the other variants of an enum of sessions have
/// the 20 bytes before.
#[derive(Debug, Default, PartialEq, Eq)]
#[repr(align(2))]
struct Usual {
    /// Subscribed.
    subscribed: u8,
    /// At QoS 1.
    at_qos1: u8,
}

const _: () = assert!(size_of::<MqttSession>() == crate::limits::MQTT_SESSION_BYTES);

impl MqttSession {
    /// The state of a connection that has sent nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Is it logged in, that is, was [`MqttSession::accept`] called?
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.has(flag::LIVE)
    }

    /// What the connection speaks; 3.1.1 until its CONNECT came.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Does the client hear why a message at QoS 1 or 2 is refused? Those of 3.1.1 do not.
    #[must_use]
    pub const fn hears_reasons(&self) -> bool {
        matches!(self.level, Level::V5)
    }

    /// Seconds between packets that the client promises; it is gone after one and a half of them. Never 0 once logged in.
    #[must_use]
    pub const fn keep_alive_s(&self) -> u16 {
        self.keep_alive_s
    }

    /// Where the will goes, if there is one.
    #[must_use]
    pub fn will_topic(&self) -> Option<&str> {
        self.extra.as_ref()?.will.as_ref().map(|will| &*will.topic)
    }

    /// Take the will out: the connection is lost.
    pub fn take_will(&mut self) -> Option<WillMessage> {
        self.extra.as_mut()?.will.take()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| {
            let will = extra.will.as_ref().map_or(0, |will| will.topic.len() + will.payload.len());
            let named: usize = extra.named.iter().map(|(filter, _)| size_of::<(Box<str>, Qos)>() + filter.len()).sum();
            size_of::<Extra>() + will + named
        })
    }

    /// Take one packet; what the session answers by itself is appended to `out`.
    ///
    /// # Errors
    /// The packet ends the connection: say [`MqttSession::farewell`] with the fault's reason, then close. The session must
    /// not be used again.
    pub fn on_packet<'a>(&mut self, raw: RawPacket<'a>, out: &mut Vec<u8>) -> Result<MqttAsk<'a>, MqttFault> {
        if !self.is_live() {
            return if self.has(flag::PENDING) {
                Err(MqttFault::Protocol { what: "a packet was handled before the login was answered" })
            } else {
                self.log_in(raw)
            };
        }
        let level = self.level();
        match decode(level, Sender::Client, raw)? {
            Packet::Publish(publish) => {
                let (uplink, payload, owed) = message(&publish)?;
                Ok(MqttAsk::Publish { uplink, payload, owed })
            }
            Packet::Pingreq => {
                Packet::Pingresp.write(level, out);
                Ok(MqttAsk::Nothing)
            }
            Packet::Puback(ack) => Ok(self.answered(ack.id)),
            Packet::Subscribe(subscribe) => {
                self.subscribe(&subscribe, out);
                Ok(MqttAsk::Nothing)
            }
            Packet::Unsubscribe { id, topics, .. } => {
                self.unsubscribe(id, topics, out);
                Ok(MqttAsk::Nothing)
            }
            Packet::Pubrel(ack) => {
                Packet::Pubcomp(answer(ack.id, Reason::Success)).write(level, out);
                Ok(MqttAsk::Nothing)
            }
            Packet::Pubrec(Ack { id, .. }) | Packet::Pubcomp(Ack { id, .. }) if self.awaits(id) => {
                Err(MqttFault::Protocol { what: "a message of QoS 1 is answered with a packet of QoS 2" })
            }
            Packet::Pubrec(ack) => {
                // The server sends nothing at QoS 2.
                if ack.reason.code() < 0x80 {
                    Packet::Pubrel(answer(ack.id, Reason::PacketIdentifierNotFound)).write(level, out);
                }
                Ok(MqttAsk::Nothing)
            }
            Packet::Pubcomp(_) => Ok(MqttAsk::Nothing),
            Packet::Disconnect(end) => self.leave(&end),
            Packet::Connect(_) => Err(MqttFault::Protocol { what: "a second CONNECT came" }),
            Packet::Auth(_) => Err(MqttFault::Protocol { what: "AUTH came without an authentication method" }),
            Packet::Connack(_) | Packet::Suback { .. } | Packet::Unsuback { .. } | Packet::Pingresp => {
                Err(MqttFault::Protocol { what: "a packet came that only servers send" })
            }
        }
    }

    /// As [`MqttSession::on_packet`] for a PUBLISH of a session that is live: nearly all packets are, and need not go through
    /// the enum of all.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn on_message<'a>(&self, raw: RawPacket<'a>) -> Result<MessageParts<'a>, MqttFault> {
        debug_assert!(self.is_live() && raw.first >> 4 == 3);
        message(&publish(self.level(), raw.first & 0x0f, raw.body)?)
    }

    /// Does a message of QoS 1 with this id wait for its answer? Clients answer in the order of the messages, so that those
    /// are the last ones.
    const fn awaits(&self, id: u16) -> bool {
        let behind = self.last_id.wrapping_sub(id);
        (self.ping_id != 0 && id == self.ping_id) || behind < self.in_flight as u16
    }

    fn answered<'a>(&mut self, id: u16) -> MqttAsk<'a> {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.ping_id == 0 || id != self.ping_id {
            return MqttAsk::Nothing;
        }
        self.ping_id = 0;
        MqttAsk::PingAnswered
    }

    fn leave<'a>(&mut self, end: &Disconnect<'_>) -> Result<MqttAsk<'a>, MqttFault> {
        for property in end.properties.iter() {
            match property {
                Property::SessionExpiry(1..) if !self.has(flag::EXPIRY) => {
                    return Err(MqttFault::Protocol { what: "DISCONNECT asks for a session that CONNECT did not" });
                }
                Property::ServerReference(_) => {
                    return Err(MqttFault::Protocol { what: "a client names another server" });
                }
                _ => {}
            }
        }
        let with_will = end.reason == Reason::DisconnectWithWill;
        if let (false, Some(extra)) = (with_will, &mut self.extra) {
            extra.will = None;
        }
        Ok(MqttAsk::Leave { with_will })
    }

    /// Answer a message: [`Reason::Success`], or why it is not taken and, for those who want words, `text`. A client of
    /// 3.1.1 hears the same in both cases: it has no other answer.
    pub fn acknowledge(&self, owed: Owed, reason: Reason, text: &str, out: &mut Vec<u8>) {
        let mut written = Vec::new();
        let properties = self.reason_string(reason, text, &mut written);
        let level = self.level();
        match owed {
            Owed::Nothing => {}
            Owed::Puback(id) => Packet::Puback(Ack { id, reason, properties }).write(level, out),
            Owed::Pubrec(id) => Packet::Pubrec(Ack { id, reason, properties }).write(level, out),
        }
    }

    /// The text as a property, if it is wanted and fits.
    fn reason_string<'b>(&self, reason: Reason, text: &str, written: &'b mut Vec<u8>) -> PropertyList<'b> {
        const AROUND: usize = 16;
        let is_wanted = reason.code() >= 0x80 && !text.is_empty() && self.level() == Level::V5;
        let may_come = self.has(flag::TEXTS) || !self.is_live();
        if is_wanted && may_come && self.takes(text.len() + AROUND) {
            Property::ReasonString(text).write(written);
        }
        PropertyList::of_written(written)
    }

    /// Does the client take a packet of this length?
    const fn takes(&self, len_bytes: usize) -> bool {
        self.max_packet_bytes == 0 || len_bytes <= self.max_packet_bytes as usize
    }

    /// Send no packet longer than this from now on, bytes: the device said how much it can hold. 0 changes nothing.
    pub fn limit_packets(&mut self, len_bytes: u32) {
        if len_bytes > 0 && (self.max_packet_bytes == 0 || len_bytes < self.max_packet_bytes) {
            self.max_packet_bytes = len_bytes;
        }
    }

    /// Say why the connection ends, if there is a packet for it: CONNACK to a login that is refused for good, DISCONNECT
    /// to a client of MQTT 5 that is logged in, otherwise nothing, and nothing the second time.
    pub fn farewell(&mut self, reason: Reason, text: &str, out: &mut Vec<u8>) {
        let level = self.level();
        if !self.is_live() {
            let is_broken = matches!(reason, Reason::MalformedPacket | Reason::ProtocolError);
            if self.has(flag::KNOWN) && reason.refuses_login() && (level == Level::V5 || !is_broken) {
                self.refuse(reason, text, out);
            }
        } else if level == Level::V5 {
            let mut written = Vec::new();
            let text = if self.has(flag::TEXTS) { text } else { "" };
            let properties = self.reason_string(reason, text, &mut written);
            Packet::Disconnect(Disconnect { reason, properties }).write(level, out);
        }
        self.flags &= !(flag::KNOWN | flag::LIVE | flag::PENDING);
    }
}

const fn answer<'a>(id: u16, reason: Reason) -> Ack<'a> {
    Ack { id, reason, properties: PropertyList::of_written(&[]) }
}

fn message<'a>(publish: &Publish<'a>) -> Result<MessageParts<'a>, MqttFault> {
    if !publish.properties.is_empty() {
        for property in publish.properties.iter() {
            match property {
                Property::TopicAlias(alias) => return Err(MqttFault::TopicAlias { alias }),
                Property::SubscriptionId(_) => {
                    return Err(MqttFault::Protocol { what: "a client's message has a subscription identifier" });
                }
                _ => {}
            }
        }
    }
    let owed = match publish.qos {
        Qos::AtMostOnce => Owed::Nothing,
        Qos::AtLeastOnce => Owed::Puback(publish.id),
        Qos::ExactlyOnce => Owed::Pubrec(publish.id),
    };
    Ok((Uplink::parse(publish.topic), publish.payload, owed))
}

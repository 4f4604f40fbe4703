//! What a client did wrong that ends its connection, and the one mapping from it to a reason code.

use std::fmt;

use nom::error::{ErrorKind, ParseError};

use super::Reason;

/// A mistake after which the stream cannot go on. `Display` says what was found and what to do; it never carries bytes of
/// the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MqttFault {
    /// Bytes that no packet has.
    Malformed {
        /// Which.
        what: &'static str,
    },
    /// A packet that may not come here, or a field with a value that it may not have.
    Protocol {
        /// Which.
        what: &'static str,
    },
    /// A fixed header announces a packet longer than the reader takes.
    TooLarge {
        /// Announced, header included.
        len_bytes: usize,
        /// Taken.
        limit_bytes: usize,
    },
    /// The first packet is not CONNECT, or far too long for one, or no MQTT at all.
    NotConnect,
    /// A PUBLISH to a topic that no client may name.
    TopicName,
    /// A topic alias, which the server did not offer.
    TopicAlias {
        /// The alias.
        alias: u16,
    },
    /// A CONNECT that is well formed and refused: answer CONNACK with this reason.
    Refused(Reason),
}

impl MqttFault {
    /// What a client of MQTT 5 hears in CONNACK or DISCONNECT.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed { .. } | Self::NotConnect => Reason::MalformedPacket,
            Self::Protocol { .. } => Reason::ProtocolError,
            Self::TooLarge { .. } => Reason::PacketTooLarge,
            Self::TopicName => Reason::TopicNameInvalid,
            Self::TopicAlias { .. } => Reason::TopicAliasInvalid,
            Self::Refused(reason) => reason,
        }
    }
}

impl fmt::Display for MqttFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Malformed { what } => write!(f, "a packet is malformed: {what}; check the client library"),
            Self::Protocol { what } => write!(f, "the protocol is broken: {what}; check the client library"),
            Self::TooLarge { len_bytes, limit_bytes } => write!(
                f,
                "a packet of {len_bytes} bytes was announced, at most {limit_bytes} are taken; send smaller batches"
            ),
            Self::NotConnect => {
                f.write_str("the first packet is not CONNECT; send it first, with the token as password")
            }
            Self::TopicName => f.write_str("a topic holds + or #; publish to one of the device API"),
            Self::TopicAlias { alias } => {
                write!(f, "topic alias {alias} was used, none is offered; send the topic's name")
            }
            Self::Refused(reason) => write!(f, "the login is refused: {}; {}", reason.words(), reason.fix()),
        }
    }
}

impl std::error::Error for MqttFault {}

/// A parser that found too few bytes: the packet is shorter than its fields.
impl ParseError<&[u8]> for MqttFault {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self::Malformed { what: "a field is longer than its packet" }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

//! The layers of a connection, outermost first: TLS, framing, and what is spoken within.

use linchpin_protocol::blynk::Session;
use linchpin_protocol::http::ChunksSeen;
use linchpin_protocol::limits::DEFAULT_BUFF_IN_BYTES;
use linchpin_protocol::mqtt::MqttSession;
use linchpin_protocol::ws::{Decoder, Role};

use crate::limits;
use crate::tls::Tls;

/// See the module's page. Whatever a layer holds goes when the layer goes.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// How bytes are sealed.
    pub(crate) tls: Tls,
    /// How frames are wrapped.
    pub(crate) framing: Framing,
    /// What is spoken.
    pub(crate) speech: Speech,
}

/// How the bytes of a speech travel.
#[derive(Debug, Default)]
pub(crate) enum Framing {
    /// As they are.
    #[default]
    Stream,
    /// In frames of a WebSocket.
    WebSocket(Box<Decoder>),
}

/// What a connection speaks.
#[derive(Debug, Default)]
pub(crate) enum Speech {
    /// A load balancer must say first who the client is.
    Proxy,
    /// The next bytes will tell.
    #[default]
    Unknown,
    /// The Blynk protocol: a device.
    Blynk(Session, Announced),
    /// MQTT: a device.
    Mqtt(MqttSession),
    /// HTTP: a client of the device API.
    Http(Exchange),
    /// Messages of a live socket: a person's page.
    Live,
}

/// Where an HTTP connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// A request is awaited.
    Reading {
        /// The token of the request was found good: its body may be long.
        verified: bool,
        /// So many bytes must be there before it is worth to look at them again; 0: any.
        need: u32,
        /// How far the chunks of its body were gone through.
        seen: ChunksSeen,
    },
    /// Another shard has been asked.
    Asking {
        /// More requests may follow.
        keep_alive: bool,
        /// It is a HEAD request.
        head_only: bool,
        /// It came to the legacy API.
        is_legacy: bool,
    },
    /// Another shard has been asked whether the token is good; nothing is answered.
    Verifying,
    /// So much was answered that the rest waits for a moment.
    Pausing,
    /// An ask is under way, or a file is written: `http/asks` has the rest of its state.
    UnderWay,
}

/// What a device of the Blynk protocol says of itself; the defaults until its INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Its heartbeat, s.
    pub(crate) heartbeat_s: u16,
    /// Its receive buffer, bytes: a body must be shorter.
    pub(crate) buff_in: u16,
}

impl Default for Announced {
    fn default() -> Self {
        Self { heartbeat_s: limits::HEARTBEAT_S as u16, buff_in: DEFAULT_BUFF_IN_BYTES as u16 }
    }
}

const _: () = assert!(size_of::<Wire>() == 48);

impl Exchange {
    /// The next request is awaited, and nothing is known of it.
    pub(crate) const AT_BEGIN: Self = Self::Reading { verified: false, need: 0, seen: ChunksSeen::NONE };
}

impl Framing {
    /// A WebSocket at its beginning.
    pub(crate) fn websocket() -> Self {
        Self::WebSocket(Box::new(Decoder::new(Role::Server)))
    }

    /// A WebSocket whose messages are looked at whole.
    pub(crate) fn messages(is_text: bool) -> Self {
        Self::WebSocket(Box::new(Decoder::of_messages(Role::Server, is_text)))
    }

    pub(crate) const fn is_websocket(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    /// Memory behind the structure.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Stream => 0,
            Self::WebSocket(decoder) => size_of::<Decoder>() + decoder.heap_bytes(),
        }
    }
}

impl Speech {
    /// The state of the Blynk protocol, if it is spoken.
    pub(crate) const fn session(&mut self) -> Option<&mut Session> {
        match self {
            Self::Blynk(session, _) => Some(session),
            Self::Proxy | Self::Unknown | Self::Mqtt(_) | Self::Http(_) | Self::Live => None,
        }
    }

    /// What the device has announced, if the Blynk protocol is spoken; else the defaults.
    pub(crate) fn announced(&self) -> Announced {
        match self {
            Self::Blynk(_, announced) => *announced,
            Self::Proxy | Self::Unknown | Self::Mqtt(_) | Self::Http(_) | Self::Live => Announced::default(),
        }
    }

    /// Change what the device has announced, if the Blynk protocol is spoken.
    pub(crate) fn announce(&mut self, change: impl FnOnce(&mut Announced)) {
        if let Self::Blynk(_, announced) = self {
            change(announced);
        }
    }

    /// The state of MQTT, if it is spoken. What it has on the heap is changed within `Connections::hold` only.
    pub(crate) const fn mqtt(&mut self) -> Option<&mut MqttSession> {
        match self {
            Self::Mqtt(session) => Some(session),
            Self::Proxy | Self::Unknown | Self::Blynk(..) | Self::Http(_) | Self::Live => None,
        }
    }

    pub(crate) const fn is_mqtt(&self) -> bool {
        matches!(self, Self::Mqtt(_))
    }

    /// Memory behind the structure.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Mqtt(session) => session.heap_bytes(),
            Self::Proxy | Self::Unknown | Self::Blynk(..) | Self::Http(_) | Self::Live => 0,
        }
    }

    /// Where HTTP stands, if it is spoken.
    pub(crate) const fn exchange(&self) -> Option<Exchange> {
        match self {
            Self::Http(exchange) => Some(*exchange),
            Self::Proxy | Self::Unknown | Self::Blynk(..) | Self::Mqtt(_) | Self::Live => None,
        }
    }
}

//! What homes of devices and shards with live sockets write each other. Plain data; each says a whole state, so that a
//! letter that did not arrive is simply made again.

use linchpin_protocol::model::{DeviceId, OrgId, Pin, UnixMillis};
use serde::{Deserialize, Serialize};

use super::pins::PinSet;
use crate::ids::ConnRef;

/// What a shard wants of one device, for all of its sockets together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceWanted {
    /// Latest values and properties of these pins.
    pub pins: PinSet,
    /// Every value of these.
    pub every: PinSet,
    /// Presence.
    pub presence: bool,
    /// Events.
    pub events: bool,
    /// Frames of the wire.
    pub frames: bool,
}

impl DeviceWanted {
    /// Nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These and those.
    pub fn add(&mut self, others: &Self) {
        self.pins.add(&others.pins);
        self.every.add(&others.every);
        self.presence |= others.presence;
        self.events |= others.events;
        self.frames |= others.frames;
    }
}

/// What a shard wants of all devices of an organization.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgWanted {
    /// Devices that come and go.
    pub presence: bool,
    /// Events.
    pub events: bool,
    /// That devices were added or removed.
    pub members: bool,
}

impl OrgWanted {
    /// Nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These and those.
    pub const fn add(&mut self, others: &Self) {
        self.presence |= others.presence;
        self.events |= others.events;
        self.members |= others.members;
    }
}

/// A device as its home knows it, without its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Its organization.
    pub org: OrgId,
    /// It is connected.
    pub is_online: bool,
    /// Since when it is or is not, Unix ms; 0 while offline: it was never connected.
    pub since_ms: u64,
    /// Why its last connection ended, the number of an E code, or 0.
    pub code: u16,
}

/// The device, and its card as it is now; none: there is no such device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    /// The device.
    pub device: DeviceId,
    /// The card.
    pub card: Option<Card>,
    /// What was said of the device before is void: all that is wanted of it follows.
    pub is_fresh: bool,
}

/// A latest value, in the bytes of its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsRow {
    /// The device.
    pub device: DeviceId,
    /// The pin.
    pub pin: Pin,
    /// When it was written, Unix ms.
    pub at_ms: u64,
    /// Where its bytes are; `None`: the pin has no value any more.
    pub bytes: Option<(u32, u32)>,
}

/// All properties of a device's wanted pins as they are now: pin, name, raw value.
pub type PropertyRows = Vec<(Pin, Box<str>, Box<[u8]>)>;

/// Logins that failed, of one address for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// Where they came from.
    pub address: std::net::IpAddr,
    /// Why, the number of an E code.
    pub code: u16,
    /// When the last one was, Unix ms.
    pub at_ms: u64,
    /// How many.
    pub count: u32,
}

/// Something that happened once: a queue of these is bounded, and what did not fit is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// An event of a device.
    Event {
        /// The device.
        device: DeviceId,
        /// Its organization.
        org: OrgId,
        /// When, Unix ms.
        at_ms: u64,
        /// Which, of those at that time.
        number: u32,
        /// Its code.
        code: Box<str>,
        /// What it says.
        text: Box<str>,
    },
    /// A value of a pin of which every one is wanted.
    Value {
        /// The device.
        device: DeviceId,
        /// The pin.
        pin: Pin,
        /// When, Unix ms.
        at_ms: u64,
        /// Raw value.
        value: Box<[u8]>,
    },
    /// A frame, without secrets.
    Frame {
        /// The device.
        device: DeviceId,
        /// When, Unix ms.
        at_ms: u64,
        /// To the device.
        is_sent: bool,
        /// Its command.
        command: u8,
        /// Its message id.
        message: u16,
        /// Its body, perhaps cut.
        body: Box<[u8]>,
    },
}

impl Happened {
    /// The device that it is about.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        match self {
            Self::Event { device, .. } | Self::Value { device, .. } | Self::Frame { device, .. } => *device,
        }
    }
}

/// What a home has to say to one shard: at most one a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Devices that were looked up, came or went.
    pub cards: Vec<CardRow>,
    /// Devices that came or went in an organization that is watched as a whole.
    pub loose: Vec<CardRow>,
    /// Latest values.
    pub values: Vec<NewsRow>,
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// Properties, those of a device at once.
    pub properties: Vec<(DeviceId, PropertyRows)>,
    /// What happened once, in its order.
    pub happened: Vec<Happened>,
    /// How much of that found no room.
    pub skipped: u32,
    /// Organizations that gained or lost devices.
    pub members: Vec<OrgId>,
    /// Logins that failed.
    pub attempts: Vec<AttemptRow>,
    /// Number of the last [`LiveLetter::Watch`] all of whose devices are told of by now.
    pub reached: u64,
}

impl News {
    /// The bytes of a row.
    #[must_use]
    pub fn bytes_of(&self, row: &NewsRow) -> Option<&[u8]> {
        row.bytes.and_then(|(start, end)| self.bytes.get(start as usize..end as usize))
    }

    /// About how much of it there is, bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
            + self.values.len() * size_of::<NewsRow>()
            + (self.cards.len() + self.loose.len()) * size_of::<CardRow>()
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrote {
    /// It went to the device.
    Delivered,
    /// The device gets it when it returns.
    Retained,
    /// It was not written: the number of an E code.
    Refused(u16),
}

/// A letter about live sockets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LiveLetter {
    /// To a home: from now on this is what the sender wants of these devices; nothing: it wants no more of it.
    Watch {
        /// Counts these letters of a sender.
        number: u64,
        /// The devices.
        devices: Vec<(DeviceId, DeviceWanted)>,
    },
    /// To every shard: from now on this is what the sender wants of organizations. Those that are not listed are over.
    WatchOrgs {
        /// The organizations, ascending.
        orgs: Vec<(OrgId, OrgWanted)>,
        /// Also logins that failed.
        attempts: bool,
    },
    /// To a subscribing shard.
    News(Box<News>),
    /// To every shard: which devices of these organizations live there?
    Members {
        /// The socket that asks.
        asker: ConnRef,
        /// Its watch.
        set: u16,
        /// Which question it is.
        number: u64,
        /// The organizations.
        orgs: Vec<OrgId>,
    },
    /// The answer: ascending, at most one more than may be watched.
    MembersAre {
        /// The socket that asked.
        asker: ConnRef,
        /// As in the question.
        set: u16,
        /// As in the question.
        number: u64,
        /// How many there are.
        total: u32,
        /// The devices.
        devices: Vec<DeviceId>,
    },
    /// To the home of `device`: a person writes.
    Write {
        /// The socket.
        asker: ConnRef,
        /// Its number for it.
        request: u32,
        /// The device.
        device: DeviceId,
        /// The pin.
        pin: Pin,
        /// Raw value.
        value: Box<[u8]>,
        /// Organizations whose devices the person may write to.
        orgs: Vec<OrgId>,
        /// The device is the person's own.
        is_own: bool,
    },
    /// The answer to it.
    Wrote {
        /// The socket.
        asker: ConnRef,
        /// As in the question.
        request: u32,
        /// What became of it.
        wrote: Wrote,
    },
}

/// Wall time of a moment of the monotonic clock.
#[must_use]
pub(crate) const fn wall_at(now: linchpin_protocol::model::Now, mono: linchpin_protocol::model::Millis) -> UnixMillis {
    UnixMillis(now.wall.0.saturating_sub(now.mono.since(mono)))
}

//! The messages. Times are milliseconds of the server's clock, at most 2^53 - 1, so that a browser counts them exactly.

use std::fmt;

use super::value::LiveValue;
use crate::model::Pin;

/// What a watch wants of its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// Latest values of the watched pins, and the properties that a device sets.
    pub values: bool,
    /// Whether devices are there.
    pub presence: bool,
    /// Events.
    pub events: bool,
    /// Logins that failed, for the waiting room.
    pub attempts: bool,
    /// Frames of the wire.
    pub frames: bool,
}

impl Subjects {
    /// Their names in JSON, from the lowest bit on.
    pub const NAMES: [&'static str; 5] = ["values", "presence", "events", "attempts", "frames"];

    /// As bits, from the lowest: in the order of [`Subjects::NAMES`].
    #[must_use]
    pub fn to_bits(self) -> u8 {
        let all = [self.values, self.presence, self.events, self.attempts, self.frames];
        all.iter().enumerate().fold(0, |bits, (at, is_wanted)| bits | u8::from(*is_wanted) << at)
    }

    /// From bits; `None` when one has no meaning.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        let has = |at: u8| bits >> at & 1 == 1;
        (bits >> Self::NAMES.len() == 0).then(|| Self {
            values: has(0),
            presence: has(1),
            events: has(2),
            attempts: has(3),
            frames: has(4),
        })
    }
}

/// Which devices a watch is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveSelection {
    /// These devices.
    Devices(Vec<u32>),
    /// To hear when a query would find something else. Its rows are the list's of the HTTP API.
    Query {
        /// The organization.
        org: u32,
        /// Also organizations below it.
        below: bool,
        /// The query's text, as the list of devices takes it.
        text: String,
        /// The column to sort by.
        sort: String,
        /// The first row of the window.
        first: u32,
        /// Rows of the window: 0, more are refused.
        count: u16,
    },
    /// All devices of an organization.
    Subtree {
        /// The organization.
        org: u32,
        /// Also organizations below it.
        below: bool,
    },
}

/// Pins whose values a watch wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchedPins {
    /// All that have a value.
    All,
    /// These.
    Some(Vec<Pin>),
}

/// What a page asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveAsk {
    /// The first message.
    Hello {
        /// The page's build.
        build: String,
    },
    /// Watch until [`LiveAsk::Unwatch`]; a set that is watched already is replaced.
    Watch {
        /// The page's number for this watch.
        set: u16,
        /// What it wants.
        what: Subjects,
        /// Of which devices.
        select: LiveSelection,
        /// Of which pins.
        pins: WatchedPins,
        /// Pins whose every value is wanted, not only the latest: terminals.
        every: Vec<Pin>,
    },
    /// End a watch.
    Unwatch {
        /// Its number.
        set: u16,
    },
    /// Write a value to a device.
    Write {
        /// The page's number for this write, repeated in the answer.
        request: u32,
        /// The device.
        device: u32,
        /// The pin.
        pin: Pin,
        /// The value.
        value: LiveValue,
    },
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRow {
    /// The device.
    pub device: u32,
    /// The pin.
    pub pin: Pin,
    /// When the value came, or the device's own time for it.
    pub at_ms: u64,
    /// The value.
    pub value: LiveValue,
}

/// An enumeration that is a byte in one encoding and a word in the other.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }
        impl $name {
            /// All, in the order of their bytes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            /// Its word in JSON.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)+ } }
        }
    };
}

words! {
    /// Whether a device is there.
    LivePresence {
        /// It is not connected.
        Offline = "offline",
        /// It is connected.
        Online = "online",
        /// It was never connected.
        Never = "never",
    }
}
words! {
    /// How serious an event is.
    LiveLevel {
        /// Something to know.
        Info = "info",
        /// Something to look at.
        Warning = "warning",
        /// Something to act on.
        Critical = "critical",
        /// Something to read.
        Content = "content",
        /// The server's own.
        System = "system",
    }
}
words! {
    /// What became of a write.
    LiveOutcome {
        /// It went to the device.
        Delivered = "delivered",
        /// The device is away and gets it when it returns.
        Kept = "kept",
        /// It was not written; the code says why.
        Refused = "refused",
    }
}
words! {
    /// Where a frame went.
    FrameDirection {
        /// From the device.
        In = "in",
        /// To the device.
        Out = "out",
    }
}

/// One device's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresenceRow {
    /// The device.
    pub device: u32,
    /// Whether it is there.
    pub state: LivePresence,
    /// Since when.
    pub since_ms: u64,
    /// Why its last connection ended, the number of an E code; 0 without a reason.
    pub code: u16,
}

/// What the server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveReport {
    /// The first message, and again when the person's rights have changed.
    Hello {
        /// The server's time.
        server_ms: u64,
        /// The console's build that the server serves.
        build: String,
        /// Changes with the person's rights: a page asks who it is again.
        rights: u32,
    },
    /// Every 5 s, also when nothing happens.
    Tick {
        /// The server's time.
        server_ms: u64,
    },
    /// All that came for this set before is its whole present state.
    Snapshot {
        /// The watch.
        set: u16,
        /// Devices that the selection finds, beyond its window too.
        total: u32,
        /// The devices of the window, in order.
        devices: Vec<u32>,
    },
    /// Latest values.
    Values {
        /// One a pin.
        rows: Vec<ValueRow>,
    },
    /// Devices that came or went.
    Presence {
        /// One a device.
        rows: Vec<PresenceRow>,
    },
    /// An event.
    Event {
        /// The device.
        device: u32,
        /// The event's number.
        event: u64,
        /// When it happened.
        at_ms: u64,
        /// How serious it is.
        level: LiveLevel,
        /// Its code in the template.
        code: String,
        /// What it says.
        text: String,
    },
    /// The answer to a write.
    Wrote {
        /// The page's number for the write.
        request: u32,
        /// What became of it.
        outcome: LiveOutcome,
        /// Why it was refused, the number of an E code.
        code: u16,
    },
    /// A property of a pin that a device has set.
    Property {
        /// The device.
        device: u32,
        /// The pin.
        pin: Pin,
        /// The property's name.
        name: String,
        /// Its value.
        value: LiveValue,
    },
    /// A login that failed. Never says the token.
    Attempt {
        /// When it last happened.
        at_ms: u64,
        /// Where it came from.
        address: String,
        /// Why it failed, the number of an E code.
        code: u16,
        /// How often it happened from there.
        count: u32,
    },
    /// A frame of the wire.
    Frame {
        /// The device.
        device: u32,
        /// When it passed.
        at_ms: u64,
        /// Where it went.
        direction: FrameDirection,
        /// Its command.
        command: u8,
        /// Its message id.
        message: u16,
        /// Its body, perhaps cut.
        body: Vec<u8>,
    },
    /// What a slow page has missed of events, frames and terminals.
    Skipped {
        /// The watch.
        set: u16,
        /// How much.
        count: u32,
    },
    /// The query of this set would find something else now.
    Changed {
        /// The watch.
        set: u16,
    },
    /// The watch was not begun.
    Refused {
        /// The watch.
        set: u16,
        /// Why, the number of an E code.
        code: u16,
    },
    /// The rights of this socket have ended. The last message.
    Revoked {
        /// Why, the number of an E code.
        code: u16,
    },
    /// The server closes the socket. The last message.
    Bye {
        /// Why, the number of an E code.
        code: u16,
        /// When to come back.
        retry_ms: u32,
    },
}

/// What is wrong with a message. It ends the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveFault {
    /// It ends too early.
    Cut,
    /// Bytes follow its end.
    Trailing {
        /// How many.
        count: usize,
    },
    /// There is no message of this kind.
    Kind(u8),
    /// A field has a value without meaning.
    Meaning {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A field is longer or larger than it may be.
    Limit {
        /// The field.
        field: &'static str,
        /// Its length or value.
        value: u64,
        /// The most there may be.
        limit: u64,
    },
    /// A text is not UTF-8.
    Text {
        /// The field.
        field: &'static str,
    },
    /// It is not a JSON object.
    NotJson,
    /// A field is missing or has another type, or another field is there.
    Field(&'static str),
}

impl fmt::Display for LiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the message ends too early"),
            Self::Trailing { count } => write!(f, "{count} bytes follow the message"),
            Self::Kind(kind) => write!(f, "there is no message of kind {kind:#04x}"),
            Self::Meaning { field, value } => write!(f, "{field}: {value} means nothing"),
            Self::Limit { field, value, limit } => write!(f, "{field}: {value}, at most {limit}"),
            Self::Text { field } => write!(f, "{field} is not UTF-8"),
            Self::NotJson => f.write_str("the message is not a JSON object"),
            Self::Field(field) => write!(f, "{field} is missing, or is of another type"),
        }
    }
}

impl std::error::Error for LiveFault {}

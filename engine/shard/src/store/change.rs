//! What changes less often than values, as the store takes it and gives it back. Plain data.

use linchpin_protocol::model::{DeviceId, OrgId, Pin, UnixMillis};

use crate::End;
use crate::limits::EVENTS_PER_DAY;

/// A change of a device, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// The device's organization.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// What changed.
    pub change: Change,
}

/// See [`DeviceChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// All properties and metadata, as they are now.
    Attributes {
        /// Pin, name, raw value.
        properties: Vec<(Pin, Box<str>, Box<[u8]>)>,
        /// Name, value.
        metadata: Vec<(Box<str>, Box<str>)>,
    },
    /// An event was logged.
    Event {
        /// When and which.
        id: EventId,
        /// Its code.
        code: Box<str>,
        /// For people; may be empty.
        description: Box<str>,
    },
    /// An event was resolved.
    EventCleared {
        /// When it was logged and which.
        id: EventId,
        /// As it was logged.
        code: Box<str>,
        /// As it was logged.
        description: Box<str>,
        /// When it was resolved.
        at: UnixMillis,
    },
    /// The device logged in, or its connection ended.
    Presence {
        /// When and which.
        id: EventId,
        /// Why it ended; `None`: it logged in.
        end: Option<End>,
    },
}

/// Distinguishes the entries of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// When.
    pub at: UnixMillis,
    /// Of those at one time.
    pub number: u32,
}

/// What a device has logged in a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDay {
    /// When the first was logged.
    pub first: UnixMillis,
    /// How many of each code.
    pub counts: Vec<(Box<str>, u16)>,
}

impl EventDay {
    /// A day that begins.
    #[must_use]
    pub const fn new(first: UnixMillis) -> Self {
        Self { first, counts: Vec::new() }
    }

    /// One more of a code; at most as many codes as a day has events.
    pub fn count(&mut self, code: &str) {
        match self.counts.iter().position(|(known, _)| **known == *code) {
            Some(at) => self.counts[at].1 = self.counts[at].1.saturating_add(1),
            None if self.counts.len() < EVENTS_PER_DAY as usize => self.counts.push((code.into(), 1)),
            None => {}
        }
    }
}

/// What a device had when the server was last stopped, or what its journal adds to that.
#[derive(Debug, Default)]
pub struct Restored {
    /// Pin, its point as the store was given it, when it was written or erased. A newer one of the same pin stays.
    pub values: Vec<(Pin, Box<[u8]>, UnixMillis)>,
    /// Pin, name, raw value.
    pub properties: Vec<(Pin, Box<str>, Box<[u8]>)>,
    /// Name, value.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// Open events, oldest first: which, code, description.
    pub events: Vec<(EventId, Box<str>, Box<str>)>,
    /// What was logged in the last 24 hours, open or not.
    pub day: Option<EventDay>,
}

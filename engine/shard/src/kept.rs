//! What the store is to keep of a shard's state: points of telemetry, and records of what changes less often.

use linchpin_protocol::Status;
use linchpin_protocol::http::{Dialect, Reply};
use linchpin_protocol::model::{DeviceId, Now, OrgId, Pin, UnixMillis};

use crate::attributes::Attributes;
use crate::{ConnRef, Effect, Effects, End, Shard, Slot};

/// What the store takes at the moment: what it does not take is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// There is no store: state is gone with the process, and who writes was told so.
    Memory,
    /// Everything.
    All,
    /// Points, which wait in memory while the disk is full or slow. Events, properties and metadata are refused.
    Points,
    /// Nothing: a sync has failed.
    Nothing,
}

/// One value that a device wrote.
#[derive(Clone, Copy, Debug)]
struct Point {
    org: OrgId,
    device: DeviceId,
    pin: Pin,
    at: UnixMillis,
    start: u32,
    end: u32,
}

/// All values of a tick, in their order.
#[derive(Debug, Default)]
pub struct Points {
    list: Vec<Point>,
    bytes: Vec<u8>,
}

impl Points {
    /// Append one.
    pub(crate) fn push(&mut self, org: OrgId, device: DeviceId, pin: Pin, at: UnixMillis, value: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        self.list.push(Point { org, device, pin, at, start, end: self.bytes.len() as u32 });
    }

    /// Organization, device, pin, time of the write, raw value.
    pub fn iter(&self) -> impl Iterator<Item = (OrgId, DeviceId, Pin, UnixMillis, &[u8])> {
        self.list.iter().map(|point| {
            let value = &self.bytes[point.start as usize..point.end as usize];
            (point.org, point.device, point.pin, point.at, value)
        })
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        let most = crate::limits::EFFECTS_KEPT_BYTES;
        if self.bytes.capacity() > most {
            self.bytes.shrink_to(most);
            self.list.shrink_to(most / size_of::<Point>());
        }
    }
}

/// A change that the store is to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The device's organization.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// What changed.
    pub change: Change,
}

/// See [`Kept`].
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
    EventCleared(EventId),
    /// The device logged in, or its connection ended.
    Presence {
        /// When and which.
        id: EventId,
        /// Why it ended; `None`: it logged in.
        end: Option<End>,
    },
}

/// What tells two entries of a device apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    /// When.
    pub at: UnixMillis,
    /// Of those at one time.
    pub number: u32,
}

/// What a device had when the server was last stopped, or what its journal adds to that.
#[derive(Debug, Default)]
pub struct Restored {
    /// Pin, raw value, when it was written. A newer value of the same pin stays.
    pub values: Vec<(Pin, Box<[u8]>, UnixMillis)>,
    /// Pin, name, raw value.
    pub properties: Vec<(Pin, Box<str>, Box<[u8]>)>,
    /// Name, value.
    pub metadata: Vec<(Box<str>, Box<str>)>,
    /// Events, oldest first: which, code, description.
    pub events: Vec<(EventId, Box<str>, Box<str>)>,
}

/// A sync that waits for values of the last run.
#[derive(Debug)]
pub(crate) struct Parked {
    asker: ConnRef,
    id: u16,
    /// `None`: all that are meant to be synced.
    pins: Option<Box<[Pin]>>,
}

impl Shard {
    /// Let a sync wait for values of the last run; false: there is no room.
    pub(crate) fn park(&mut self, slot: Slot, id: u16, pins: Option<Box<[Pin]>>) -> bool {
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        match &mut self.parked {
            Some(parked) if parked.len() < crate::limits::PARKED_SYNCS => {
                parked.push(Parked { asker, id, pins });
                true
            }
            _ => false,
        }
    }

    /// All values of the last run have come.
    pub(crate) fn replayed(&mut self, now: Now, fx: &mut Effects) {
        for Parked { asker, id, pins } in self.parked.take().into_iter().flatten() {
            if self.is_current(asker) && self.is_live(asker.slot) {
                match pins {
                    None => self.answer_sync(now, asker.slot, id, None, fx),
                    Some(pins) => self.answer_sync(now, asker.slot, id, Some(&mut pins.iter().copied()), fx),
                }
            }
        }
    }

    /// Let the store keep a point.
    pub(crate) fn keep_point(&self, position: u32, pin: Pin, at: UnixMillis, value: &[u8], fx: &mut Effects) {
        if matches!(self.keeping, Keeping::All | Keeping::Points) {
            let device = &self.devices[position];
            fx.points.push(device.org, device.id, pin, at, value);
        }
    }

    fn keep_change(&self, position: u32, change: Change, fx: &mut Effects) {
        let device = &self.devices[position];
        fx.push(Effect::Keep(Box::new(Kept { org: device.org, device: device.id, change })));
    }

    /// The next id of an event or a line of the diary.
    fn entry_id(&mut self, now: Now) -> EventId {
        self.entries = self.entries.wrapping_add(1);
        EventId { at: now.wall, number: self.entries }
    }

    /// Properties or metadata of a device changed: whoever drives the shard asks for them with [`Shard::next_changed`].
    pub(crate) fn attributes_changed(&mut self, position: u32) {
        let rare = self.devices[position].rare_mut();
        if self.keeping != Keeping::Memory && !std::mem::replace(&mut rare.is_changed, true) {
            self.changed.push_back(position);
        }
    }

    /// Properties and metadata of a device that changed since they were last asked for; changes in between are one.
    pub fn next_changed(&mut self) -> Option<Kept> {
        loop {
            let position = self.changed.pop_front()?;
            let device = &mut self.devices[position];
            // A removed device has none.
            let Some(rare) = &mut device.rare else { continue };
            rare.is_changed = false;
            let change = Change::Attributes {
                properties: rare.attributes.properties().map(|(p, n, v)| (p, n.into(), v.into())).collect(),
                metadata: rare.attributes.all_metadata().map(|(n, v)| (n.into(), v.into())).collect(),
            };
            return Some(Kept { org: device.org, device: device.id, change });
        }
    }

    /// Do properties or metadata wait for [`Shard::next_changed`]?
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Log an event of a device, and let the store keep it.
    pub(crate) fn log(
        &mut self,
        now: Now,
        position: u32,
        code: &str,
        description: &str,
        fx: &mut Effects,
    ) -> Result<(), crate::attributes::EventRefused> {
        let id = self.entry_id(now);
        self.devices[position].rare_mut().attributes.log_event(code, description, now, id.number)?;
        if self.keeping != Keeping::Memory {
            self.keep_change(position, Change::Event { id, code: code.into(), description: description.into() }, fx);
        }
        Ok(())
    }

    /// Resolve events of a device; false if there is none.
    pub(crate) fn clear_events(&mut self, position: u32, code: &str, all: bool, fx: &mut Effects) -> bool {
        let Some(rare) = self.devices[position].rare.as_mut() else { return false };
        let cleared = rare.attributes.clear_event(code, all);
        if self.keeping != Keeping::Memory {
            for id in &cleared {
                self.keep_change(position, Change::EventCleared(*id), fx);
            }
        }
        !cleared.is_empty()
    }

    /// A device came or went.
    pub(crate) fn keep_presence(&mut self, now: Now, position: u32, end: Option<End>, fx: &mut Effects) {
        if self.keeping == Keeping::All {
            let id = self.entry_id(now);
            self.keep_change(position, Change::Presence { id, end }, fx);
        }
    }

    /// May an event, a property or metadata be acknowledged?
    pub(crate) fn takes_changes(&self) -> bool {
        matches!(self.keeping, Keeping::Memory | Keeping::All)
    }

    /// What a device is told whose change cannot be kept.
    pub(crate) const NOT_KEPT: Status = Status::ServerError;

    /// What an HTTP client is told whose change cannot be kept.
    pub(crate) fn not_kept(&self, dialect: Dialect) -> Reply {
        let text = match self.keeping {
            Keeping::Nothing => "The server's disk has failed and nothing can be kept: its operator must restart it.",
            _ => "The server's disk is full or too slow, the change was not kept: try again later.",
        };
        Reply::error(dialect, 503, text)
    }

    /// Take back what a device had.
    pub(crate) fn restore(&mut self, now: Now, device: DeviceId, restored: Restored) {
        let Some(position) = self.devices.find(device) else { return };
        let device = &mut self.devices[position];
        for (pin, value, at) in restored.values {
            if device.values.get(pin).is_none_or(|(_, known)| known.0 < at.0) {
                // What does not fit was kept under larger limits.
                let _ = device.values.put(pin, &value, at);
            }
        }
        if restored.properties.is_empty() && restored.metadata.is_empty() && restored.events.is_empty() {
            return;
        }
        let attributes: &mut Attributes = &mut device.rare_mut().attributes;
        for (pin, name, value) in restored.properties {
            let _ = attributes.set_property(pin, &name, &value);
        }
        for (name, value) in restored.metadata {
            let _ = attributes.set_metadata(&name, &value);
        }
        for (id, code, description) in restored.events {
            attributes.restore_event(id, code, description, now);
        }
    }

    /// The latest value of a pin, for whoever owes it to the store.
    #[must_use]
    pub fn latest(&self, device: DeviceId, pin: Pin) -> Option<(OrgId, UnixMillis, &[u8])> {
        let device = &self.devices[self.devices.find(device)?];
        device.values.get(pin).map(|(value, at)| (device.org, at, value))
    }
}

//! Points and changes of devices on their way to the store.

use linchpin_protocol::model::{Now, Pin, UnixMillis};

use super::form::{ERASED, is_plain, stored};
use crate::device::attributes::{EventRefused, NewEvent};
use crate::device::verbs::Refused;
use crate::{Change, DeviceChange, Effect, End, EventId, Intake, Shard, Turn};

impl Shard {
    /// May an event, a property or metadata be acknowledged?
    pub(crate) fn takes_changes(&self) -> Result<(), Refused> {
        match self.store.intake {
            Intake::Memory | Intake::All => Ok(()),
            Intake::Points => Err(Refused::NotStored),
            Intake::Nothing => Err(Refused::StoreFailed),
        }
    }

    /// Hand points over even where no store takes them: whoever drives the shard wants to see them.
    pub fn show_points(&mut self) {
        self.store.shows_points = true;
    }

    /// Say who logs in and what firmware says of itself: whoever drives the shard wants to see them.
    pub fn show_logins(&mut self) {
        self.store.shows_logins = true;
    }

    /// Store a point.
    #[inline]
    pub(crate) fn store_point(&self, turn: &mut Turn<'_>, position: u32, pin: Pin, at: UnixMillis, value: &[u8]) {
        if matches!(self.store.intake, Intake::All | Intake::Points) || self.store.shows_points {
            let device = &self.devices[position];
            let (org, id) = (device.org, device.id);
            if is_plain(value) {
                turn.fx.points.push(org, id, pin, at, value);
            } else {
                turn.fx.points.push(org, id, pin, at, &stored(value));
            }
        }
    }

    /// Store that a value was erased.
    pub(crate) fn store_erased(&self, turn: &mut Turn<'_>, position: u32, pin: Pin, at: UnixMillis) {
        if matches!(self.store.intake, Intake::All | Intake::Points) {
            let device = &self.devices[position];
            turn.fx.points.push(device.org, device.id, pin, at, ERASED);
        }
    }

    fn store_change(&self, turn: &mut Turn<'_>, position: u32, change: Change) {
        let device = &self.devices[position];
        turn.fx.push(Effect::Store(Box::new(DeviceChange { org: device.org, device: device.id, change })));
    }

    /// The next id of an event or a line of the diary.
    fn entry_id(&mut self, now: Now) -> EventId {
        self.store.entries = self.store.entries.wrapping_add(1);
        EventId { at: now.wall, number: self.store.entries }
    }

    /// Properties or metadata of a device changed: the tick asks for them with [`Shard::next_changed`].
    pub(crate) fn attributes_changed(&mut self, position: u32) {
        self.operator.changed.note(position);
        self.tell_properties(position);
        self.owe_attributes(position);
        self.must_await();
    }

    /// The device belongs to another organization: what was stored of its attributes last may have gone to the one before.
    pub(crate) fn move_attributes(&mut self, position: u32) {
        if self.devices[position].rare.is_some() {
            self.owe_attributes(position);
        }
    }

    fn owe_attributes(&mut self, position: u32) {
        let rare = self.devices[position].rare_mut();
        if self.store.intake != Intake::Memory && !std::mem::replace(&mut rare.is_changed, true) {
            self.store.changed.push_back(position);
        }
    }

    /// Properties and metadata of a device that changed since they were last asked for; changes in between are one.
    pub fn next_changed(&mut self) -> Option<DeviceChange> {
        loop {
            let position = self.store.changed.pop_front()?;
            let device = &mut self.devices[position];
            // A removed device has none.
            let Some(rare) = &mut device.rare else { continue };
            rare.is_changed = false;
            let change = Change::Attributes {
                properties: rare.attributes.properties().map(|(p, n, v)| (p, n.into(), v.into())).collect(),
                metadata: rare.attributes.all_metadata().map(|(n, v)| (n.into(), v.into())).collect(),
            };
            return Some(DeviceChange { org: device.org, device: device.id, change });
        }
    }

    /// Do properties or metadata wait for [`Shard::next_changed`]?
    #[must_use]
    pub fn has_changed(&self) -> bool {
        !self.store.changed.is_empty()
    }

    /// Log an event (code, description) of a device and store it.
    pub(crate) fn store_event(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        (code, description): (&str, &str),
        limit: Option<u16>,
    ) -> Result<(), EventRefused> {
        let id = self.entry_id(turn.now);
        let event = NewEvent { code, description, number: id.number, limit };
        self.devices[position].rare_mut().attributes.log_event(event, turn.now)?;
        self.tell_event(turn.now, position, id, code, description);
        if self.store.intake != Intake::Memory {
            self.store_change(turn, position, Change::Event { id, code: code.into(), description: description.into() });
            self.must_await();
        }
        Ok(())
    }

    /// Resolve events of a device; false if there is none.
    pub(crate) fn store_cleared(&mut self, turn: &mut Turn<'_>, position: u32, code: &str, all: bool) -> bool {
        let Some(rare) = self.devices[position].rare.as_mut() else { return false };
        let cleared = rare.attributes.clear_event(code, all);
        let any = !cleared.is_empty();
        if self.store.intake != Intake::Memory {
            for (id, code, description) in cleared {
                self.store_change(turn, position, Change::EventCleared { id, code, description, at: turn.now.wall });
                self.must_await();
            }
        }
        any
    }

    /// A device came or went.
    pub(crate) fn store_presence(&mut self, turn: &mut Turn<'_>, position: u32, end: Option<End>) {
        if self.store.intake == Intake::All {
            let id = self.entry_id(turn.now);
            self.store_change(turn, position, Change::Presence { id, end });
        }
    }
}

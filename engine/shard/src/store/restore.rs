//! State of the last run: it comes back from the store, and reads wait for it.

use std::borrow::Cow;

use linchpin_protocol::limits::STAMP_RANGE_MS;
use linchpin_protocol::model::{DeviceId, Now, OrgId, Pin, UnixMillis};

use super::form::{ERASED, stored, value_of};
use super::parked::Parked;
use crate::device::attributes::Attributes;
use crate::{ConnRef, Restored, Shard, Slot, Turn};

impl Shard {
    /// Let a sync wait for values of the last run; false: there is no room.
    pub(crate) fn park(&mut self, slot: Slot, id: u16, pins: Option<Box<[Pin]>>) -> bool {
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        match &mut self.store.parked {
            Some(parked) if parked.len() < crate::limits::PARKED_SYNCS => {
                parked.push(Parked { asker, id, pins });
                true
            }
            _ => false,
        }
    }

    /// All values of the last run have come.
    pub(crate) fn replayed(&mut self, turn: &mut Turn<'_>) {
        for Parked { asker, id, pins } in self.store.parked.take().into_iter().flatten() {
            if self.is_current(asker) && self.is_live(asker.slot) {
                match pins {
                    None => self.answer_sync(turn, asker.slot, id, None),
                    Some(pins) => self.answer_sync(turn, asker.slot, id, Some(&mut pins.iter().copied())),
                }
            }
        }
    }

    /// Restore a device's state from the store.
    pub(crate) fn restore(&mut self, now: Now, device: DeviceId, restored: Restored) {
        let Some(position) = self.devices.find(device) else { return };
        let device = &mut self.devices[position];
        for (pin, value, at) in restored.values {
            // Further ahead than any client may say: a wrong clock dated it, and it must not win over all values to come.
            let at = if at.0 > now.wall.0 + STAMP_RANGE_MS { now.wall } else { at };
            // A value that does not fit was stored under larger limits.
            let _ = device.values.restore(pin, value_of(&value), at);
        }
        let has_attributes = !(restored.properties.is_empty() && restored.metadata.is_empty());
        if !has_attributes && restored.events.is_empty() && restored.day.is_none() {
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
            attributes.restore_event(id, code, description);
        }
        if let Some(day) = restored.day {
            attributes.restore_day(day, now);
        }
    }

    /// The latest point of a pin, for the tick that owes it to the store.
    #[must_use]
    pub fn latest(&self, device: DeviceId, pin: Pin) -> Option<(OrgId, UnixMillis, Cow<'_, [u8]>)> {
        let device = &self.devices[self.devices.find(device)?];
        let at = device.values.stamp(pin)?;
        let point = device.values.get(pin).map_or(Cow::Borrowed(ERASED), |(value, _)| stored(value));
        Some((device.org, at, point))
    }
}

//! Points and changes of devices on their way to the store.

use linchpin_protocol::model::{Now, Pin, UnixMillis};

use crate::device::attributes::EventRefused;
use crate::{Change, Effect, Effects, End, EventId, Keeping, Kept, Shard};

impl Shard {
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
    ) -> Result<(), EventRefused> {
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
}

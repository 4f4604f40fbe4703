//! What lists of devices need, and which devices have changed since they were last looked at: control holds an index of all
//! devices that it brings up to date by asking, so nothing is sent while nobody asks.

use linchpin_protocol::InfoPairs;
use linchpin_protocol::model::{DeviceId, OrgId, Pin};

use crate::device::values::Values;
use crate::{DeviceGlance, EventId, Report, Shard, limits};

impl Shard {
    fn glance(&self, position: u32) -> DeviceGlance {
        let device = &self.devices[position];
        let since_s = u64::from(device.seen_s);
        let absent_s = self.absences.since_s(position).map(u64::from);
        let attributes = device.rare.as_ref().map(|rare| &rare.attributes);
        let firmware = device.firmware.map(|blob| InfoPairs::new(self.catalog.firmware.get(blob)));
        DeviceGlance {
            id: device.id,
            is_online: device.slot.is_some() || absent_s.is_some(),
            since_s: absent_s.unwrap_or(since_s),
            seen_s: match device.connection() {
                Some(slot) => self.connections[slot].heard.millis().0 / 1_000 + self.clock.wall_offset_s,
                None => since_s,
            },
            last_end: device.last_end,
            named: firmware.and_then(|pairs| pairs.template().ok().flatten()),
            metadata: attributes
                .map(|all| all.all_metadata().map(|(name, value)| (name.into(), value.into())).collect())
                .unwrap_or_default(),
            value: None,
        }
    }

    /// Some devices, each with the latest value of a pin, or of its first one that has any; those that do not live here are
    /// left out.
    pub(super) fn glances(&self, devices: &[(DeviceId, Option<Pin>)]) -> Report {
        let found = devices.iter().take(limits::LIST_ROWS as usize).filter_map(|(id, pin)| {
            let position = self.devices.find(*id)?;
            let mut values = self.devices[position].values.iter();
            let value = values.find(|(known, ..)| pin.is_none_or(|pin| *known == pin));
            let value = value.map(|(pin, value, at)| (pin, value.into(), at.0));
            Some(DeviceGlance { value, ..self.glance(position) })
        });
        Report::Glances { rows: found.collect(), is_more: false, has_lost: false }
    }

    /// All devices in the order of their ids, a page at a time.
    pub(super) fn glances_above(&self, after: u32, limit: u32) -> Report {
        let limit = limit.min(limits::LIST_ROWS) as usize;
        let rows: Vec<_> = self.devices.above(after).take(limit).map(|position| self.glance(position)).collect();
        let is_more = rows.len() == limit;
        Report::Glances { rows, is_more, has_lost: false }
    }

    /// Devices that have changed since this was last asked.
    pub(super) fn glances_changed(&mut self, limit: u32) -> Report {
        let changed = &mut self.operator.changed;
        // Before the first question nothing was noted.
        let has_lost = std::mem::take(&mut changed.has_lost) || !std::mem::replace(&mut changed.is_followed, true);
        let count = changed.positions.len().min(limit.min(limits::LIST_ROWS) as usize);
        let mut positions: Vec<u32> = changed.positions.drain(..count).collect();
        positions.sort_unstable();
        positions.dedup();
        let is_more = !self.operator.changed.positions.is_empty();
        // The position of a removed device has none any more.
        let lives = |position: &u32| self.devices.find(self.devices[*position].id) == Some(*position);
        let rows = positions.iter().copied().filter(lives).map(|position| self.glance(position)).collect();
        Report::Glances { rows, is_more, has_lost }
    }

    /// Set fields of the metadata, or remove those without a value: all of them or none.
    pub(super) fn describe(&mut self, device: DeviceId, fields: &[(Box<str>, Option<Box<str>>)]) -> Report {
        let Some(position) = self.devices.find(device) else { return Report::NoSuchDevice };
        match self.describe_at(position, fields) {
            Ok(()) => Report::Done,
            Err(refused) => Report::Rejected(refused),
        }
    }

    /// Latest values and open events are erased.
    pub(super) fn forget_reports(&mut self, device: DeviceId) -> Report {
        let Some(position) = self.devices.find(device) else { return Report::NoSuchDevice };
        self.devices[position].values = Values::default();
        if let Some(rare) = self.devices[position].rare.as_mut() {
            rare.attributes.forget_events();
        }
        Report::Done
    }

    /// What the device says from now on is this organization's.
    pub(super) fn settled(&self, device: DeviceId, org: OrgId) -> Report {
        let is_there = self.devices.find(device).is_some_and(|position| self.devices[position].org == org);
        if is_there { Report::Done } else { Report::NoSuchDevice }
    }

    /// An event was resolved by a person: the device can do so no more.
    pub(super) fn forget_event(&mut self, device: DeviceId, id: EventId) -> Report {
        let Some(position) = self.devices.find(device) else { return Report::NoSuchDevice };
        if let Some(rare) = self.devices[position].rare.as_mut() {
            rare.attributes.forget_event(id);
        }
        Report::Done
    }
}

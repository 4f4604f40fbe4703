//! News of homes, taken into the mirror. A home says all of a device anew whenever what its watchers want of it changes, so
//! sockets hear of what is different only: what one page begins or ends to watch is no news for the others.

use std::collections::{BTreeMap, BTreeSet};

use linchpin_protocol::model::{DeviceId, UnixMillis};

use super::{Heard, Mirror, Mirrored};
use crate::device::values::Values;
use crate::ids::ShardId;
use crate::limits::PROPERTIES;
use crate::live::letter::{CardRow, News, PropertyRows};
use crate::live::pins::PinSet;

/// A device of which everything is said anew.
#[derive(Debug)]
struct Renewed {
    /// What was known of it and may be said again.
    values: Values,
    /// Sockets may see it that could not see it before: all of it is new to them.
    is_other: bool,
    /// Its properties have been said.
    has_properties: bool,
}

/// Devices of which everything is said anew, in one letter.
type RenewedDevices = BTreeMap<DeviceId, Renewed>;

impl Mirror {
    /// Take what a home says; `heard` is called for each thing that sockets are to hear of.
    pub(in crate::live) fn take(
        &mut self,
        home: ShardId,
        news: &News,
        heard: &mut impl FnMut(&Mirrored, DeviceId, Heard),
    ) {
        let mut touched = BTreeSet::new();
        let mut renewed = RenewedDevices::new();
        for row in &news.cards {
            touched.insert(row.device);
            self.take_card(row, &mut renewed, heard);
        }
        for row in &news.values {
            let Some(mirrored) = self.devices.get_mut(&row.device).filter(|mirrored| mirrored.is_fresh) else {
                continue;
            };
            touched.insert(row.device);
            let latest = news.bytes_of(row).map(|value| (value, UnixMillis(row.at_ms)));
            let known = renewed.get(&row.device).map_or(&mirrored.values, |before| &before.values);
            let is_new = known.get(row.pin) != latest;
            // The home knows which value is the latest: it replaces a younger one that was erased there.
            mirrored.values.remove(row.pin);
            if let Some((value, at)) = latest {
                let _ = mirrored.values.put(row.pin, value, at);
            }
            if is_new {
                heard(mirrored, row.device, Heard::Value(row.pin));
            }
        }
        for (device, rows) in &news.properties {
            touched.insert(*device);
            self.take_properties(*device, rows, &mut renewed, heard);
        }
        self.say_gone(&renewed, heard);
        for device in touched {
            self.count(device);
        }
        self.reach(home, news.reached, heard);
    }

    fn take_card(
        &mut self,
        row: &CardRow,
        renewed: &mut RenewedDevices,
        heard: &mut impl FnMut(&Mirrored, DeviceId, Heard),
    ) {
        let Some(mirrored) = self.devices.get_mut(&row.device) else { return };
        // Rights are an organization's.
        let is_other = mirrored.card.map(|card| card.org) != row.card.map(|card| card.org);
        if row.is_fresh {
            mirrored.is_fresh = true;
            let values = std::mem::take(&mut mirrored.values);
            renewed.insert(row.device, Renewed { values, is_other, has_properties: false });
        }
        if mirrored.is_fresh && mirrored.card != row.card {
            mirrored.card = row.card;
            heard(mirrored, row.device, Heard::Card);
        }
    }

    fn take_properties(
        &mut self,
        device: DeviceId,
        rows: &PropertyRows,
        renewed: &mut RenewedDevices,
        heard: &mut impl FnMut(&Mirrored, DeviceId, Heard),
    ) {
        let Some(mirrored) = self.devices.get_mut(&device).filter(|mirrored| mirrored.is_fresh) else { return };
        let mut changed = mirrored.replace_properties(rows);
        if let Some(renewed) = renewed.get_mut(&device) {
            renewed.has_properties = true;
            if renewed.is_other {
                changed = PinSet::ALL;
            }
        }
        if !changed.is_empty() {
            heard(mirrored, device, Heard::Properties(changed));
        }
    }

    /// What was not said again is not there any more, and is said to be so.
    fn say_gone(&mut self, renewed: &RenewedDevices, heard: &mut impl FnMut(&Mirrored, DeviceId, Heard)) {
        for (device, before) in renewed {
            let Some(mirrored) = self.devices.get_mut(device) else { continue };
            for (pin, ..) in before.values.iter() {
                if before.is_other || mirrored.values.get(pin).is_none() {
                    heard(mirrored, *device, Heard::Value(pin));
                }
            }
            if !before.has_properties {
                let gone = mirrored.replace_properties(&Vec::new());
                heard(mirrored, *device, Heard::Properties(gone));
            }
        }
    }

    /// Everything of the letters up to a number has been told by a home.
    fn reach(&mut self, home: ShardId, reached: u64, heard: &mut impl FnMut(&Mirrored, DeviceId, Heard)) {
        let Some(unknown) = self.unknown.get_mut(&home) else { return };
        unknown.retain(|device| {
            let Some(mirrored) = self.devices.get_mut(device) else { return false };
            if mirrored.asked.is_none_or(|asked| asked > reached) {
                return true;
            }
            mirrored.is_known = true;
            heard(mirrored, *device, Heard::All);
            false
        });
    }
}

impl Mirrored {
    /// Properties as they are now; those that are gone stay as such, so that sockets hear of it. Answers the pins that have
    /// others than before.
    fn replace_properties(&mut self, rows: &PropertyRows) -> PinSet {
        let mut before = std::mem::take(&mut self.properties);
        let mut changed = PinSet::default();
        for (pin, name, value) in rows {
            let key = (*pin, name.clone());
            if before.remove(&key).flatten().as_ref() != Some(value) {
                changed.insert(*pin);
            }
            self.properties.insert(key, Some(value.clone()));
        }
        for (key, value) in before {
            if value.is_some() {
                changed.insert(key.0);
            }
            self.properties.insert(key, None);
        }
        if self.properties.len() > 2 * PROPERTIES {
            self.properties.retain(|_, value| value.is_some());
        }
        changed
    }
}

//! News of homes, taken into the mirror.

use std::collections::BTreeSet;

use linchpin_protocol::model::{DeviceId, UnixMillis};

use super::{Heard, Mirror, Mirrored};
use crate::device::values::Values;
use crate::ids::ShardId;
use crate::limits::PROPERTIES;
use crate::live::letter::{CardRow, News, PropertyRows};

impl Mirror {
    /// Take what a home says; `heard` is called for each thing that sockets are to hear of.
    pub(in crate::live) fn take(
        &mut self,
        home: ShardId,
        news: &News,
        heard: &mut impl FnMut(&Mirrored, DeviceId, Heard),
    ) {
        let mut touched = BTreeSet::new();
        for row in &news.cards {
            touched.insert(row.device);
            self.take_card(row, heard);
        }
        for row in &news.values {
            let Some(mirrored) = self.devices.get_mut(&row.device).filter(|mirrored| mirrored.is_fresh) else {
                continue;
            };
            touched.insert(row.device);
            // The home knows which value is the latest: it replaces a younger one that was erased there.
            mirrored.values.remove(row.pin);
            if let Some(value) = news.bytes_of(row) {
                let _ = mirrored.values.put(row.pin, value, UnixMillis(row.at_ms));
            }
            heard(mirrored, row.device, Heard::Value(row.pin));
        }
        for (device, rows) in &news.properties {
            if let Some(mirrored) = self.devices.get_mut(device).filter(|mirrored| mirrored.is_fresh) {
                touched.insert(*device);
                mirrored.replace_properties(rows);
                heard(mirrored, *device, Heard::Properties);
            }
        }
        for device in touched {
            self.count(device);
        }
        self.reach(home, news.reached, heard);
    }

    fn take_card(&mut self, row: &CardRow, heard: &mut impl FnMut(&Mirrored, DeviceId, Heard)) {
        let Some(mirrored) = self.devices.get_mut(&row.device) else { return };
        if row.is_fresh {
            mirrored.is_fresh = true;
            let had = mirrored.pins();
            mirrored.values = Values::default();
            mirrored.replace_properties(&Vec::new());
            // What is not there any more is said to be so.
            for pin in had.iter() {
                heard(mirrored, row.device, Heard::Value(pin));
            }
        }
        if mirrored.is_fresh {
            mirrored.card = row.card;
            heard(mirrored, row.device, Heard::Card);
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
    /// Properties as they are now; those that are gone stay as such, so that sockets hear of it.
    fn replace_properties(&mut self, rows: &PropertyRows) {
        for value in self.properties.values_mut() {
            *value = None;
        }
        for (pin, name, value) in rows {
            self.properties.insert((*pin, name.clone()), Some(value.clone()));
        }
        if self.properties.len() > 2 * PROPERTIES {
            self.properties.retain(|_, value| value.is_some());
        }
    }
}

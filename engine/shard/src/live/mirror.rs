//! The subscribing side: what this shard has heard of devices that its live sockets watch, wherever those live. One copy a
//! device for all sockets, so that a slow socket needs one bit a pin and no queue.

use std::collections::{BTreeMap, BTreeSet};

use linchpin_protocol::model::{DeviceId, Millis, Pin, UnixMillis};

use super::letter::{Card, CardRow, DeviceWanted, News, PropertyRows};
use super::pins::PinSet;
use crate::device::values::Values;
use crate::ids::{ShardId, Slot, home_of};
use crate::limits::PROPERTIES;

/// Properties by pin and name; none: it was taken away.
type MirroredProperties = BTreeMap<(Pin, Box<str>), Option<Box<[u8]>>>;
/// What is wanted of devices.
type WantedRows = Vec<(DeviceId, DeviceWanted)>;

/// A device that is watched here.
#[derive(Debug)]
pub(super) struct Mirrored {
    /// What all sockets want of it.
    pub(super) wanted: DeviceWanted,
    /// Number of the letter that said so to its home; `None`: it has not left.
    asked: Option<u64>,
    /// Its home has answered at all: what it said before is of an earlier watch.
    is_fresh: bool,
    /// Its home has said everything that is wanted.
    pub(super) is_known: bool,
    /// As its home knows it; none: there is no such device.
    pub(super) card: Option<Card>,
    pub(super) values: Values,
    /// `None`: it was taken away.
    pub(super) properties: MirroredProperties,
    /// Sockets that watch it, ascending.
    pub(super) slots: Vec<Slot>,
    /// What it was last counted with.
    counted_bytes: usize,
}

/// Something of a device changed here, and sockets are to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Its card.
    Card,
    /// The latest value of a pin.
    Value(Pin),
    /// Its properties.
    Properties,
    /// Everything that was wanted has come.
    All,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    devices: BTreeMap<DeviceId, Mirrored>,
    /// Devices by home whose watch has changed and was not told.
    owed: BTreeMap<ShardId, BTreeSet<DeviceId>>,
    /// Number of the last letter to each home.
    numbers: BTreeMap<ShardId, u64>,
    /// A lane was full: not before then.
    not_before: Millis,
    /// Devices by home that wait for the rest of what is wanted.
    unknown: BTreeMap<ShardId, BTreeSet<DeviceId>>,
    held_bytes: usize,
}

impl Mirrored {
    fn new() -> Self {
        Self {
            wanted: DeviceWanted::default(),
            asked: None,
            is_fresh: false,
            is_known: false,
            card: None,
            values: Values::default(),
            properties: BTreeMap::new(),
            slots: Vec::new(),
            counted_bytes: 0,
        }
    }

    /// Pins that have a value.
    pub(super) fn pins(&self) -> PinSet {
        self.values.iter().map(|(pin, ..)| pin).collect()
    }

    fn held_bytes(&self) -> usize {
        let properties = self.properties.iter().map(|((_, name), value)| {
            size_of::<(Pin, Box<str>, Option<Box<[u8]>>)>() + name.len() + value.as_ref().map_or(0, |value| value.len())
        });
        size_of::<Self>() + self.values.heap_bytes() + self.slots.capacity() * 4 + properties.sum::<usize>()
    }
}

impl Mirror {
    pub(super) fn get(&self, device: DeviceId) -> Option<&Mirrored> {
        self.devices.get(&device)
    }

    /// Devices that are watched.
    pub(crate) fn len(&self) -> usize {
        self.devices.len()
    }

    /// Memory that it holds.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn count(&mut self, device: DeviceId) {
        if let Some(mirrored) = self.devices.get_mut(&device) {
            let held = mirrored.held_bytes();
            self.held_bytes = self.held_bytes + held - mirrored.counted_bytes;
            mirrored.counted_bytes = held;
        }
    }

    // ---- What sockets want.

    /// A socket watches a device. `wanted`: what all sockets want of it now.
    pub(super) fn watch(&mut self, device: DeviceId, slot: Slot, wanted: DeviceWanted, shards: u16) {
        let mirrored = self.devices.entry(device).or_insert_with(Mirrored::new);
        if let Err(at) = mirrored.slots.binary_search(&slot) {
            mirrored.slots.insert(at, slot);
        }
        self.want(device, wanted, shards);
        self.count(device);
    }

    /// A socket does not watch a device any more. `wanted`: what the others want.
    pub(super) fn unwatch(&mut self, device: DeviceId, slot: Slot, wanted: DeviceWanted, shards: u16) {
        let Some(mirrored) = self.devices.get_mut(&device) else { return };
        if let Ok(at) = mirrored.slots.binary_search(&slot) {
            mirrored.slots.remove(at);
        }
        if !mirrored.slots.is_empty() {
            self.want(device, wanted, shards);
            return self.count(device);
        }
        let home = home_of(device, shards);
        self.held_bytes -= mirrored.counted_bytes;
        self.devices.remove(&device);
        self.unknown.entry(home).or_default().remove(&device);
        self.owed.entry(home).or_default().insert(device);
    }

    fn want(&mut self, device: DeviceId, wanted: DeviceWanted, shards: u16) {
        let Some(mirrored) = self.devices.get_mut(&device) else { return };
        if mirrored.wanted == wanted {
            return;
        }
        mirrored.wanted = wanted;
        (mirrored.asked, mirrored.is_known) = (None, false);
        let home = home_of(device, shards);
        self.owed.entry(home).or_default().insert(device);
        self.unknown.entry(home).or_default().insert(device);
    }

    // ---- Letters to homes.

    /// When a home is to be told what is wanted.
    pub(super) fn due_at(&self, now: Millis) -> Option<Millis> {
        self.owed.values().any(|owed| !owed.is_empty()).then(|| self.not_before.max(now))
    }

    /// What the next home is to be told: at most `most` devices.
    pub(super) fn next_watch(&mut self, now: Millis, most: usize) -> Option<(ShardId, u64, WantedRows)> {
        if self.not_before > now {
            return None;
        }
        let (&home, owed) = self.owed.iter_mut().find(|(_, owed)| !owed.is_empty())?;
        let number = self.numbers.entry(home).or_default();
        *number += 1;
        let mut devices = Vec::new();
        while devices.len() < most
            && let Some(device) = owed.pop_first()
        {
            let mirrored = self.devices.get_mut(&device);
            devices.push((device, mirrored.as_ref().map_or_else(DeviceWanted::default, |mirrored| mirrored.wanted)));
            if let Some(mirrored) = mirrored {
                mirrored.asked = Some(*number);
            }
        }
        Some((home, *number, devices))
    }

    /// A letter to a home did not leave.
    pub(super) fn unsent(&mut self, home: ShardId, devices: &[(DeviceId, DeviceWanted)], retry_at: Millis) {
        self.not_before = retry_at;
        let owed = self.owed.entry(home).or_default();
        for (device, _) in devices {
            owed.insert(*device);
            if let Some(mirrored) = self.devices.get_mut(device) {
                mirrored.asked = None;
            }
        }
    }

    // ---- News of homes.

    /// Take what a home says; `heard` is called for each thing that sockets are to hear of.
    pub(super) fn take(&mut self, home: ShardId, news: &News, heard: &mut impl FnMut(&Mirrored, DeviceId, Heard)) {
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

    /// What must always hold.
    pub(crate) fn audit(&self) -> Result<(), String> {
        let held: usize = self.devices.values().map(Mirrored::held_bytes).sum();
        if held != self.held_bytes {
            return Err(format!("mirrored devices hold {held} bytes, {} are counted", self.held_bytes));
        }
        match self.devices.iter().find(|(_, mirrored)| mirrored.slots.is_empty()) {
            Some((device, _)) => Err(format!("device {device} is mirrored for nobody")),
            None => Ok(()),
        }
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

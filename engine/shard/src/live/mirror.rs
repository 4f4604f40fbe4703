//! The subscribing side: what this shard has heard of devices that its live sockets watch, wherever those live. One copy a
//! device for all sockets, so that a slow socket needs one bit a pin and no queue.

mod news;

use std::collections::{BTreeMap, BTreeSet};

use linchpin_protocol::model::{DeviceId, Millis, Pin};

use super::letter::{Card, DeviceWanted};
use super::pins::PinSet;
use crate::device::values::Values;
use crate::ids::{ShardId, Slot, home_of};

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
    /// Properties of these pins.
    Properties(PinSet),
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

//! Maps by device for the collector: it looks one up for each point.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::schema::bytes::Fields;
use crate::schema::{DeviceKey, RecordKey as _, take};

/// Device numbers are ours, nobody can choose them to collide: a multiplication spreads them well enough.
#[derive(Default)]
pub(crate) struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

pub(crate) type Slots<K, V> = HashMap<K, V, BuildHasherDefault<SlotHasher>>;

/// The key under which the collector finds a device: organization and device.
pub(crate) fn slot_of(key: DeviceKey) -> u64 {
    u64::from_be_bytes(*key.bytes().as_ref().first_chunk().expect("organization and device are eight bytes"))
}

/// The device of a slot; `None` for a number that no device has.
pub(crate) fn key_of(slot: u64) -> Option<DeviceKey> {
    let bytes = slot.to_be_bytes();
    let mut fields = Fields(&bytes);
    Some(DeviceKey { org: take::org(&mut fields).ok()?, device: take::device(&mut fields).ok()? })
}

//! What must be found, whatever happened in between: a list of points a pin, and of these the newest.

use std::collections::BTreeMap;

use linchpin_protocol::model::{DeviceId, Pin};
use linchpin_sim::World;

/// When a value counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    /// When it was handled: while its way was taken.
    Now,
    /// At its own time, Unix ms.
    At(u64),
}

/// A value that a way writes; `None`: it erases the one that is there.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) device: u32,
    pub(super) pin: u8,
    pub(super) when: When,
    pub(super) value: Option<Vec<u8>>,
}

/// Of a device's pin.
type Place = (u32, u8);

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Points in the order of the writes; erasing adds none.
    history: BTreeMap<Place, Vec<(u64, Vec<u8>)>>,
    /// Time and value of the newest point; no value: it was erased then.
    newest: BTreeMap<Place, (u64, Option<Vec<u8>>)>,
    /// So many of the store's points are known.
    seen: BTreeMap<Place, usize>,
}

impl Model {
    /// The store must have got these and nothing else, each at its time; `from_ms` to `to_ms` is now.
    pub(super) fn take(&mut self, world: &World, writes: &[Write], (from_ms, to_ms): (u64, u64)) {
        for write in writes {
            let place = (write.device, write.pin);
            let Some(value) = &write.value else {
                self.erase(world, place, to_ms);
                continue;
            };
            let (at, stored) = self.next_point(world, place).unwrap_or_else(|| panic!("{write:?} is not stored"));
            assert_eq!(&stored, value, "{write:?}");
            match write.when {
                When::Now => assert!((from_ms..=to_ms).contains(&at), "{write:?} at {at}, not {from_ms} to {to_ms}"),
                When::At(wanted) => assert_eq!(at, wanted, "{write:?}"),
            }
            self.history.entry(place).or_default().push((at, value.clone()));
            let newest = self.newest.entry(place).or_insert((0, None));
            if newest.0 <= at {
                *newest = (at, Some(value.clone()));
            }
        }
        for ((device, pin), points) in &world.store.points {
            let place = (device.get(), Pin::from_u16(*pin).expect("a pin").index);
            assert_eq!(points.len(), self.seen.get(&place).copied().unwrap_or(0), "{place:?} has more: {points:?}");
        }
    }

    /// What is there is forgotten, and what is older stays away.
    fn erase(&mut self, world: &World, place: Place, now_ms: u64) {
        let Some(newest) = self.newest.get_mut(&place).filter(|newest| newest.1.is_some()) else { return };
        let known_ms = newest.0;
        let index = self.seen.entry(place).or_default();
        let (at, point) = points(world, place).get(*index).expect("the store hears of it").clone();
        *index += 1;
        assert!(point.is_empty() && (known_ms..=now_ms.max(known_ms)).contains(&at), "erased at {at}: {point:?}");
        *newest = (at, None);
    }

    fn next_point(&mut self, world: &World, place: Place) -> Option<(u64, Vec<u8>)> {
        let index = self.seen.entry(place).or_default();
        let (at, point) = points(world, place).get(*index)?;
        *index += 1;
        // An empty value, and one that could be taken for it, has a mark more: the store's empty one is none.
        let is_marked = point.iter().all(|byte| *byte == 0xc0);
        Some((*at, point[usize::from(is_marked && !point.is_empty())..].to_vec()))
    }

    /// Pin, value and time of all latest values of a device.
    pub(super) fn latest(&self, device: u32) -> Vec<(Pin, Box<[u8]>, u64)> {
        let of_device = self.newest.range((device, 0)..=(device, u8::MAX));
        of_device
            .filter_map(|((_, pin), (at, value))| Some((Pin::new_virtual(*pin), value.clone()?.into(), *at)))
            .collect()
    }

    /// How many points there were.
    pub(super) fn len(&self) -> usize {
        self.history.values().map(Vec::len).sum()
    }

    /// Does the store have all of them, in their order?
    pub(super) fn assert_history(&self, world: &World) {
        for (place, wanted) in &self.history {
            let stored = points(world, *place).iter().filter(|point| !point.1.is_empty());
            let times: Vec<_> = stored.map(|point| point.0).collect();
            assert!(times.iter().eq(wanted.iter().map(|point| &point.0)), "{place:?}: {times:?}, not {wanted:?}");
        }
    }
}

fn points(world: &World, (device, pin): Place) -> &[(u64, Box<[u8]>)] {
    let device = DeviceId::new(device).expect("not 0");
    world.store.points.get(&(device, Pin::new_virtual(pin).to_u16())).map_or(&[], Vec::as_slice)
}

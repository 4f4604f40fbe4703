//! The home's side: which shards watch which of its devices, and what they are to be told. State is told, not a queue of
//! changes: one bit a watched pin says that its latest value has not been told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use linchpin_protocol::limits::LIVE_RING;
use linchpin_protocol::model::{DeviceId, Millis, OrgId, Pin};

use super::letter::{AttemptRow, DeviceWanted, Happened, OrgWanted};
use super::pins::PinSet;
use crate::ids::ShardId;

/// A shard that watches a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watcher {
    pub(super) shard: ShardId,
    pub(super) wanted: DeviceWanted,
    /// Pins whose latest value it has not been told.
    pub(super) dirty: PinSet,
    /// It has not been told whether the device is there.
    pub(super) card: bool,
    /// All that it was told before is void.
    pub(super) is_fresh: bool,
    /// It has not been told the properties.
    pub(super) properties: bool,
    /// The device stands in what is to be told.
    is_listed: bool,
}

/// What one shard is to be told.
#[derive(Debug, Default)]
pub(super) struct NewsQueue {
    /// Devices with something to tell; each once.
    pub(super) devices: VecDeque<DeviceId>,
    /// Devices that came or went in a watched organization.
    pub(super) loose: BTreeSet<DeviceId>,
    /// Organizations that gained or lost devices.
    pub(super) members: BTreeSet<OrgId>,
    pub(super) happened: VecDeque<Happened>,
    /// What of it found no room.
    pub(super) skipped: u32,
    /// Logins that failed are told up to this one; `None`: they are not wanted.
    pub(super) attempts: Option<u64>,
    /// The last of its letters, and the last of which everything was told.
    pub(super) heard: u64,
    pub(super) reached: u64,
    /// Not before then: its lane was full.
    pub(super) not_before: Millis,
    orgs: Vec<(OrgId, OrgWanted)>,
}

impl NewsQueue {
    fn push(&mut self, happened: Happened) {
        if self.happened.len() < LIVE_RING {
            self.happened.push_back(happened);
        } else {
            self.skipped = self.skipped.saturating_add(1);
        }
    }
}

/// Logins that failed lately.
#[derive(Debug, Default)]
struct Attempts {
    /// With the number of its last change; the oldest first.
    rows: VecDeque<(u64, AttemptRow)>,
    last: u64,
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct HomeWatches {
    devices: BTreeMap<DeviceId, Vec<Watcher>>,
    shards: BTreeMap<ShardId, NewsQueue>,
    /// Somebody watches whole organizations.
    has_orgs: bool,
    /// Watchers that want frames.
    frame_watchers: usize,
    attempts: Attempts,
}

impl HomeWatches {
    /// Does nobody watch anything here? The one question of a write.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.devices.is_empty()
    }

    /// Does anybody watch this device?
    pub(crate) fn is_watched(&self, device: DeviceId) -> bool {
        self.devices.contains_key(&device)
    }

    /// Devices that are watched, counted once a shard.
    pub(crate) fn len(&self) -> usize {
        self.devices.values().map(Vec::len).sum()
    }

    // ---- What other shards want.

    /// A shard wants this of a device from now on: all of it is to be told. `has`: pins that have a value.
    pub(super) fn watch(&mut self, shard: ShardId, device: DeviceId, wanted: DeviceWanted, has: &PinSet) {
        let watchers = self.devices.entry(device).or_default();
        let known = watchers.iter().position(|watcher| watcher.shard == shard);
        self.frame_watchers += usize::from(wanted.frames);
        self.frame_watchers -= usize::from(known.is_some_and(|at| watchers[at].wanted.frames));
        if wanted.is_empty() {
            if let Some(at) = known {
                watchers.swap_remove(at);
            }
            if watchers.is_empty() {
                self.devices.remove(&device);
            }
            return;
        }
        let is_listed = known.is_some_and(|at| watchers[at].is_listed);
        let dirty = wanted.pins.both(has);
        let watcher = Watcher {
            shard,
            wanted,
            dirty,
            card: true,
            is_fresh: true,
            properties: !wanted.pins.is_empty(),
            is_listed,
        };
        match known {
            Some(at) => watchers[at] = watcher,
            None => watchers.push(watcher),
        }
        self.list(device);
    }

    /// What a shard wants of organizations from now on.
    pub(super) fn watch_orgs(&mut self, shard: ShardId, orgs: Vec<(OrgId, OrgWanted)>, attempts: bool) {
        let pending = self.shards.entry(shard).or_default();
        pending.orgs = orgs;
        pending.attempts = attempts.then(|| pending.attempts.unwrap_or(0));
        self.has_orgs = self.shards.values().any(|pending| !pending.orgs.is_empty());
    }

    /// A letter with this number has come from a shard.
    pub(super) fn heard(&mut self, shard: ShardId, number: u64) {
        let pending = self.shards.entry(shard).or_default();
        pending.heard = pending.heard.max(number);
    }

    // ---- What happens here. Each answers whether somebody is to be told.

    /// Put the device into the lists of those who have something to be told of it.
    fn list(&mut self, device: DeviceId) {
        for watcher in self.devices.get_mut(&device).into_iter().flatten() {
            let owes = watcher.card || watcher.properties || !watcher.dirty.is_empty();
            if owes && !std::mem::replace(&mut watcher.is_listed, true) {
                self.shards.entry(watcher.shard).or_default().devices.push_back(device);
            }
        }
    }

    /// The latest value of a pin changed; `at_ms` and `value`: what it is now, for those who want every one.
    pub(super) fn value_changed(&mut self, device: DeviceId, pin: Pin, at_ms: u64, value: &[u8]) -> bool {
        let Some(watchers) = self.devices.get_mut(&device) else { return false };
        let mut is_wanted = false;
        for watcher in watchers.iter_mut() {
            if watcher.wanted.every.has(pin) {
                let happened = Happened::Value { device, pin, at_ms, value: value.into() };
                self.shards.entry(watcher.shard).or_default().push(happened);
                is_wanted = true;
            }
            if watcher.wanted.pins.has(pin) {
                watcher.dirty.insert(pin);
                is_wanted = true;
            }
        }
        if is_wanted {
            self.list(device);
        }
        is_wanted
    }

    /// Properties of a device changed.
    pub(super) fn properties_changed(&mut self, device: DeviceId) -> bool {
        let Some(watchers) = self.devices.get_mut(&device) else { return false };
        for watcher in watchers.iter_mut() {
            watcher.properties |= !watcher.wanted.pins.is_empty();
        }
        self.list(device);
        true
    }

    /// A device is there now, is gone, or has another state than was told: all of it is to be told again. `has`: pins that
    /// have a value.
    pub(super) fn retell(&mut self, device: DeviceId, has: &PinSet) -> bool {
        let Some(watchers) = self.devices.get_mut(&device) else { return false };
        for watcher in watchers.iter_mut() {
            (watcher.card, watcher.is_fresh, watcher.properties) = (true, true, !watcher.wanted.pins.is_empty());
            watcher.dirty = watcher.wanted.pins.both(has);
        }
        self.list(device);
        true
    }

    /// A device came or went.
    pub(super) fn card_changed(&mut self, device: DeviceId, org: OrgId) -> bool {
        let mut is_wanted = false;
        if let Some(watchers) = self.devices.get_mut(&device) {
            for watcher in watchers.iter_mut() {
                watcher.card |= watcher.wanted.presence;
                is_wanted |= watcher.card;
            }
            self.list(device);
        }
        if self.has_orgs {
            is_wanted |= self.for_org(org, |wanted, pending| {
                if wanted.presence {
                    pending.loose.insert(device);
                }
                wanted.presence
            });
        }
        is_wanted
    }

    /// An organization gained or lost a device.
    pub(super) fn members_changed(&mut self, org: OrgId) -> bool {
        self.has_orgs
            && self.for_org(org, |wanted, pending| {
                if wanted.members {
                    pending.members.insert(org);
                }
                wanted.members
            })
    }

    /// Something happened to a device that `is_wanted` decides about.
    pub(super) fn happened(&mut self, org: OrgId, happened: &Happened) -> bool {
        let of_device = |wanted: &DeviceWanted| match happened {
            Happened::Event { .. } => wanted.events,
            Happened::Frame { .. } => wanted.frames,
            Happened::Value { pin, .. } => wanted.every.has(*pin),
        };
        let device = happened.device();
        let watchers = self.devices.get(&device).into_iter().flatten().filter(|watcher| of_device(&watcher.wanted));
        let mut shards: BTreeSet<ShardId> = watchers.map(|watcher| watcher.shard).collect();
        if self.has_orgs && matches!(happened, Happened::Event { .. }) {
            let wants = |pending: &NewsQueue| pending.orgs.iter().any(|(at, wanted)| *at == org && wanted.events);
            shards.extend(self.shards.iter().filter(|(_, pending)| wants(pending)).map(|(shard, _)| *shard));
        }
        for shard in &shards {
            self.shards.entry(*shard).or_default().push(happened.clone());
        }
        !shards.is_empty()
    }

    /// Are frames of any device wanted?
    #[inline]
    pub(crate) const fn shows_frames(&self) -> bool {
        self.frame_watchers > 0
    }

    /// Are frames of this device wanted?
    pub(super) fn wants_frames(&self, device: DeviceId) -> bool {
        self.devices.get(&device).into_iter().flatten().any(|watcher| watcher.wanted.frames)
    }

    /// Are events of this device wanted, by whoever watches it or its organization?
    pub(super) fn wants_events(&self, device: DeviceId, org: OrgId) -> bool {
        self.devices.get(&device).into_iter().flatten().any(|watcher| watcher.wanted.events)
            || self.has_orgs
                && self
                    .shards
                    .values()
                    .flat_map(|pending| &pending.orgs)
                    .any(|(at, wanted)| *at == org && wanted.events)
    }

    /// A login failed.
    pub(super) fn attempted(&mut self, address: IpAddr, code: u16, at_ms: u64) -> bool {
        let attempts = &mut self.attempts;
        attempts.last += 1;
        let known = attempts.rows.iter().position(|(_, row)| row.address == address && row.code == code);
        let before = known.and_then(|at| attempts.rows.remove(at)).map_or(0, |(_, row)| row.count);
        if attempts.rows.len() >= LIVE_RING {
            attempts.rows.pop_front();
        }
        let row = AttemptRow { address, code, at_ms, count: before.saturating_add(1) };
        attempts.rows.push_back((attempts.last, row));
        self.shards.values().any(|pending| pending.attempts.is_some())
    }

    fn for_org(&mut self, org: OrgId, mut note: impl FnMut(&OrgWanted, &mut NewsQueue) -> bool) -> bool {
        let mut is_wanted = false;
        for pending in self.shards.values_mut() {
            let Ok(at) = pending.orgs.binary_search_by_key(&org, |row| row.0) else { continue };
            let wanted = pending.orgs[at].1;
            is_wanted |= note(&wanted, pending);
        }
        is_wanted
    }

    // ---- Telling.

    /// Shards that are to be told something now.
    pub(super) fn due(&self, now: Millis) -> Vec<ShardId> {
        let due = |(_, pending): &(&ShardId, &NewsQueue)| pending.not_before <= now && self.owes(pending);
        self.shards.iter().filter(due).map(|(shard, _)| *shard).collect()
    }

    /// When the next shard is to be told something.
    pub(super) fn due_at(&self, now: Millis) -> Option<Millis> {
        let owing = self.shards.values().filter(|pending| self.owes(pending));
        owing.map(|pending| pending.not_before.max(now)).min()
    }

    fn owes(&self, pending: &NewsQueue) -> bool {
        !pending.devices.is_empty()
            || !pending.loose.is_empty()
            || !pending.members.is_empty()
            || !pending.happened.is_empty()
            || pending.skipped > 0
            || pending.attempts.is_some_and(|told| told < self.attempts.last && !self.attempts.rows.is_empty())
            || pending.reached < pending.heard
    }

    /// What happened did not leave: it is to be told again, before what has happened since.
    pub(super) fn unhappened(&mut self, shard: ShardId, happened: Vec<Happened>, skipped: u32) {
        let pending = self.pending_mut(shard);
        pending.skipped = pending.skipped.saturating_add(skipped);
        for one in happened.into_iter().rev() {
            if pending.happened.len() < LIVE_RING {
                pending.happened.push_front(one);
            } else {
                pending.skipped = pending.skipped.saturating_add(1);
            }
        }
    }

    pub(super) fn pending_mut(&mut self, shard: ShardId) -> &mut NewsQueue {
        self.shards.entry(shard).or_default()
    }

    /// Logins that failed and that a shard has not been told of.
    pub(super) fn take_attempts(&mut self, shard: ShardId) -> Vec<AttemptRow> {
        let last = self.attempts.last;
        let Some(told) = self.pending_mut(shard).attempts.as_mut() else { return Vec::new() };
        let told = std::mem::replace(told, last);
        self.attempts.rows.iter().filter(|(number, _)| *number > told).map(|(_, row)| *row).collect()
    }

    /// The next device that a shard is to be told of, with all of it; it counts as told.
    pub(super) fn take_device(&mut self, shard: ShardId) -> Option<(DeviceId, Watcher)> {
        loop {
            let device = self.shards.get_mut(&shard)?.devices.pop_front()?;
            // It may not be watched any more.
            let watchers = self.devices.get_mut(&device).into_iter().flatten();
            let Some(watcher) = watchers.into_iter().find(|watcher| watcher.shard == shard) else { continue };
            let taken = *watcher;
            watcher.is_listed = false;
            (watcher.card, watcher.is_fresh, watcher.properties) = (false, false, false);
            watcher.dirty = PinSet::default();
            return Some((device, taken));
        }
    }

    /// A device was not told after all: what was taken of it is to be told again.
    pub(super) fn untold(&mut self, shard: ShardId, device: DeviceId, told: &ToldOf) {
        let watchers = self.devices.get_mut(&device).into_iter().flatten();
        if let Some(watcher) = watchers.into_iter().find(|watcher| watcher.shard == shard) {
            watcher.dirty.add(&told.pins.both(&watcher.wanted.pins));
            watcher.card |= told.card;
            watcher.is_fresh |= told.is_fresh;
            watcher.properties |= told.properties;
            self.list(device);
        }
    }
}

/// What of a device was in a letter that did not leave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldOf {
    pub(super) pins: PinSet,
    pub(super) card: bool,
    pub(super) is_fresh: bool,
    pub(super) properties: bool,
}

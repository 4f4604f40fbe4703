//! One live socket: what it may see, what it watches, and what it has not been told.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use linchpin_protocol::limits::{LIVE_DEVICES, LIVE_RING};
use linchpin_protocol::live::{LiveReport, Subjects};
use linchpin_protocol::model::{DeviceId, Millis, Now, OrgId, Pin};

use super::frames::{LatestRow, LiveEncoding, LiveFrames};
use super::grant::{LiveGrant, LiveRights};
use super::letter::{CardRow, DeviceWanted, Happened, OrgWanted};
use super::mirror::{Heard, Mirror};
use super::pins::PinSet;
use super::report;
use crate::device::quota::Bucket;
use crate::limits::{LIVE_FLUSH_BYTES, LIVE_WRITE_BURST};

/// How far a watch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LiveStage {
    /// Its devices are being asked for, by this question; so many shards have not answered.
    Gathering {
        /// The question's number.
        number: u64,
        /// Shards that have not answered.
        left: u16,
    },
    /// Its devices are known, not all of what they have.
    Waiting,
    /// Its snapshot was told.
    Told,
}

/// One watch.
#[derive(Debug)]
pub(super) struct LiveSet {
    pub(super) what: Subjects,
    /// What it wants of each of its devices.
    pub(super) wanted: DeviceWanted,
    /// What it wants of its organizations.
    pub(super) of_orgs: OrgWanted,
    /// Its devices, in the order of its snapshot.
    pub(super) devices: Vec<DeviceId>,
    /// Its organizations, ascending.
    pub(super) orgs: Vec<OrgId>,
    pub(super) stage: LiveStage,
    /// Devices that the selection finds.
    pub(super) total: u32,
    /// Its selection would find something else now.
    pub(super) is_changed: bool,
    /// When that was last said.
    pub(super) changed_at: Millis,
    /// It has waited for its devices since an earlier round of the timer.
    pub(super) is_late: bool,
    /// What found no room.
    skipped: u32,
}

impl LiveSet {
    pub(super) const fn new(what: Subjects, wanted: DeviceWanted, stage: LiveStage) -> Self {
        Self {
            what,
            wanted,
            of_orgs: OrgWanted { presence: false, events: false, members: false },
            devices: Vec::new(),
            orgs: Vec::new(),
            stage,
            total: 0,
            is_changed: false,
            changed_at: Millis(0),
            is_late: false,
            skipped: 0,
        }
    }
}

/// One device as a socket watches it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What all of its watches want of it.
    pub(super) wanted: DeviceWanted,
    /// Watches that it is in.
    pub(super) sets: u16,
    /// Pins whose latest value was not told.
    dirty: PinSet,
    card: bool,
    properties: bool,
    is_listed: bool,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct LiveSocket {
    pub(super) grant: LiveGrant,
    pub(super) encoding: LiveEncoding,
    pub(super) sets: BTreeMap<u16, LiveSet>,
    pub(super) seen: BTreeMap<DeviceId, Seen>,
    /// Devices with something to tell; each once.
    dirty: VecDeque<DeviceId>,
    /// Devices that came or went in a watched organization.
    loose: BTreeMap<DeviceId, CardRow>,
    /// What happened once: for which watch, and what.
    happened: VecDeque<(u16, Happened)>,
    /// Reports that wait because the socket is full.
    pub(super) waiting: VecDeque<LiveReport>,
    /// A message that has not come whole.
    pub(super) message: Vec<u8>,
    /// Values may be told again from then on.
    pub(super) next_flush: Millis,
    /// When it is to be flushed next.
    pub(super) scheduled_at: Millis,
    /// Since when it does not read.
    pub(super) blocked_at: Option<Millis>,
    /// Rounds of its timer.
    pub(super) rounds: u32,
    /// What it may write.
    pub(super) writes: Bucket,
    /// Where its page is, as far as listed proxies say it.
    pub(super) address: IpAddr,
    /// What it was last counted with.
    pub(super) counted_bytes: usize,
}

impl LiveSocket {
    pub(super) fn new(grant: LiveGrant, encoding: LiveEncoding, address: IpAddr, now: Millis) -> Self {
        Self {
            grant,
            encoding,
            sets: BTreeMap::new(),
            seen: BTreeMap::new(),
            dirty: VecDeque::new(),
            loose: BTreeMap::new(),
            happened: VecDeque::new(),
            waiting: VecDeque::new(),
            message: Vec::new(),
            next_flush: now,
            scheduled_at: Millis::NEVER,
            blocked_at: None,
            rounds: 0,
            writes: Bucket::full(LIVE_WRITE_BURST, now),
            address,
            counted_bytes: 0,
        }
    }

    /// Memory that it holds, about.
    pub(super) fn held_bytes(&self) -> usize {
        let sets =
            self.sets.values().map(|set| size_of::<LiveSet>() + 4 * (set.devices.capacity() + set.orgs.capacity()));
        size_of::<Self>()
            + sets.sum::<usize>()
            + self.seen.len() * (size_of::<Seen>() + size_of::<DeviceId>())
            + self.dirty.capacity() * size_of::<DeviceId>()
            + self.message.capacity()
            + self.grant.scopes.capacity() * size_of::<super::grant::LiveScope>()
            + self.grant.devices.capacity() * size_of::<(DeviceId, LiveRights)>()
    }

    /// Pins that all of its watches name.
    pub(super) fn pins(&self) -> usize {
        self.seen.values().filter(|seen| seen.wanted.pins != PinSet::ALL).map(|seen| seen.wanted.pins.len()).sum()
    }

    // ---- What it watches.

    /// A watch of it wants this of a device.
    pub(super) fn see(&mut self, device: DeviceId, wanted: &DeviceWanted) {
        let seen = self.seen.entry(device).or_default();
        seen.sets += 1;
        seen.wanted.add(wanted);
    }

    /// A watch with this device is over. Answers what its other watches want of it; `None`: none has it.
    pub(super) fn unsee(&mut self, device: DeviceId) -> Option<DeviceWanted> {
        let seen = self.seen.get_mut(&device)?;
        seen.sets -= 1;
        if seen.sets == 0 {
            self.seen.remove(&device);
            return None;
        }
        let mut wanted = DeviceWanted::default();
        for set in self.sets.values().filter(|set| set.devices.contains(&device)) {
            wanted.add(&set.wanted);
        }
        seen.wanted = wanted;
        Some(wanted)
    }

    /// All that is known of a device is to be told: a new watch has it.
    pub(super) fn retell(&mut self, device: DeviceId, has: &PinSet) {
        let Some(seen) = self.seen.get_mut(&device) else { return };
        seen.dirty.add(&seen.wanted.pins.both(has));
        (seen.card, seen.properties) = (true, !seen.wanted.pins.is_empty());
        Self::list(&mut self.dirty, seen, device);
    }

    fn list(dirty: &mut VecDeque<DeviceId>, seen: &mut Seen, device: DeviceId) {
        if !std::mem::replace(&mut seen.is_listed, true) {
            dirty.push_back(device);
        }
    }

    // ---- What is to be told.

    /// The mirror has heard something; true: the socket is to be told.
    pub(super) fn hear(&mut self, device: DeviceId, heard: Heard) -> bool {
        let Some(seen) = self.seen.get_mut(&device) else { return false };
        match heard {
            Heard::Value(pin) if seen.wanted.pins.has(pin) => seen.dirty.insert(pin),
            Heard::Card if seen.wanted.presence => seen.card = true,
            Heard::Properties(pins) if !seen.wanted.pins.both(&pins).is_empty() => seen.properties = true,
            // A snapshot may be complete now. What others watch is known now, too: that is nothing to be told.
            Heard::All => return self.sets.values().any(|set| set.stage == LiveStage::Waiting),
            Heard::Value(_) | Heard::Card | Heard::Properties(_) => return false,
        }
        Self::list(&mut self.dirty, seen, device);
        true
    }

    /// The first watch that wants to hear of this.
    fn set_for(&self, happened: &Happened, org: Option<OrgId>) -> Option<u16> {
        let device = happened.device();
        let wants = |set: &LiveSet| match happened {
            Happened::Event { .. } => {
                set.wanted.events && set.devices.contains(&device)
                    || set.of_orgs.events && org.is_some_and(|org| set.orgs.binary_search(&org).is_ok())
            }
            Happened::Frame { .. } => set.wanted.frames && set.devices.contains(&device),
            Happened::Value { pin, .. } => set.wanted.every.has(*pin) && set.devices.contains(&device),
        };
        self.sets.iter().find(|(_, set)| wants(set)).map(|(number, _)| *number)
    }

    /// Something happened to a device of this organization; true: the socket is to be told.
    pub(super) fn note(&mut self, org: OrgId, happened: &Happened) -> bool {
        let needs = match happened {
            Happened::Event { .. } => LiveRights::EVENTS,
            Happened::Frame { .. } => LiveRights::DIAGNOSE,
            Happened::Value { .. } => LiveRights::VIEW,
        };
        if !self.grant.rights_for(org, happened.device()).has(needs) {
            return false;
        }
        let Some(number) = self.set_for(happened, Some(org)) else { return false };
        if self.happened.len() < LIVE_RING {
            self.happened.push_back((number, happened.clone()));
        } else if let Some(set) = self.sets.get_mut(&number) {
            set.skipped = set.skipped.saturating_add(1);
        }
        true
    }

    /// A device came or went in an organization that is watched as a whole.
    pub(super) fn note_loose(&mut self, row: CardRow) -> bool {
        let Some(card) = row.card else { return false };
        let is_seen = self.seen.get(&row.device).is_some_and(|seen| seen.wanted.presence);
        let is_meant = |set: &LiveSet| set.of_orgs.presence && set.orgs.binary_search(&card.org).is_ok();
        if is_seen || !self.grant.rights_for(card.org, row.device).has(LiveRights::VIEW) {
            return false;
        }
        let is_full = self.loose.len() >= LIVE_DEVICES && !self.loose.contains_key(&row.device);
        let mut is_wanted = false;
        for set in self.sets.values_mut().filter(|set| is_meant(set)) {
            is_wanted = true;
            // More than it can be told one by one: it asks again.
            set.is_changed |= is_full || set.of_orgs.members;
        }
        if is_wanted && !is_full {
            self.loose.insert(row.device, row);
        }
        is_wanted
    }

    /// An organization gained or lost devices.
    pub(super) fn note_members(&mut self, org: OrgId) -> bool {
        let mut is_wanted = false;
        for set in self.sets.values_mut() {
            if set.of_orgs.members && set.orgs.binary_search(&org).is_ok() {
                (set.is_changed, is_wanted) = (true, true);
            }
        }
        is_wanted
    }

    /// May it see a login that failed? Those that nobody's device has made may be anybody's: only those who look after the
    /// server see all of them, others what came from where they are themselves.
    pub(super) fn sees_attempt(&self, address: IpAddr) -> bool {
        let is_wanted = self.sets.values().any(|set| set.what.attempts);
        is_wanted && (self.grant.rights_in(OrgId::FIRST).has(LiveRights::DIAGNOSE) || is_near(self.address, address))
    }

    /// Some of what happened at a home found no room there.
    pub(super) fn note_skipped(&mut self, count: u32) -> bool {
        let set = self
            .sets
            .values_mut()
            .find(|set| set.wanted.frames || set.wanted.events || set.of_orgs.events || !set.wanted.every.is_empty());
        set.map(|set| set.skipped = set.skipped.saturating_add(count)).is_some()
    }

    // ---- Telling.

    /// Write what is to be told, up to about `LIVE_FLUSH_BYTES`; true: that was all. `changed_ms`: how often a watch may
    /// be said to have changed.
    pub(super) fn flush(&mut self, now: Now, mirror: &Mirror, changed_ms: u64, out: &mut LiveFrames) -> bool {
        while let Some(report) = self.waiting.pop_front() {
            out.report(&report);
        }
        let mut left = self.dirty.len();
        while left > 0 && out.out.len() < LIVE_FLUSH_BYTES {
            left -= 1;
            let Some(device) = self.dirty.pop_front() else { break };
            self.tell_device(now, mirror, device, out);
        }
        let is_whole = self.dirty.is_empty();
        for (_, row) in std::mem::take(&mut self.loose) {
            out.report(&LiveReport::Presence { rows: report::presence(row.device, row.card).into_iter().collect() });
        }
        for (_, happened) in std::mem::take(&mut self.happened) {
            out.report(&report::happened(happened));
        }
        self.tell_sets(now.mono, mirror, changed_ms, out);
        is_whole
    }

    fn tell_device(&mut self, now: Now, mirror: &Mirror, device: DeviceId, out: &mut LiveFrames) {
        let Some(seen) = self.seen.get_mut(&device) else { return };
        seen.is_listed = false;
        let (dirty, card, properties) = (seen.dirty, seen.card, seen.properties);
        (seen.dirty, seen.card, seen.properties) = (PinSet::default(), false, false);
        let Some(mirrored) = mirror.get(device) else { return };
        // Who may not see a device learns as little of it as of one that is not there.
        let may_view = |org| self.grant.rights_for(org, device).has(LiveRights::VIEW);
        let Some(known) = mirrored.card.filter(|card| may_view(card.org)) else { return };
        if card && seen.wanted.presence {
            out.report(&LiveReport::Presence { rows: report::presence(device, Some(known)).into_iter().collect() });
        }
        if !dirty.is_empty() {
            let row = |pin: Pin| -> LatestRow<'_> {
                let latest = mirrored.values.get(pin);
                (device, pin, latest.map_or(now.wall.0, |(_, at)| at.0), latest.map(|(value, _)| value))
            };
            out.values(dirty.iter().map(row));
        }
        if properties {
            for ((pin, name), value) in &mirrored.properties {
                if seen.wanted.pins.has(*pin) {
                    out.report(&report::property(device, *pin, name, value.as_deref()));
                }
            }
        }
    }

    /// What is to be said of watches: how they stand, and what they have missed.
    fn tell_sets(&mut self, now: Millis, mirror: &Mirror, changed_ms: u64, out: &mut LiveFrames) {
        let (seen, grant) = (&self.seen, &self.grant);
        for (number, set) in &mut self.sets {
            let is_told = |device: &DeviceId| {
                let is_listed = seen.get(device).is_some_and(|seen| seen.is_listed);
                !is_listed && mirror.get(*device).is_some_and(|mirrored| mirrored.is_known)
            };
            if set.stage == LiveStage::Waiting && set.devices.iter().all(is_told) {
                set.stage = LiveStage::Told;
                let may_view = |device: &&DeviceId| {
                    let card = mirror.get(**device).and_then(|mirrored| mirrored.card);
                    card.is_some_and(|card| grant.rights_for(card.org, **device).has(LiveRights::VIEW))
                };
                let devices: Vec<u32> = set.devices.iter().filter(may_view).map(|device| device.get()).collect();
                let total = if set.orgs.is_empty() { devices.len() as u32 } else { set.total };
                out.report(&LiveReport::Snapshot { set: *number, total, devices });
            }
            if set.skipped > 0 {
                out.report(&LiveReport::Skipped { set: *number, count: std::mem::take(&mut set.skipped) });
            }
            if set.is_changed && set.stage == LiveStage::Told && now.since(set.changed_at) >= changed_ms {
                (set.is_changed, set.changed_at) = (false, now);
                out.report(&LiveReport::Changed { set: *number });
            }
        }
    }

    /// When a watch that has changed may be said to have; `None`: none has.
    pub(super) fn changed_at(&self, changed_ms: u64) -> Option<Millis> {
        let changed = self.sets.values().filter(|set| set.is_changed && set.stage == LiveStage::Told);
        changed.map(|set| set.changed_at.after(changed_ms)).min()
    }
}

/// The same address, or of the same IPv6 network.
fn is_near(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.octets()[..8] == other.octets()[..8],
        (one, other) => one == other,
    }
}

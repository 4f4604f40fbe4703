//! What a page asks: watches, and their ends.

use linchpin_protocol::limits::{LIVE_DEVICES, LIVE_PINS, LIVE_SETS};
use linchpin_protocol::live::{LiveAsk, LiveReport, LiveSelection, Subjects, WatchedPins};
use linchpin_protocol::model::{DeviceId, OrgId, Pin};

use super::grant::LiveRights;
use super::letter::{DeviceWanted, LiveLetter, OrgWanted};
use super::pins::PinSet;
use super::refusal::LiveRefusal;
use super::report;
use super::socket::{LiveSet, LiveStage};
use crate::{ConnRef, Effect, End, Letter, Shard, ShardId, Slot, Turn, limits};

/// What a watch wants of each of its devices.
fn wanted_of(what: Subjects, pins: WatchedPins, every: Vec<Pin>) -> DeviceWanted {
    let pins = match pins {
        _ if !what.values => PinSet::default(),
        WatchedPins::All => PinSet::ALL,
        WatchedPins::Some(pins) => pins.into_iter().collect(),
    };
    let every = if what.values { every.into_iter().collect() } else { PinSet::default() };
    DeviceWanted { pins, every, presence: what.presence, events: what.events, frames: what.frames }
}

impl Shard {
    /// A message of a page.
    pub(super) fn live_ask(&mut self, turn: &mut Turn<'_>, slot: Slot, ask: LiveAsk) {
        match ask {
            // Said for the log of the page's build; nothing depends on it.
            LiveAsk::Hello { .. } => {}
            LiveAsk::Watch { set, what, select, pins, every } => {
                self.unwatch(turn, slot, set);
                let wanted = wanted_of(what, pins, every);
                if let Err(refusal) = self.begin_watch(turn, slot, (set, what), wanted, select) {
                    self.refuse_watch(turn, slot, set, refusal);
                }
            }
            LiveAsk::Unwatch { set } => self.unwatch(turn, slot, set),
            LiveAsk::Write { request, device, pin, value } => {
                self.live_write(turn, slot, request, (device, pin, value))
            }
        }
    }

    /// A watch is not begun, or not gone on with.
    fn refuse_watch(&mut self, turn: &mut Turn<'_>, slot: Slot, set: u16, refusal: LiveRefusal) {
        self.unwatch(turn, slot, set);
        self.say_live(turn, slot, LiveReport::Refused { set, code: refusal.number() });
    }

    fn begin_watch(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        (number, what): (u16, Subjects),
        wanted: DeviceWanted,
        select: LiveSelection,
    ) -> Result<(), LiveRefusal> {
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return Ok(()) };
        if socket.sets.len() >= LIVE_SETS {
            return Err(LiveRefusal::TooManyWatches);
        }
        let wants_each = what.values || what.presence || what.frames;
        let (org, below, is_query) = match select {
            LiveSelection::Devices(ids) => {
                let mut devices: Vec<DeviceId> = Vec::with_capacity(ids.len());
                let ids = ids.into_iter().filter_map(DeviceId::new);
                ids.for_each(|id| {
                    if !devices.contains(&id) {
                        devices.push(id)
                    }
                });
                socket.sets.insert(number, LiveSet::new(what, wanted, LiveStage::Waiting));
                self.want_attempts(turn, slot, what, 1);
                return self.see_devices(turn, slot, number, devices);
            }
            // Rows are the list's: see docs/decisions/0241.
            LiveSelection::Query { count: 1.., .. } => return Err(LiveRefusal::NoRows),
            LiveSelection::Query { org, below, .. } => (org, below, true),
            LiveSelection::Subtree { org, below } => (org, below, false),
        };
        let needs = if what.events && !wants_each { LiveRights::EVENTS } else { LiveRights::VIEW };
        let orgs = OrgId::new(org).map(|org| socket.grant.orgs(org, below, needs)).unwrap_or_default();
        if orgs.is_empty() && !what.attempts {
            return Err(LiveRefusal::Unseen);
        }
        let gathers = wants_each && !is_query;
        let stage = if gathers { LiveStage::Gathering { number: 0, left: 0 } } else { LiveStage::Waiting };
        let mut set = LiveSet::new(what, wanted, stage);
        set.of_orgs = OrgWanted { presence: is_query && what.presence, events: what.events, members: true };
        set.orgs.clone_from(&orgs);
        let of_orgs = set.of_orgs;
        socket.sets.insert(number, set);
        self.live.orgs.change(slot, &orgs, of_orgs, 1, self.shards);
        self.want_attempts(turn, slot, what, 1);
        if gathers {
            self.gather(turn, slot, number, &orgs);
        }
        self.live.schedule(slot, turn.now.mono);
        self.live.wake(turn.now.mono);
        Ok(())
    }

    /// The devices of a watch are known: watch them.
    fn see_devices(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        number: u16,
        devices: Vec<DeviceId>,
    ) -> Result<(), LiveRefusal> {
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return Ok(()) };
        let Some(set) = socket.sets.get_mut(&number) else { return Ok(()) };
        let more = devices.iter().filter(|device| !socket.seen.contains_key(device)).count();
        if socket.seen.len() + more > LIVE_DEVICES {
            return Err(LiveRefusal::TooManyDevices);
        }
        let wanted = set.wanted;
        (set.stage, set.total) = (LiveStage::Waiting, set.total.max(devices.len() as u32));
        set.devices.clone_from(&devices);
        for device in &devices {
            socket.see(*device, &wanted);
        }
        if socket.pins() > LIVE_PINS {
            return Err(LiveRefusal::TooManyPins);
        }
        for device in devices {
            self.mirror_for(slot, device);
            let Some(socket) = self.live.sockets.get_mut(&slot) else { return Ok(()) };
            let has = self.live.mirror.get(device).map(super::mirror::Mirrored::pins).unwrap_or_default();
            socket.retell(device, &has);
        }
        self.live.schedule(slot, turn.now.mono);
        self.live.wake(turn.now.mono);
        let slots = self.connections.slots();
        if let Some(payer) =
            self.live.sockets.get(&slot).and_then(|socket| self.live.payer(socket.grant.owner, slot, slots))
        {
            self.end_live(turn, payer, End::LiveCrowded, None);
        }
        Ok(())
    }

    /// Tell the mirror what the sockets of this shard want of a device, after this one has changed its mind.
    fn mirror_for(&mut self, slot: Slot, device: DeviceId) {
        let seen = self.live.sockets.get(&slot).and_then(|socket| socket.seen.get(&device)).map(|seen| seen.wanted);
        let mut wanted = seen.unwrap_or_default();
        match self.live.mirror.get(device) {
            // Of so many, what one alone has wanted may stay: to look through all of them for each would cost more.
            Some(mirrored) if mirrored.slots.len() > limits::LIVE_NARROWED => wanted.add(&mirrored.wanted),
            Some(mirrored) => {
                for other in &mirrored.slots {
                    if let Some(seen) = self.live.sockets.get(other).and_then(|socket| socket.seen.get(&device)) {
                        wanted.add(&seen.wanted);
                    }
                }
            }
            None => {}
        }
        if seen.is_some() {
            self.live.mirror.watch(device, slot, wanted, self.shards);
        } else {
            self.live.mirror.unwatch(device, slot, wanted, self.shards);
        }
    }

    /// End a watch.
    pub(super) fn unwatch(&mut self, turn: &mut Turn<'_>, slot: Slot, number: u16) {
        let Some(set) = self.live.sockets.get_mut(&slot).and_then(|socket| socket.sets.remove(&number)) else { return };
        for device in &set.devices {
            if let Some(socket) = self.live.sockets.get_mut(&slot) {
                let _ = socket.unsee(*device);
            }
            self.mirror_for(slot, *device);
        }
        self.live.orgs.change(slot, &set.orgs, set.of_orgs, -1, self.shards);
        self.want_attempts(turn, slot, set.what, -1);
        self.live.wake(turn.now.mono);
    }

    fn want_attempts(&mut self, turn: &mut Turn<'_>, slot: Slot, what: Subjects, by: i32) {
        if !what.attempts {
            return;
        }
        self.live.orgs.want_attempts(by, self.shards);
        if by > 0 {
            for row in self.live.orgs.attempts() {
                if self.live.sockets.get(&slot).is_some_and(|socket| socket.sees_attempt(row.address)) {
                    self.say_live(turn, slot, report::attempt(&row));
                }
            }
        }
    }

    // ---- All devices of organizations.

    /// Ask all shards for them.
    fn gather(&mut self, turn: &mut Turn<'_>, slot: Slot, number: u16, orgs: &[OrgId]) {
        self.live.questions += 1;
        let question = self.live.questions;
        let left = self.shards;
        let set = self.live.sockets.get_mut(&slot).and_then(|socket| socket.sets.get_mut(&number));
        let Some(set) = set else { return };
        set.stage = LiveStage::Gathering { number: question, left };
        let asker = self.conn_ref(slot);
        for shard in (0..self.shards).map(ShardId) {
            let letter = LiveLetter::Members { asker, set: number, number: question, orgs: orgs.to_vec() };
            self.post_live(turn, shard, letter);
        }
    }

    /// Which devices of these organizations live here?
    pub(super) fn answer_members(
        &mut self,
        turn: &mut Turn<'_>,
        (asker, set, number): (ConnRef, u16, u64),
        orgs: &[OrgId],
    ) {
        let (mut devices, mut total) = (Vec::new(), 0);
        for position in self.devices.above(0) {
            let device = &self.devices[position];
            if orgs.contains(&device.org) {
                total += 1;
                if devices.len() <= LIVE_DEVICES {
                    devices.push(device.id);
                }
            }
        }
        self.post_live(turn, asker.shard, LiveLetter::MembersAre { asker, set, number, total, devices });
    }

    /// A shard's answer.
    pub(super) fn members_are(
        &mut self,
        turn: &mut Turn<'_>,
        (asker, number, question): (ConnRef, u16, u64),
        total: u32,
        devices: &[DeviceId],
    ) {
        if !self.is_current(asker) {
            return;
        }
        let slot = asker.slot;
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return };
        let Some(set) = socket.sets.get_mut(&number) else { return };
        let LiveStage::Gathering { number: own, left } = set.stage else { return };
        if own != question {
            return;
        }
        set.total = set.total.saturating_add(total);
        if set.devices.len() <= LIVE_DEVICES {
            set.devices.extend_from_slice(devices);
        }
        if left > 1 {
            set.stage = LiveStage::Gathering { number: own, left: left - 1 };
            return;
        }
        let mut devices = std::mem::take(&mut set.devices);
        let more = devices.iter().filter(|device| !socket.seen.contains_key(device)).count();
        if socket.seen.len() + more > LIVE_DEVICES && !set.what.values && !set.what.frames {
            // Too many to be shown one by one: only those that come and go are reported.
            let orgs = set.orgs.clone();
            (set.stage, set.of_orgs.presence) = (LiveStage::Waiting, true);
            let presence = OrgWanted { presence: true, ..OrgWanted::default() };
            self.live.orgs.add_to(&orgs, presence, self.shards);
            self.live.wake(turn.now.mono);
            return self.live.schedule(slot, turn.now.mono);
        }
        devices.sort_unstable();
        if let Err(refusal) = self.see_devices(turn, slot, number, devices) {
            self.refuse_watch(turn, slot, number, refusal);
        }
        self.live.count(slot);
    }

    /// Watches whose devices some shard has not named: its answer found no room.
    pub(super) fn give_up_gathering(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(socket) = self.live.sockets.get(&slot) else { return };
        let is_late = |set: &LiveSet| matches!(set.stage, LiveStage::Gathering { .. }) && set.is_late;
        let late: Vec<u16> = socket.sets.iter().filter(|(_, set)| is_late(set)).map(|(number, _)| *number).collect();
        for number in late {
            self.refuse_watch(turn, slot, number, LiveRefusal::Crowded);
        }
        if let Some(socket) = self.live.sockets.get_mut(&slot) {
            socket.sets.values_mut().for_each(|set| set.is_late = true);
        }
    }

    /// A question for devices found no room.
    pub(super) fn members_unasked(&mut self, turn: &mut Turn<'_>, asker: ConnRef, set: u16) {
        if self.is_current(asker) {
            self.refuse_watch(turn, asker.slot, set, LiveRefusal::Crowded);
        }
    }

    /// Write to another shard, or to this one.
    pub(super) fn post_live(&mut self, turn: &mut Turn<'_>, to: ShardId, letter: LiveLetter) {
        if to == self.id {
            return self.live_letter(turn, to, letter);
        }
        turn.fx.push(Effect::Letter { to, letter: Letter::Live(Box::new(letter)) });
    }
}

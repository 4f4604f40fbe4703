//! The live sockets of a shard, and when they have something to do.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use linchpin_protocol::model::Millis;

use super::frames::LiveEncoding;
use super::grant::{LiveGrant, LiveOwner, Revocation};
use super::home::HomeWatches;
use super::mirror::Mirror;
use super::orgs::WatchedOrgs;
use super::socket::LiveSocket;
use crate::http::asks::ask::AskRef;
use crate::http::asks::shares::{Held, who_pays};
use crate::ids::Slot;
use crate::limits::{LIVE_BYTES, LIVE_REVOCATIONS, LIVE_SOCKETS, LIVE_SOCKETS_PART};

/// A request that may become a live socket.
#[derive(Debug)]
pub(crate) struct LiveWish {
    pub(super) ask: AskRef,
    pub(super) key: Box<str>,
    pub(super) encoding: LiveEncoding,
    pub(super) address: IpAddr,
}

impl LiveWish {
    pub(crate) const fn new(ask: AskRef, key: Box<str>, encoding: LiveEncoding, address: IpAddr) -> Self {
        Self { ask, key, encoding, address }
    }
}

/// Revocations that grants under way have not seen.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    last: VecDeque<Revocation>,
    /// The highest number that is not remembered any more.
    forgotten: u64,
}

impl Revocations {
    pub(super) fn push(&mut self, revocation: Revocation) {
        if self.last.len() >= LIVE_REVOCATIONS
            && let Some(oldest) = self.last.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest.number);
        }
        self.last.push_back(revocation);
    }

    /// Is the grant as good as when it was made? What is not remembered may have met it.
    pub(super) fn leave(&self, grant: &LiveGrant) -> bool {
        let is_met = |revocation: &Revocation| revocation.number > grant.stamp && grant.is_met_by(revocation.who);
        grant.stamp >= self.forgotten && !self.last.iter().any(is_met)
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Who watches the devices that live here.
    pub(crate) home: HomeWatches,
    /// What is known of devices that are watched here.
    pub(super) mirror: Mirror,
    pub(super) orgs: WatchedOrgs,
    pub(super) sockets: BTreeMap<Slot, Box<LiveSocket>>,
    pub(super) wishes: BTreeMap<Slot, LiveWish>,
    pub(super) revocations: Revocations,
    /// When which sockets are flushed.
    flushes: BTreeMap<Millis, Vec<Slot>>,
    /// When anything is to be done.
    due_at: Option<Millis>,
    /// Number of the last question for the devices of organizations.
    pub(super) questions: u64,
    /// Bytes of all sockets.
    socket_bytes: usize,
    /// Values and presence that were written to sockets, as reports flushed.
    pub(super) flushed: u64,
}

impl Live {
    /// Live sockets.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Devices that are watched here.
    pub(crate) fn watched(&self) -> usize {
        self.mirror.len()
    }

    /// Memory of sockets, and of what is known of devices.
    pub(crate) const fn held_bytes(&self) -> usize {
        self.socket_bytes + self.mirror.held_bytes()
    }

    // ---- Time.

    /// When something is to be done; `None`: nothing waits.
    #[inline]
    pub(crate) const fn due_at(&self) -> Option<Millis> {
        self.due_at
    }

    /// Something is to be done then.
    pub(super) fn wake(&mut self, at: Millis) {
        self.due_at = Some(self.due_at.map_or(at, |known| known.min(at)));
    }

    /// Everything that was due is done: when is the next?
    pub(super) fn settle(&mut self, now: Millis) {
        let flush = self.flushes.first_key_value().map(|(at, _)| *at);
        let all = [flush, self.mirror.due_at(now), self.orgs.due_at(now), self.home.due_at(now)];
        self.due_at = all.into_iter().flatten().min();
    }

    /// Flush a socket as soon as its pace allows; one that does not read waits until it has.
    pub(super) fn schedule(&mut self, slot: Slot, now: Millis) {
        let Some(socket) = self.sockets.get_mut(&slot) else { return };
        let at = socket.next_flush.max(now);
        if socket.blocked_at.is_some() || socket.scheduled_at <= at {
            return;
        }
        socket.scheduled_at = at;
        self.flushes.entry(at).or_default().push(slot);
        self.wake(at);
    }

    /// Sockets whose time has come.
    pub(super) fn take_due(&mut self, now: Millis) -> Vec<Slot> {
        let later = self.flushes.split_off(&Millis(now.0 + 1));
        std::mem::replace(&mut self.flushes, later).into_values().flatten().collect()
    }

    // ---- Bounds.

    /// Whose socket must end so that this one fits; `None`: there is room.
    /// `slots`: connections that the shard can have.
    pub(super) fn payer(&self, owner: LiveOwner, slot: Slot, slots: usize) -> Option<Slot> {
        let most = LIVE_SOCKETS.min(slots / LIVE_SOCKETS_PART);
        let is_room = self.sockets.len() < most && self.held_bytes() < LIVE_BYTES;
        if is_room {
            return None;
        }
        let owner_of = |owner: LiveOwner| (owner.org, owner.user);
        let held = self.sockets.iter().filter(|(key, _)| **key != slot);
        let held = held.map(|(key, socket)| Held { owner: owner_of(socket.grant.owner), key: *key, may_end: true });
        who_pays(held.chain([Held { owner: owner_of(owner), key: slot, may_end: true }]))
    }

    /// Count what a socket holds.
    pub(super) fn count(&mut self, slot: Slot) {
        if let Some(socket) = self.sockets.get_mut(&slot) {
            let held = socket.held_bytes();
            self.socket_bytes = self.socket_bytes + held - socket.counted_bytes;
            socket.counted_bytes = held;
        }
    }

    pub(super) fn insert(&mut self, slot: Slot, socket: LiveSocket) {
        self.sockets.insert(slot, Box::new(socket));
        self.count(slot);
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Box<LiveSocket>> {
        let socket = self.sockets.remove(&slot)?;
        self.socket_bytes -= socket.counted_bytes;
        Some(socket)
    }

    /// What must always hold; see [`crate::Shard::audit`].
    pub(crate) fn audit(&self) -> Result<(), String> {
        self.mirror.audit()?;
        for (slot, socket) in &self.sockets {
            for device in socket.seen.keys() {
                if self.mirror.get(*device).is_none_or(|mirrored| mirrored.slots.binary_search(slot).is_err()) {
                    return Err(format!("{slot:?} watches device {device}, which is not mirrored for it"));
                }
            }
        }
        let counted: usize = self.sockets.values().map(|socket| socket.counted_bytes).sum();
        if counted != self.socket_bytes {
            return Err(format!("live sockets were counted with {counted} bytes, the sum says {}", self.socket_bytes));
        }
        Ok(())
    }

    /// Times that a socket was told something.
    pub(crate) const fn flushes(&self) -> u64 {
        self.flushed
    }

    /// Slots of all sockets.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.sockets.keys().copied()
    }
}

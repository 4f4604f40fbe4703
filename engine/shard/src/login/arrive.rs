//! A connection arrives where its device lives.

use std::collections::{BTreeMap, VecDeque};

use linchpin_protocol::model::Millis;

use crate::connection::Phase;
use crate::{Cargo, Effect, End, MoveId, Shard, Slot, Turn, limits};

/// Halves of connections: the letter with the state and the descriptor come in any order.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    waiting: BTreeMap<MoveId, Half>,
    /// In the order of arrival: when a half gives up. Entries whose pair was completed meanwhile are passed over.
    timeouts: VecDeque<(Millis, MoveId)>,
}

#[derive(Debug)]
enum Half {
    Cargo(Box<Cargo>),
    Descriptor(Slot),
}

impl Arrivals {
    /// When the oldest half gives up, or earlier.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.timeouts.front().map(|t| t.0)
    }

    /// Retain one half; given back when there is no room, or when the same half came already.
    fn put(&mut self, now: Millis, id: MoveId, half: Half) -> Result<(), Half> {
        if self.waiting.len() >= limits::ARRIVALS || self.waiting.contains_key(&id) {
            return Err(half);
        }
        // Completed pairs leave their timeouts behind: forget those at the front.
        while self.timeouts.front().is_some_and(|t| !self.waiting.contains_key(&t.1)) {
            self.timeouts.pop_front();
        }
        self.timeouts.push_back((now.after(limits::HOME_TIMEOUT_MS), id));
        self.waiting.insert(id, half);
        Ok(())
    }

    fn take_cargo(&mut self, id: MoveId) -> Option<Box<Cargo>> {
        if !matches!(self.waiting.get(&id), Some(Half::Cargo(_))) {
            return None;
        }
        match self.waiting.remove(&id) {
            Some(Half::Cargo(cargo)) => Some(cargo),
            _ => None,
        }
    }

    fn take_descriptor(&mut self, id: MoveId) -> Option<Slot> {
        let Some(&Half::Descriptor(slot)) = self.waiting.get(&id) else { return None };
        self.waiting.remove(&id);
        Some(slot)
    }
}

impl Shard {
    pub(crate) fn cargo_arrived(&mut self, turn: &mut Turn<'_>, id: MoveId, cargo: Box<Cargo>) {
        if let Some(slot) = self.arrivals.take_descriptor(id) {
            return self.arrive(turn, slot, *cargo);
        }
        // Without room the state is dropped: the descriptor then times out and is closed.
        let _ = self.arrivals.put(turn.now.mono, id, Half::Cargo(cargo));
    }

    pub(crate) fn descriptor_arrived(&mut self, turn: &mut Turn<'_>, id: MoveId, slot: Slot) {
        if let Some(cargo) = self.arrivals.take_cargo(id) {
            return self.arrive(turn, slot, *cargo);
        }
        if self.arrivals.put(turn.now.mono, id, Half::Descriptor(slot)).is_err() {
            turn.fx.push(Effect::Abort { slot });
        }
    }

    /// Both halves are here.
    fn arrive(&mut self, turn: &mut Turn<'_>, slot: Slot, cargo: Cargo) {
        let connection = self.connections.open(slot, cargo.peer, turn.now.mono);
        connection.phase = Phase::Resolving { login_id: cargo.login_id };
        let is_sealed = cargo.wire.tls.is_on();
        self.connections.hold(slot, |c| c.wire = cargo.wire);
        if !cargo.carry.is_empty() {
            self.connections.hold(slot, |c| c.carry = Some(Box::new(cargo.carry)));
        }
        if is_sealed {
            turn.fx.send_sealed(slot, &cargo.unsent);
        } else if !cargo.unsent.is_empty() {
            turn.fx.send(slot, |out| out.extend_from_slice(&cargo.unsent));
        }
        self.set_deadline(turn.now, slot, limits::HOME_TIMEOUT_MS);
        if !self.connections.addresses.enter(&cargo.peer.ip(), self.address_share()) {
            return self.end(turn, slot, End::AddressCap);
        }
        self.attach(turn, slot, cargo.right, cargo.login_id);
    }

    /// The sender could not send the descriptor.
    pub(crate) fn revoke_cargo(&mut self, id: MoveId) {
        drop(self.arrivals.take_cargo(id));
    }

    /// Halves whose other half never came.
    pub(crate) fn expire_arrivals(&mut self, turn: &mut Turn<'_>) {
        while let Some(&(at, id)) = self.arrivals.timeouts.front()
            && at <= turn.now.mono
        {
            self.arrivals.timeouts.pop_front();
            if let Some(Half::Descriptor(slot)) = self.arrivals.waiting.remove(&id) {
                turn.fx.push(Effect::Abort { slot });
            }
        }
    }
}

//! A connection arrives where its device lives.

use std::collections::{BTreeMap, VecDeque};

use linchpin_protocol::model::{Millis, Now};

use crate::connection::{Phase, gate};
use crate::tls::Tls;
use crate::{Cargo, Effect, Effects, End, Shard, Slot, limits};

/// Halves of connections: the letter with the state and the descriptor come in any order.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    waiting: BTreeMap<u64, Half>,
    /// In the order of arrival: when a half gives up. Entries whose pair was completed meanwhile are passed over.
    timeouts: VecDeque<(Millis, u64)>,
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

    /// Keep one half; given back when there is no room, or when the same half came already.
    fn put(&mut self, now: Millis, token: u64, half: Half) -> Result<(), Half> {
        if self.waiting.len() >= limits::ARRIVALS || self.waiting.contains_key(&token) {
            return Err(half);
        }
        // Completed pairs leave their timeouts behind: forget those at the front.
        while self.timeouts.front().is_some_and(|t| !self.waiting.contains_key(&t.1)) {
            self.timeouts.pop_front();
        }
        self.timeouts.push_back((now.after(limits::HOME_TIMEOUT_MS), token));
        self.waiting.insert(token, half);
        Ok(())
    }

    fn take_cargo(&mut self, token: u64) -> Option<Box<Cargo>> {
        if !matches!(self.waiting.get(&token), Some(Half::Cargo(_))) {
            return None;
        }
        match self.waiting.remove(&token) {
            Some(Half::Cargo(cargo)) => Some(cargo),
            _ => None,
        }
    }

    fn take_descriptor(&mut self, token: u64) -> Option<Slot> {
        let Some(&Half::Descriptor(slot)) = self.waiting.get(&token) else { return None };
        self.waiting.remove(&token);
        Some(slot)
    }
}

impl Shard {
    pub(crate) fn cargo_arrived(&mut self, now: Now, token: u64, cargo: Box<Cargo>, fx: &mut Effects) {
        if let Some(slot) = self.arrivals.take_descriptor(token) {
            return self.arrive(now, slot, *cargo, fx);
        }
        // Without room it is dropped: the descriptor will wait for it in vain and be closed.
        let _ = self.arrivals.put(now.mono, token, Half::Cargo(cargo));
    }

    pub(crate) fn descriptor_arrived(&mut self, now: Now, token: u64, slot: Slot, fx: &mut Effects) {
        if let Some(cargo) = self.arrivals.take_cargo(token) {
            return self.arrive(now, slot, *cargo, fx);
        }
        if self.arrivals.put(now.mono, token, Half::Descriptor(slot)).is_err() {
            fx.push(Effect::Abort { slot });
        }
    }

    /// Both halves are here.
    fn arrive(&mut self, now: Now, slot: Slot, cargo: Cargo, fx: &mut Effects) {
        let connection = self.connections.open(slot, cargo.peer, now.mono);
        connection.session = cargo.session;
        connection.phase = Phase::Resolving { login_id: cargo.login_id };
        connection.gate = if cargo.ws.is_some() { gate::WEBSOCKET } else { 0 };
        let is_sealed = cargo.tls.is_some();
        self.connections.hold(slot, |c| {
            c.ws = cargo.ws;
            c.tls = cargo.tls.map_or(Tls::Off, Tls::On);
        });
        if !cargo.carry.is_empty() {
            self.connections.hold(slot, |c| c.carry = Some(Box::new(cargo.carry)));
        }
        if is_sealed {
            fx.send_sealed(slot, &cargo.unsent);
        } else if !cargo.unsent.is_empty() {
            fx.send(slot, |out| out.extend_from_slice(&cargo.unsent));
        }
        self.set_deadline(now, slot, limits::HOME_TIMEOUT_MS);
        if !self.addresses.enter(&cargo.peer.ip(), self.address_share()) {
            return self.end(now, slot, End::AddressCap, fx);
        }
        self.attach(now, slot, cargo.device, cargo.login_id, fx);
    }

    /// The sender could not send the descriptor.
    pub(crate) fn revoke_cargo(&mut self, token: u64) {
        drop(self.arrivals.take_cargo(token));
    }

    /// Halves whose other half never came.
    pub(crate) fn expire_arrivals(&mut self, now: Now, fx: &mut Effects) {
        while let Some(&(at, token)) = self.arrivals.timeouts.front()
            && at <= now.mono
        {
            self.arrivals.timeouts.pop_front();
            if let Some(Half::Descriptor(slot)) = self.arrivals.waiting.remove(&token) {
                fx.push(Effect::Abort { slot });
            }
        }
    }
}

//! Going home: a connection leaves the shard that accepted it and arrives where its device lives.

use std::collections::{BTreeMap, VecDeque};

use linchpin_protocol::Status;
use linchpin_protocol::model::{DeviceId, Millis, Now};

use crate::connection::{Connection, Phase, gate};
use crate::secure::Tls;
use crate::{Cargo, Effect, Effects, End, Letter, Purpose, Shard, ShardId, Slot, home_of, limits};

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

/// Names a move in the 56 bits that a driver carries: the sender (16), its slot (20), and the low bits of the
/// connection's serial (20).
fn token_of(shard: ShardId, slot: Slot, serial: u32) -> u64 {
    u64::from(shard.0) << 40 | u64::from(slot.0 & LOW_20) << 20 | u64::from(serial & LOW_20)
}

/// The sender's slot in a token.
fn slot_of(token: u64) -> Slot {
    Slot((token >> 20) as u32 & LOW_20)
}

const LOW_20: u32 = limits::SLOTS - 1;
const _: () = assert!(limits::SLOTS == 1 << 20);

impl Shard {
    /// The token is known: this shard is home, or the connection moves.
    pub(crate) fn go_home(&mut self, now: Now, slot: Slot, device: DeviceId, login_id: u16, fx: &mut Effects) {
        let home = home_of(device, self.shards);
        if home == self.id {
            return self.attach(now, slot, device, login_id, fx);
        }
        if self.connections[slot].gate & gate::BLOCKED != 0 {
            // What the driver holds back cannot travel: a client that floods before its login and does not read.
            return self.end(now, slot, End::OutboundFull, fx);
        }
        self.seal_pending(slot, fx);
        let unsent = fx.take_sends(slot);
        let tls = self.take_session(slot);
        let (carry, ws) = self.connections.hold(slot, |c| (c.carry.take(), c.ws.take()));
        let carry = carry.map(|c| *c).unwrap_or_default();
        let connection = &mut self.connections[slot];
        let session = std::mem::take(&mut connection.session);
        let cargo =
            Box::new(Cargo { device, peer: connection.peer.address(), session, login_id, carry, tls, unsent, ws });
        connection.phase = Phase::Leaving { home };
        let token = token_of(self.id, slot, connection.serial);
        self.wheel.clear(slot);
        fx.push(Effect::Transfer { slot, to: home, token, cargo });
    }

    fn cargo_arrived(&mut self, now: Now, token: u64, cargo: Box<Cargo>, fx: &mut Effects) {
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

    /// Home's table is full: the connection is still here.
    pub(crate) fn transfer_failed(&mut self, now: Now, token: u64, slot: Slot, fx: &mut Effects) {
        let Some(&Connection { phase: Phase::Leaving { home }, .. }) = self.connections.get(slot) else { return };
        fx.push(Effect::Letter { to: home, letter: Letter::MoveRevoked { token } });
        self.end(now, slot, End::HomeFull, fx);
    }

    /// The lane home is full: nothing has left.
    fn cargo_refused(&mut self, now: Now, token: u64, fx: &mut Effects) {
        let slot = slot_of(token);
        let leaving = |c: &&Connection| matches!(c.phase, Phase::Leaving { .. });
        if self.connections.get(slot).filter(leaving).is_some_and(|c| token_of(self.id, slot, c.serial) == token) {
            self.end(now, slot, End::Busy, fx);
        }
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

    /// A letter for this shard.
    pub(crate) fn letter(&mut self, now: Now, from: ShardId, letter: Letter, fx: &mut Effects) {
        match letter {
            Letter::Resolve { digest, asker, purpose } => {
                let device = self.index.get(&digest);
                fx.push(Effect::Letter { to: from, letter: Letter::Resolved { asker, device, purpose } });
            }
            Letter::Resolved { asker, device, purpose } => self.resolved(now, asker, device, purpose, fx),
            Letter::Moving { token, cargo } => self.cargo_arrived(now, token, cargo, fx),
            Letter::MoveRevoked { token } => drop(self.arrivals.take_cargo(token)),
            Letter::Bridge { device, asker, id, pin, value } => {
                self.bridge_write(now, device, asker, id, pin, &value, fx);
            }
            Letter::Answer { asker, id, status } => self.late_answer(now, asker, id, status, fx),
            Letter::Ask { digest, device, asker, call } => self.asked(now, digest, device, asker, call, fx),
            Letter::Told { asker, reply } => self.told(now, asker, reply, fx),
        }
    }

    /// A letter that could not leave.
    pub(crate) fn undelivered(&mut self, now: Now, letter: &Letter, fx: &mut Effects) {
        match *letter {
            Letter::Resolve { asker, purpose: Purpose::Login, .. } if self.is_current(asker) => {
                self.end(now, asker.slot, End::Busy, fx);
            }
            Letter::Resolve { asker, purpose: Purpose::Bridge { id, bridge_pin }, .. } if self.is_current(asker) => {
                self.bridge_opened(now, asker.slot, id, bridge_pin, Err(Status::ServerError), fx);
            }
            Letter::Bridge { asker, id, .. } => self.late_answer(now, asker, id, Status::ServerError, fx),
            Letter::Moving { token, .. } => self.cargo_refused(now, token, fx),
            Letter::Ask { asker, ref call, .. } => self.ask_failed(now, asker, call.dialect, fx),
            // The asker gives up by its own deadline, a half arrival by its timeout.
            Letter::Resolve { .. }
            | Letter::Resolved { .. }
            | Letter::MoveRevoked { .. }
            | Letter::Answer { .. }
            | Letter::Told { .. } => {}
        }
    }
}

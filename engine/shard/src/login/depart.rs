//! A connection leaves the shard that accepted it for the home of its device.

use linchpin_protocol::model::{DeviceId, Now};

use crate::connection::{Connection, Phase, gate};
use crate::{Cargo, Effect, Effects, End, Letter, Shard, ShardId, Slot, home_of, limits};

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

    /// Home's table is full: the connection is still here.
    pub(crate) fn transfer_failed(&mut self, now: Now, token: u64, slot: Slot, fx: &mut Effects) {
        let Some(&Connection { phase: Phase::Leaving { home }, .. }) = self.connections.get(slot) else { return };
        fx.push(Effect::Letter { to: home, letter: Letter::MoveRevoked { token } });
        self.end(now, slot, End::HomeFull, fx);
    }

    /// The lane home is full: nothing has left.
    pub(crate) fn cargo_refused(&mut self, now: Now, token: u64, fx: &mut Effects) {
        let slot = slot_of(token);
        let leaving = |c: &&Connection| matches!(c.phase, Phase::Leaving { .. });
        if self.connections.get(slot).filter(leaving).is_some_and(|c| token_of(self.id, slot, c.serial) == token) {
            self.end(now, slot, End::Busy, fx);
        }
    }
}

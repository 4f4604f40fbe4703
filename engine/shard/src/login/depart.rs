//! A connection leaves the shard that accepted it for the home of its device.

use crate::connection::{Connection, Phase, gate};
use crate::{Cargo, Effect, End, LocalLetter, MoveId, Shard, ShardId, Slot, TokenRight, Turn, home_of, limits};

/// The sender (16 bits), its slot (20), and the low bits of the connection's serial (20).
fn move_id(shard: ShardId, slot: Slot, serial: u32) -> MoveId {
    MoveId(u64::from(shard.0) << 40 | u64::from(slot.0 & LOW_20) << 20 | u64::from(serial & LOW_20))
}

/// The sender's slot in the name of a move.
fn slot_of(id: MoveId) -> Slot {
    Slot((id.0 >> 20) as u32 & LOW_20)
}

const LOW_20: u32 = limits::SLOTS - 1;
const _: () = assert!(limits::SLOTS == 1 << 20);

impl Shard {
    /// The token is known: this shard is home, or the connection moves.
    pub(crate) fn go_home(&mut self, turn: &mut Turn<'_>, slot: Slot, right: TokenRight, login_id: u16) {
        let home = home_of(right.device, self.shards);
        if home == self.id {
            return self.attach(turn, slot, right, login_id);
        }
        if self.connections[slot].gate & gate::BLOCKED != 0 {
            // What the driver holds back cannot travel: a client that floods before its login and does not read.
            return self.end(turn, slot, End::OutboundFull);
        }
        self.seal_pending(turn, slot);
        let unsent = turn.fx.take_sends(slot);
        self.release_keys(slot);
        let (carry, wire) = self.connections.hold(slot, |c| (c.carry.take(), std::mem::take(&mut c.wire)));
        let carry = carry.map(|c| *c).unwrap_or_default();
        let connection = &mut self.connections[slot];
        let cargo = Box::new(Cargo { right, peer: connection.peer.address(), wire, login_id, carry, unsent });
        connection.phase = Phase::Leaving { home };
        let id = move_id(self.id, slot, connection.serial);
        self.connections.wheel.clear(slot);
        turn.fx.push(Effect::Move { slot, to: home, id, cargo });
    }

    /// Home's table is full: the connection is still here.
    pub(crate) fn move_failed(&mut self, turn: &mut Turn<'_>, id: MoveId, slot: Slot) {
        let Some(&Connection { phase: Phase::Leaving { home }, .. }) = self.connections.get(slot) else { return };
        turn.fx.push(Effect::LocalLetter { to: home, letter: LocalLetter::MoveRevoked { id } });
        self.end(turn, slot, End::HomeFull);
    }

    /// The lane home is full: nothing has left.
    pub(crate) fn cargo_refused(&mut self, turn: &mut Turn<'_>, id: MoveId) {
        let slot = slot_of(id);
        let leaving = |c: &&Connection| matches!(c.phase, Phase::Leaving { .. });
        if self.connections.get(slot).filter(leaving).is_some_and(|c| move_id(self.id, slot, c.serial) == id) {
            self.end(turn, slot, End::Busy);
        }
    }
}

//! What a shard does with a letter.

use linchpin_protocol::Status;

use crate::{Effect, End, Letter, Purpose, Shard, ShardId, Turn};

impl Shard {
    /// A letter for this shard.
    pub(crate) fn letter(&mut self, turn: &mut Turn<'_>, from: ShardId, letter: Letter) {
        match letter {
            Letter::Resolve { digest, asker, purpose } => {
                let device = self.catalog.tokens.get(&digest);
                turn.fx.push(Effect::Letter { to: from, letter: Letter::Resolved { asker, device, purpose } });
            }
            Letter::Resolved { asker, device, purpose } => self.resolved(turn, asker, device, purpose),
            Letter::Moving { id, cargo } => self.cargo_arrived(turn, id, cargo),
            Letter::MoveRevoked { id } => self.revoke_cargo(id),
            Letter::Bridge { device, asker, id, pin, value } => {
                self.bridge_write(turn, device, asker, id, pin, &value);
            }
            Letter::Answer { asker, id, status } => self.late_answer(turn, asker, id, status),
            Letter::Ask { digest, device, asker, call } => self.asked(turn, digest, device, asker, call),
            Letter::Reply { asker, reply } => self.replied(turn, asker, reply),
        }
    }

    /// A letter that could not leave.
    pub(crate) fn undelivered(&mut self, turn: &mut Turn<'_>, letter: &Letter) {
        match *letter {
            Letter::Resolve { asker, purpose: Purpose::Login, .. } if self.is_current(asker) => {
                self.end(turn, asker.slot, End::Busy);
            }
            Letter::Resolve { asker, purpose: Purpose::Bridge { id, bridge_pin }, .. } if self.is_current(asker) => {
                self.bridge_opened(turn, asker.slot, id, bridge_pin, Err(Status::ServerError));
            }
            Letter::Bridge { asker, id, .. } => self.late_answer(turn, asker, id, Status::ServerError),
            Letter::Moving { id, .. } => self.cargo_refused(turn, id),
            Letter::Ask { asker, ref call, .. } => self.ask_failed(turn, asker, call.dialect),
            // The asker gives up by its own deadline, a half arrival by its timeout.
            Letter::Resolve { .. }
            | Letter::Resolved { .. }
            | Letter::MoveRevoked { .. }
            | Letter::Answer { .. }
            | Letter::Reply { .. } => {}
        }
    }
}

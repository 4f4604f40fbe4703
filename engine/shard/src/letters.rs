//! What a shard does with a letter.

use linchpin_protocol::Status;
use linchpin_protocol::model::Now;

use crate::{Effect, Effects, End, Letter, Purpose, Shard, ShardId};

impl Shard {
    /// A letter for this shard.
    pub(crate) fn letter(&mut self, now: Now, from: ShardId, letter: Letter, fx: &mut Effects) {
        match letter {
            Letter::Resolve { digest, asker, purpose } => {
                let device = self.index.get(&digest);
                fx.push(Effect::Letter { to: from, letter: Letter::Resolved { asker, device, purpose } });
            }
            Letter::Resolved { asker, device, purpose } => self.resolved(now, asker, device, purpose, fx),
            Letter::Moving { token, cargo } => self.cargo_arrived(now, token, cargo, fx),
            Letter::MoveRevoked { token } => self.revoke_cargo(token),
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

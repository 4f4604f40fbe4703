//! What a shard does with a letter.

use linchpin_protocol::Status;

use crate::{Effect, End, Letter, LocalLetter, Purpose, Shard, ShardId, Turn};

impl Shard {
    /// A letter for this shard.
    pub(crate) fn letter(&mut self, turn: &mut Turn<'_>, from: ShardId, letter: Letter) {
        match letter {
            Letter::Resolve { digest, asker, purpose } => {
                let right = self.catalog.tokens.get(&digest);
                turn.fx.push(Effect::Letter { to: from, letter: Letter::Resolved { asker, right, purpose } });
            }
            Letter::Resolved { asker, right, purpose } => self.resolved(turn, asker, right, purpose),
            Letter::Bridge { right, org, asker, over_tls, id, pin, value } => {
                self.bridge_write(turn, (right, org), asker, over_tls, id, pin, &value);
            }
            Letter::Answer { asker, id, status } => self.late_answer(turn, asker, id, status),
            Letter::Ask { digest, right, asker, call } => self.asked(turn, digest, right, asker, call),
            Letter::Reply { asker, reply } => self.replied(turn, asker, reply),
            Letter::Holdings(rows) => self.holdings_reported(turn, from, rows),
            Letter::Live(letter) => self.live_letter(turn, from, *letter),
        }
    }

    /// A letter of another shard of this process.
    pub(crate) fn local_letter(&mut self, turn: &mut Turn<'_>, letter: LocalLetter) {
        match letter {
            LocalLetter::Moving { id, cargo } => self.cargo_arrived(turn, id, cargo),
            LocalLetter::MoveRevoked { id } => self.revoke_cargo(id),
        }
    }

    /// The same for a letter that could not leave.
    pub(crate) fn undelivered_local(&mut self, turn: &mut Turn<'_>, letter: &LocalLetter) {
        match *letter {
            LocalLetter::Moving { id, .. } => self.cargo_refused(turn, id),
            // The half that has arrived gives up by its timeout.
            LocalLetter::MoveRevoked { .. } => {}
        }
    }

    /// A letter that could not leave.
    pub(crate) fn undelivered(&mut self, turn: &mut Turn<'_>, to: ShardId, letter: Letter) {
        match letter {
            Letter::Resolve { asker, purpose: Purpose::Login, .. } if self.is_current(asker) => {
                self.end(turn, asker.slot, End::Busy);
            }
            Letter::Resolve { asker, purpose: Purpose::Bridge { id, bridge_pin }, .. } if self.is_current(asker) => {
                self.bridge_opened(turn, asker.slot, id, bridge_pin, Err(Status::ServerError));
            }
            Letter::Bridge { asker, id, .. } => self.late_answer(turn, asker, id, Status::ServerError),
            Letter::Ask { asker, call, .. } => self.ask_failed(turn, asker, call.dialect),
            Letter::Live(letter) => self.live_undelivered(turn, to, *letter),
            // The asker gives up by its own deadline.
            Letter::Resolve { .. } | Letter::Resolved { .. } | Letter::Answer { .. } | Letter::Reply { .. } => {}
            // The next report says it again.
            Letter::Holdings(_) => {}
        }
    }
}

//! Ending all connections at a pace that the next server (or this one, restarted) can take.

use linchpin_protocol::blynk::codec;
use linchpin_protocol::model::{Millis, Now};

use crate::connection::{Phase, gate};
use crate::{End, Shard, Slot, Turn, limits};

/// A drain in progress.
#[derive(Debug)]
pub(crate) struct Drain {
    /// When the next few are ended.
    pub(crate) next: Millis,
    redirect: Option<(Box<str>, u16)>,
    per_second: u32,
    /// Slots below were ended already; new connections are not taken any more, so one pass is enough.
    cursor: u32,
}

impl Shard {
    pub(crate) fn start_drain(&mut self, now: Now, redirect: Option<(Box<str>, u16)>, per_second: u32) {
        self.drain_asks(now);
        self.operator.drain = Some(Drain { next: now.mono, redirect, per_second: per_second.max(1), cursor: 0 });
    }

    /// End as many as the pace allows in one step.
    pub(crate) fn drain_some(&mut self, turn: &mut Turn<'_>) {
        let Some(mut drain) = self.operator.drain.take() else { return };
        if drain.next > turn.now.mono {
            self.operator.drain = Some(drain);
            return;
        }
        let steps_per_second = 1_000 / limits::DRAIN_STEP_MS;
        let mut left = u64::from(drain.per_second).div_ceil(steps_per_second);
        while left > 0 && (drain.cursor as usize) < self.connections.len() {
            let slot = Slot(drain.cursor);
            drain.cursor += 1;
            if self.drain_one(turn, slot, &drain) {
                left -= 1;
            }
        }
        let done = drain.cursor as usize >= self.connections.len();
        drain.next = if done { Millis::NEVER } else { turn.now.mono.after(limits::DRAIN_STEP_MS) };
        self.operator.drain = Some(drain);
    }

    fn drain_one(&mut self, turn: &mut Turn<'_>, slot: Slot, drain: &Drain) -> bool {
        let Some(connection) = self.connections.get(slot) else { return false };
        match connection.phase {
            // It has its own time: `drain_asks`.
            Phase::Serving if self.has_ask(slot) => false,
            Phase::Live => {
                // A session that logged in with command 2 understands a redirect only as the answer to its login.
                let understands = connection.gate & (gate::PACED | gate::BLOCKED) == 0;
                if let Some((host, port)) = drain.redirect.as_ref().filter(|_| understands) {
                    if self.is_mqtt(slot) {
                        self.redirect_mqtt(turn, slot, host, *port);
                        self.mqtt_goodbye(turn, slot, End::Redirected);
                    } else {
                        let id = self.next_push_id();
                        self.emit(turn, slot, |out| codec::redirect(out, id, host, Some(*port)));
                    }
                    self.refuse(turn, slot, End::Redirected);
                } else {
                    self.end(turn, slot, End::Drained);
                }
                true
            }
            Phase::Watching => {
                self.end_live(turn, slot, End::Drained, None);
                true
            }
            Phase::Opening | Phase::Handshake | Phase::Resolving { .. } | Phase::Serving => {
                self.end(turn, slot, End::Drained);
                true
            }
            Phase::Free | Phase::Away | Phase::Leaving { .. } | Phase::Refused { .. } | Phase::Closing => false,
        }
    }
}

//! Timers: what a shard waits for, and what happens when it has come.

use linchpin_protocol::model::{Millis, Now};

use super::{Phase, Ticks, gate};
use crate::{End, Shard, Slot, Turn, limits};

/// What a shard waits for. All of them share [`crate::Input::Timer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A connection: its phase must end, its device was silent for too long, or frames that waited may leave.
    Connections,
    /// Half of a move waits for its other half.
    Arrivals,
    /// An operator's view of frames ends.
    Taps,
    /// A drain ends its next few connections.
    Drain,
    /// A will waits for its delay.
    Wills,
    /// A device that is away is not shown as offline yet.
    Absences,
    /// Asks have credit to give, or bytes of a file to write.
    Asks,
    /// Live sockets: pages, homes and shards are to be told something.
    Live,
    /// A TLS handshake that waits for its turn may begin; the tick asks for it with [`Shard::shake`].
    Handshakes,
    /// A report on who holds most.
    Holdings,
    /// A full table had nobody who could make room.
    Room,
}

impl Timer {
    const ALL: [Self; 11] = [
        Self::Connections,
        Self::Arrivals,
        Self::Taps,
        Self::Drain,
        Self::Wills,
        Self::Absences,
        Self::Asks,
        Self::Live,
        Self::Handshakes,
        Self::Holdings,
        Self::Room,
    ];
}

impl Shard {
    /// When [`crate::Input::Timer`] is due; `None` while nothing waits for time.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        Timer::ALL.into_iter().filter_map(|timer| self.due_at(timer)).min()
    }

    #[inline]
    fn due_at(&self, timer: Timer) -> Option<Millis> {
        match timer {
            Timer::Connections => self.connections.wheel.next(),
            Timer::Arrivals => self.arrivals.deadline(),
            Timer::Taps => self.tap_deadline(),
            Timer::Drain => self.operator.drain.as_ref().map(|drain| drain.next),
            Timer::Wills => self.wills.deadline(),
            Timer::Absences => self.absences.deadline(),
            Timer::Asks => self.asks.soon_at(),
            Timer::Live => self.live.due_at(),
            Timer::Handshakes => self.handshake_deadline(),
            Timer::Holdings => self.connections.ledger.report_at(),
            Timer::Room => self.room_again_at,
        }
    }

    /// Time has passed.
    pub(crate) fn timer(&mut self, turn: &mut Turn<'_>) {
        self.clock.wall_offset_s = turn.now.wall.seconds().saturating_sub(turn.now.mono.0 / 1_000);
        for timer in Timer::ALL {
            match timer {
                Timer::Connections => self.expire_connections(turn),
                Timer::Arrivals => self.expire_arrivals(turn),
                Timer::Taps => self.expire_taps(turn.now),
                Timer::Drain => self.drain_some(turn),
                Timer::Wills => self.expire_wills(turn),
                Timer::Absences => self.end_absences(turn.now),
                Timer::Asks => self.asks_due(turn),
                Timer::Live => self.live_due(turn),
                Timer::Handshakes => {}
                Timer::Holdings => self.report_holdings(turn),
                Timer::Room => self.look_again(turn),
            }
        }
    }

    fn expire_connections(&mut self, turn: &mut Turn<'_>) {
        let mut expired = std::mem::take(&mut self.expired);
        expired.clear();
        self.connections.wheel.expire(turn.now.mono, limits::EXPIRE_PER_TICK, &mut expired);
        for &slot in &expired {
            self.expire(turn, slot);
        }
        self.expired = expired;
    }

    /// The wheel's entry of a connection is due: look at the true deadlines, end or set it again.
    fn expire(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        let due = connection.deadline.millis() <= turn.now.mono;
        match connection.phase {
            Phase::Opening if due && self.is_record_late(turn.now, slot) => self.end(turn, slot, End::RecordTimeout),
            Phase::Opening if due => self.end(turn, slot, End::LoginTimeout),
            Phase::Handshake if due => self.end(turn, slot, End::HandshakeTimeout),
            Phase::Resolving { .. } if due => self.end(turn, slot, End::Busy),
            Phase::Refused { end, .. } if due => self.end(turn, slot, end),
            Phase::Live => self.expire_live(turn, slot),
            // Its peer does not take what was sent last. The driver answers an abort at once.
            Phase::Closing => {
                self.abort_closing(turn, slot);
                self.connections.wheel.set(slot, turn.now.mono.after(limits::CLOSING_MS));
            }
            // The driver answers these; nothing to do but wait.
            Phase::Free | Phase::Away | Phase::Leaving { .. } => {}
            Phase::Serving if due => self.expire_http(turn, slot),
            Phase::Watching if due => self.live_tick(turn, slot),
            Phase::Opening
            | Phase::Handshake
            | Phase::Resolving { .. }
            | Phase::Refused { .. }
            | Phase::Serving
            | Phase::Watching => {
                self.connections.wheel.set(slot, connection.deadline.millis());
            }
        }
    }

    fn expire_live(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let connection = &self.connections[slot];
        let silent_at = Millis(connection.heard.millis().0 + connection.silence_ms());
        if silent_at <= turn.now.mono && self.clock.grace_until <= turn.now.mono {
            return self.end(turn, slot, End::HeartbeatMissed);
        }
        if self.is_record_late(turn.now, slot) && self.clock.grace_until <= turn.now.mono {
            return self.end(turn, slot, End::RecordTimeout);
        }
        self.release_outbound(turn, slot);
        self.set_live_timer(slot);
    }

    /// Set the timer of a logged-in device: the earliest of silence, paced send and the end of the quiet time after login.
    pub(crate) fn set_live_timer(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get(slot).filter(|c| c.is_live()) else { return };
        let mut at = Millis(connection.heard.millis().0 + connection.silence_ms());
        if let Some(due_at) = self.record_due_at(slot) {
            at = at.min(due_at);
        }
        at = at.max(self.clock.grace_until);
        if let Some(extra) = connection.extra.as_ref().filter(|e| !e.outbound.is_empty()) {
            let is_quiet = connection.gate & gate::QUIET != 0;
            let may_pop = connection.gate & gate::PACED != 0 && (!is_quiet || extra.outbound.has_answer());
            if connection.gate & gate::BLOCKED == 0 && may_pop {
                at = at.min(extra.next_paced);
            }
            if is_quiet {
                at = at.min(connection.deadline.millis());
            }
        }
        self.connections.wheel.set(slot, at);
    }

    /// The phase must end before `now + timeout_ms`.
    pub(crate) fn set_deadline(&mut self, now: Now, slot: Slot, timeout_ms: u64) {
        // Ticks round down: one more, so that a deadline is never early.
        let at = Millis(now.mono.0 + timeout_ms + limits::WHEEL_TICK_MS);
        self.connections[slot].deadline = Ticks::at(at);
        self.connections.wheel.set(slot, Ticks::at(at).millis());
    }
}

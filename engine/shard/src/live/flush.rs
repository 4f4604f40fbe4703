//! Time of live sockets: what is to be told is told, every 100 ms at most; and the timer of each socket.

use linchpin_protocol::live::LiveReport;
use linchpin_protocol::ws::{FrameKind, frame_header};

use super::frames::LiveFrames;
use crate::{End, Shard, Slot, Turn, limits};

impl Shard {
    /// Everything that is due: what homes are to know, what shards are to hear, what pages are to be told.
    pub(crate) fn live_due(&mut self, turn: &mut Turn<'_>) {
        if self.live.due_at().is_none_or(|at| at > turn.now.mono) {
            return;
        }
        self.tell_wanted(turn);
        self.tell_news(turn);
        for slot in self.live.take_due(turn.now.mono) {
            self.flush_live(turn, slot);
        }
        self.live.settle(turn.now.mono);
    }

    fn flush_live(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let live = &mut self.live;
        let Some(socket) = live.sockets.get_mut(&slot) else { return };
        // It was flushed meanwhile.
        if socket.scheduled_at > turn.now.mono {
            return;
        }
        socket.scheduled_at = linchpin_protocol::model::Millis::NEVER;
        if socket.blocked_at.is_some() {
            return;
        }
        let mut frames = LiveFrames::new(socket.encoding);
        let is_whole = socket.flush(turn.now, &live.mirror, limits::LIVE_CHANGED_MS, &mut frames);
        let changed_at = socket.changed_at(limits::LIVE_CHANGED_MS);
        // Nothing to tell uses up no pace.
        if !frames.out.is_empty() {
            socket.next_flush = turn.now.mono.after(limits::LIVE_FLUSH_MS);
            live.flushed += 1;
            turn.fx.send(slot, |out| out.extend_from_slice(&frames.out));
        }
        if !is_whole || changed_at.is_some() {
            let at = if is_whole { changed_at.unwrap_or_default() } else { turn.now.mono };
            live.schedule(slot, at.max(turn.now.mono));
        }
    }

    /// The timer of a live socket: every 5 s.
    pub(crate) fn live_tick(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let heard = self.connections[slot].heard.millis();
        let Some(socket) = self.live.sockets.get_mut(&slot) else { return };
        socket.rounds = socket.rounds.wrapping_add(1);
        let is_slow = socket.blocked_at.is_some_and(|at| turn.now.mono.since(at) >= limits::LIVE_BLOCKED_MS);
        let is_over = socket.grant.until_ms <= turn.now.wall.0;
        let (is_blocked, rounds) = (socket.blocked_at.is_some(), socket.rounds);
        if is_slow {
            return self.end(turn, slot, End::LiveSlow);
        }
        if turn.now.mono.since(heard) >= limits::LIVE_SILENCE_MS && self.clock.grace_until <= turn.now.mono {
            return self.end(turn, slot, End::LiveSilent);
        }
        if is_over {
            let last = LiveReport::Revoked { code: End::LiveRevoked.number() };
            return self.end_live(turn, slot, End::LiveRevoked, Some(last));
        }
        if !is_blocked {
            self.say_live(turn, slot, LiveReport::Tick { server_ms: turn.now.wall.0 });
            // Browsers answer it by themselves: a page that is gone does not.
            if rounds.is_multiple_of(limits::LIVE_PING_ROUNDS) {
                turn.fx.send(slot, |out| frame_header(out, FrameKind::Ping, 0));
            }
        }
        self.give_up_gathering(turn, slot);
        self.set_deadline(turn.now, slot, limits::LIVE_TICK_MS);
    }
}

//! Connections end.

use super::{NO_DEVICE, Phase, Wire, gate};
use crate::{Effect, End, Shard, Slot, Turn, limits};

impl Shard {
    /// End a connection: release what it holds and close it. Idempotent; the slot is free at `Input::Closed`.
    pub(crate) fn end(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        let Some(connection) = self.connections.get(slot) else { return };
        if connection.phase == Phase::Closing {
            return;
        }
        let was_blocked = connection.gate & gate::BLOCKED != 0;
        let position = connection.device;
        let was_live = connection.is_live();
        let connection_phase = connection.phase;
        let peer = connection.peer;
        let online_ms = was_live.then(|| turn.now.mono.since(connection.begun.millis()));
        if connection_phase == Phase::Serving {
            self.leave_ask(slot);
        }
        if connection_phase == Phase::Watching {
            self.leave_watching(turn, slot);
        }
        let device = (position != NO_DEVICE).then(|| self.devices[position].id);
        self.write_diary(turn.now, slot, end);
        self.tell_attempt(turn.now, slot, end);
        if was_live {
            self.leave_live(turn, slot, end);
        }
        if !was_blocked && end.is_ours() {
            self.mqtt_goodbye(turn, slot, end);
            self.websocket_goodbye(turn, slot);
        }
        self.tls_goodbye(turn, slot, end.is_ours() && !was_blocked);
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.wire = Wire::default();
            c.phase = Phase::Closing;
            c.device = NO_DEVICE;
        });
        self.connections.closing += 1;
        // What was sent last may still wait in the driver for a peer that does not read.
        self.connections.wheel.set(slot, turn.now.mono.after(limits::CLOSING_MS));
        self.counters.ended(end);
        turn.fx.push(Effect::Ended { slot, device, end, peer, online_ms });
        // A graceful close would wait for a peer that does not read.
        if was_blocked {
            self.abort_closing(turn, slot);
        } else {
            turn.fx.push(Effect::Close { slot });
        }
    }

    /// A logged-in connection is one no more, whether it is closed at once or after it has read why.
    pub(crate) fn leave_live(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        let is_mqtt = self.is_mqtt(slot);
        self.counters.online -= 1;
        self.counters.online_mqtt -= u64::from(is_mqtt);
        self.store_presence(turn, self.connections[slot].device, Some(end));
        self.leave_device(turn.now, slot, end);
        if is_mqtt {
            self.bequeath(turn, slot, end);
        }
    }

    /// The peer has closed or reset the connection.
    pub(crate) fn peer_gone(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        self.forget_armed(slot);
        match self.connections.get(slot).map(|c| c.phase) {
            // It has read its refusal.
            Some(Phase::Refused { end: refusal, .. }) => self.end(turn, slot, refusal),
            // The move answers; home will see the end of the stream.
            Some(Phase::Leaving { .. }) | None => {}
            // It may still read its answer.
            Some(Phase::Serving) if end == End::PeerClosed && self.has_ask(slot) => {
                self.ask_step(turn, slot, |ask, now, out| ask.stream_ended(now.mono, out));
            }
            Some(Phase::Serving) if end == End::PeerClosed && self.awaits_request(slot) => {
                self.end(turn, slot, End::HttpDone);
            }
            Some(Phase::Watching) if end == End::PeerClosed => self.end(turn, slot, End::LiveClosed),
            Some(_) => self.end(turn, slot, end),
        }
    }

    /// The driver has closed it, or moved it away: its slot is free.
    pub(crate) fn closed(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        let ip = connection.peer.ip();
        self.forget_asks(slot);
        let phase = self.connections[slot].phase;
        if matches!(phase, Phase::Leaving { .. }) {
            self.counters.moved_out += 1;
        }
        self.connections.closing -= usize::from(phase == Phase::Closing);
        self.connections.addresses.leave(&ip);
        self.connections.wheel.clear(slot);
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.wire = Wire::default();
        });
        self.hold_back(slot, 0);
        self.connections.ledger.forget(slot);
        self.forget_record(slot);
        self.connections.release(slot);
    }
}

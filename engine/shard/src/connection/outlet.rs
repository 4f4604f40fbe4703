//! What leaves for a device, and when: at once, merged with the rest of the tick, or after something it waits for.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::codec;
use linchpin_protocol::model::Pin;
use linchpin_protocol::ws;

use crate::connection::{Phase, gate};
use crate::{ConnRef, End, Shard, Slot, Turn, limits};

impl Shard {
    /// Answer a frame of the device.
    pub(crate) fn answer(&mut self, turn: &mut Turn<'_>, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) {
        self.outgoing(turn, slot, None, gate::BLOCKED | gate::PACED, write);
    }

    /// Answer with a status.
    pub(crate) fn respond(&mut self, turn: &mut Turn<'_>, slot: Slot, id: u16, status: Status) {
        self.answer(turn, slot, |out| codec::response(out, id, status));
    }

    /// Send what the device did not ask for. A newer frame with the same `pin` replaces an older one that still waits.
    pub(crate) fn push(&mut self, turn: &mut Turn<'_>, slot: Slot, pin: Option<Pin>, write: impl FnOnce(&mut Vec<u8>)) {
        self.outgoing(turn, slot, pin, gate::BLOCKED | gate::PACED | gate::QUIET, write);
    }

    /// One whole frame; it waits if the connection's gate has one of the bits in `waits_for`.
    fn outgoing(
        &mut self,
        turn: &mut Turn<'_>,
        slot: Slot,
        pin: Option<Pin>,
        waits_for: u8,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        if connection.gate & waits_for == 0 {
            return self.emit(turn, slot, write);
        }
        let cap = self.settings.outbound_bytes as usize;
        let pushed = self.connections.hold(slot, |c| c.extra_mut().outbound.push(pin, cap, write));
        if pushed.is_err() {
            return self.end(turn, slot, End::OutboundFull);
        }
        self.release_outbound(turn, slot);
        self.set_live_timer(slot);
    }

    /// Send what no longer has to wait.
    pub(crate) fn release_outbound(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        if connection.gate & gate::QUIET != 0 && connection.deadline.millis() <= turn.now.mono {
            self.connections[slot].gate &= !gate::QUIET;
        }
        let connection = &self.connections[slot];
        let bits = connection.gate;
        if bits & gate::BLOCKED != 0 || connection.extra.as_ref().is_none_or(|extra| extra.outbound.is_empty()) {
            return;
        }
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        self.connections.hold(slot, |c| {
            let Some(extra) = c.extra.as_deref_mut() else { return };
            if bits & gate::PACED != 0 {
                if extra.next_paced <= turn.now.mono && turn.fx.pending_bytes(slot) == 0 {
                    // Answers and pushes are in one queue. The client takes nothing but an answer before INFO was answered,
                    // and that answer may still wait for its turn behind what was pushed meanwhile.
                    let popped = extra.outbound.pop_answer_into(&mut frames)
                        || bits & gate::QUIET == 0 && extra.outbound.pop_into(&mut frames);
                    if popped {
                        extra.next_paced = turn.now.mono.after(limits::PACED_SEND_MS);
                    }
                }
            } else if bits & gate::QUIET == 0 {
                extra.outbound.drain_into(&mut frames);
            }
            if extra.outbound.is_empty() && extra.bridges.is_empty() && bits & gate::PACED == 0 {
                c.extra = None;
            }
        });
        if !frames.is_empty() {
            self.emit(turn, slot, |out| out.extend_from_slice(&frames));
        }
        self.scratch = frames;
    }

    /// Send whole frames now, wrapped as the connection needs; also shown to taps.
    pub(crate) fn emit(&mut self, turn: &mut Turn<'_>, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) {
        let connection = &self.connections[slot];
        let is_wrapped = connection.wire.framing.is_websocket();
        if !is_wrapped && !self.shows_frames() {
            turn.fx.send(slot, write);
            return;
        }
        let mut frames = Vec::new();
        write(&mut frames);
        self.show_sent(turn, slot, &frames);
        turn.fx.send(slot, |out| {
            if is_wrapped {
                ws::frame_header(out, ws::FrameKind::Binary, frames.len());
            }
            out.extend_from_slice(&frames);
        });
    }

    /// INFO was answered: pushes may follow.
    pub(crate) fn info_answered(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        self.connections[slot].gate &= !gate::QUIET;
        self.release_outbound(turn, slot);
        self.set_live_timer(slot);
    }

    pub(crate) fn blocked(&mut self, turn: &mut Turn<'_>, slot: Slot, bytes: usize) {
        if self.connections.get(slot).is_some() {
            self.connections[slot].gate |= gate::BLOCKED;
            self.hold_back(slot, bytes);
        }
        if self.has_ask(slot) {
            self.ask_step(turn, slot, |ask, now, out| ask.blocked(now.mono, out));
        }
        self.live_blocked(turn, slot);
    }

    pub(crate) fn drained(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        if self.connections.get(slot).is_some() {
            self.connections[slot].gate &= !gate::BLOCKED;
            self.hold_back(slot, 0);
            self.release_outbound(turn, slot);
            self.set_live_timer(slot);
        }
        if self.has_ask(slot) {
            self.ask_step(turn, slot, |ask, now, out| ask.drained(now.mono, out));
        }
        self.live_drained(turn, slot);
    }

    /// An answer that another shard decided.
    pub(crate) fn late_answer(&mut self, turn: &mut Turn<'_>, asker: ConnRef, id: u16, status: Status) {
        if self.is_current(asker) {
            self.respond(turn, asker.slot, id, status);
        } else if asker.shard != self.id {
            turn.fx
                .push(crate::Effect::Letter { to: asker.shard, letter: crate::Letter::Answer { asker, id, status } });
        }
    }
}

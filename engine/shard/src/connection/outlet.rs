//! What leaves for a device, and when: at once, merged with the rest of the tick, or after something it waits for.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::codec;
use linchpin_protocol::model::{Now, Pin};
use linchpin_protocol::ws;

use crate::connection::{Phase, gate};
use crate::{ConnRef, Effects, End, Shard, Slot, limits};

impl Shard {
    /// Answer a frame of the device.
    pub(crate) fn answer(&mut self, now: Now, slot: Slot, fx: &mut Effects, write: impl FnOnce(&mut Vec<u8>)) {
        self.outgoing(now, slot, None, gate::BLOCKED | gate::PACED, fx, write);
    }

    /// Answer with a status.
    pub(crate) fn respond(&mut self, now: Now, slot: Slot, id: u16, status: Status, fx: &mut Effects) {
        self.answer(now, slot, fx, |out| codec::response(out, id, status));
    }

    /// Send what the device did not ask for. A newer frame with the same `pin` replaces an older one that still waits.
    pub(crate) fn push(
        &mut self,
        now: Now,
        slot: Slot,
        pin: Option<Pin>,
        fx: &mut Effects,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        self.outgoing(now, slot, pin, gate::BLOCKED | gate::PACED | gate::QUIET, fx, write);
    }

    /// One whole frame; it waits if the connection's gate has one of the bits in `waits_for`.
    fn outgoing(
        &mut self,
        now: Now,
        slot: Slot,
        pin: Option<Pin>,
        waits_for: u8,
        fx: &mut Effects,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        if connection.gate & waits_for == 0 {
            return self.emit(slot, fx, write);
        }
        let cap = self.settings.outbound_bytes as usize;
        let pushed = self.connections.hold(slot, |c| c.extra_mut().outbound.push(pin, cap, write));
        if pushed.is_err() {
            return self.end(now, slot, End::OutboundFull, fx);
        }
        self.release_outbound(now, slot, fx);
        self.set_live_timer(slot);
    }

    /// Send what no longer has to wait.
    pub(crate) fn release_outbound(&mut self, now: Now, slot: Slot, fx: &mut Effects) {
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        if connection.gate & gate::QUIET != 0 && connection.deadline.millis() <= now.mono {
            self.connections[slot].gate &= !gate::QUIET;
        }
        let bits = self.connections[slot].gate;
        if bits & gate::BLOCKED != 0 {
            return;
        }
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        self.connections.hold(slot, |c| {
            let Some(extra) = c.extra.as_deref_mut().filter(|e| !e.outbound.is_empty()) else { return };
            if bits & gate::PACED != 0 {
                // Answers are in the same queue, so QUIET does not hold it: the answer to INFO must come out.
                if extra.next_paced <= now.mono && fx.pending_bytes(slot) == 0 {
                    extra.outbound.pop_into(&mut frames);
                    extra.next_paced = now.mono.after(limits::PACED_SEND_MS);
                }
            } else if bits & gate::QUIET == 0 {
                extra.outbound.drain_into(&mut frames);
            }
            if extra.outbound.is_empty() && extra.bridges.is_empty() && bits & gate::PACED == 0 {
                c.extra = None;
            }
        });
        if !frames.is_empty() {
            self.emit(slot, fx, |out| out.extend_from_slice(&frames));
        }
        self.scratch = frames;
    }

    /// Send whole frames now, in whatever the connection wraps them, and show them to who watches the device.
    pub(crate) fn emit(&mut self, slot: Slot, fx: &mut Effects, write: impl FnOnce(&mut Vec<u8>)) {
        let connection = &self.connections[slot];
        let is_wrapped = connection.gate & gate::WEBSOCKET != 0;
        if !is_wrapped && self.watches.is_empty() {
            fx.send(slot, write);
            return;
        }
        let mut frames = Vec::new();
        write(&mut frames);
        self.show_sent(slot, &frames, fx);
        fx.send(slot, |out| {
            if is_wrapped {
                ws::frame_header(out, ws::Kind::Binary, frames.len());
            }
            out.extend_from_slice(&frames);
        });
    }

    /// INFO was answered: pushes may follow.
    pub(crate) fn info_answered(&mut self, now: Now, slot: Slot, fx: &mut Effects) {
        self.connections[slot].gate &= !gate::QUIET;
        self.release_outbound(now, slot, fx);
        self.set_live_timer(slot);
    }

    pub(crate) fn blocked(&mut self, slot: Slot) {
        if self.connections.get(slot).is_some() {
            self.connections[slot].gate |= gate::BLOCKED;
        }
    }

    pub(crate) fn drained(&mut self, now: Now, slot: Slot, fx: &mut Effects) {
        if self.connections.get(slot).is_some() {
            self.connections[slot].gate &= !gate::BLOCKED;
            self.release_outbound(now, slot, fx);
            self.set_live_timer(slot);
        }
    }

    /// An answer that another shard decided.
    pub(crate) fn late_answer(&mut self, now: Now, asker: ConnRef, id: u16, status: Status, fx: &mut Effects) {
        if self.is_current(asker) {
            self.respond(now, asker.slot, id, status, fx);
        } else if asker.shard != self.id {
            fx.push(crate::Effect::Letter { to: asker.shard, letter: crate::Letter::Answer { asker, id, status } });
        }
    }
}

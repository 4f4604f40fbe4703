//! Connections come from another process, or back from one that ended.

use linchpin_protocol::model::{Millis, Now};
use linchpin_tls::{Claim, Input, Opened, RecordLayer};

use super::depart::ahead;
use super::freight::{Cover, Footing, Freight};
use crate::blynk::bridge::Bridge;
use crate::connection::{Announced, Extra, Phase, Ticks, Wire, gate};
use crate::device::SlotNiche;
use crate::tls::Tls;
use crate::{Effect, Effects, End, Receive, Shard, Slot, Turn, limits};

impl Shard {
    /// Could this shard go on with a freight?
    ///
    /// # Errors
    /// Why not: the connection is to be closed with it.
    pub fn would_take(&self, freight: &Freight) -> Result<(), End> {
        if let (Cover::Due { .. } | Cover::Away(_), None) = (&freight.tls, &self.tls) {
            return Err(End::TlsNotServed);
        }
        match freight.footing {
            Footing::Live(device) if self.devices.find(device).is_none() => Err(End::DeviceRemoved),
            _ => Ok(()),
        }
    }

    /// Go on with a connection: one that came from another process into a new `slot`, or one of this shard that did not
    /// leave after all. `claim` says why nobody else does. What the driver had armed before is armed by the driver again;
    /// for a new slot an effect arms it.
    pub fn take_freight(&mut self, now: Now, slot: Slot, freight: Freight, claim: Claim, fx: &mut Effects) {
        let turn = &mut Turn { now, fx };
        // Devices could not be heard meanwhile.
        self.clock.grace_until = self.clock.grace_until.max(Millis(now.mono.0 + limits::STALL_GRACE_MS));
        self.clock.wall_offset_s = now.wall.seconds().saturating_sub(now.mono.0 / 1_000);
        let is_new = self.connections.get(slot).is_none();
        if is_new {
            self.connections.open(slot, freight.peer, now.mono);
            // It was let in before: counted, not judged.
            self.connections.addresses.enter(&freight.peer.ip(), u32::MAX);
        }
        let (footing, firmware) = (freight.footing, freight.firmware.clone());
        // Before its memory is charged: to whom and as what depends on these.
        self.connections[slot].phase = match footing {
            Footing::Live(_) => Phase::Live,
            Footing::Opening => Phase::Opening,
            Footing::Serving => Phase::Serving,
        };
        if let Footing::Live(device) = footing {
            let Some(position) = self.devices.find(device) else {
                self.connections[slot].phase = Phase::Opening;
                return self.end(turn, slot, End::DeviceRemoved);
            };
            self.connections[slot].device = position;
        }
        let was_heard = self.unload(turn, slot, freight, claim);
        if let (Footing::Live(_), true) = (footing, is_new) {
            let position = self.connections[slot].device;
            self.settle_device(turn, slot, position, &firmware);
        }
        if !was_heard {
            return self.end(turn, slot, End::TlsRecord);
        }
        if is_new {
            let receive = if matches!(footing, Footing::Live(_)) { Receive::Stay } else { Receive::Once };
            turn.fx.push(Effect::Arm { slot, receive });
        }
        if self.connections[slot].is_live() {
            self.release_outbound(turn, slot);
            self.set_live_timer(slot);
        } else {
            let at = self.connections[slot].deadline.millis();
            self.connections.wheel.set(slot, at);
        }
    }

    /// Layers, queues and times into the table. False: what had come of a TLS record cannot have come.
    fn unload(&mut self, turn: &mut Turn<'_>, slot: Slot, freight: Freight, claim: Claim) -> bool {
        let mut was_heard = true;
        let tls = match freight.tls {
            Cover::Off => Tls::Off,
            Cover::Due { mutual } => Tls::Due { mutual },
            Cover::Away(away) => {
                let (mut session, mut part) = away.wake(claim);
                if let Some(shared) = self.tls.as_mut().filter(|_| !part.is_empty()) {
                    let mut input = Input::new(&mut part);
                    let opened = session.open(&mut shared.desk, &mut input, &mut shared.out);
                    was_heard = opened == Ok(Opened::Drained);
                }
                Tls::On(session)
            }
        };
        let now = turn.now.mono;
        let ago = |ms: u32| Ticks::at(Millis(now.0.saturating_sub(u64::from(ms))));
        let mut extra = Extra::default();
        extra.outbound.refill(freight.waiting);
        extra.bridges = freight.bridges.into_iter().map(|(pin, target)| Bridge::standing(pin, target)).collect();
        extra.next_paced = now.after(u64::from(freight.times.paced_ms));
        let said = Announced { heartbeat_s: freight.heartbeat_s, buff_in: freight.buff_in };
        let has_extra = !extra.outbound.is_empty() || !extra.bridges.is_empty() || freight.gate & gate::PACED != 0;
        self.connections.hold(slot, |c| {
            c.wire = Wire { tls, framing: freight.framing, speech: freight.speech };
            c.wire.speech.announce(|announced| *announced = said);
            c.carry = (!freight.carry.is_empty()).then(|| Box::new(freight.carry));
            c.extra = has_extra.then(|| Box::new(extra));
        });
        let connection = &mut self.connections[slot];
        connection.heard = ago(freight.times.heard_ms);
        connection.begun = ago(freight.times.begun_ms);
        connection.deadline = ahead(turn.now, freight.times.left_ms);
        connection.frames = freight.frames;
        // The driver that holds what is unsent says `Drained` when it has left.
        let was_blocked = !freight.unsent.is_empty();
        connection.gate = freight.gate & !gate::BLOCKED | if was_blocked { gate::BLOCKED } else { 0 };
        was_heard
    }

    /// The device of a connection that came from another process.
    fn settle_device(&mut self, turn: &mut Turn<'_>, slot: Slot, position: u32, firmware: &[u8]) {
        if let Some(old) = self.devices[position].connection() {
            self.end(turn, old, End::TakenOver);
        }
        let blob = (!firmware.is_empty()).then(|| self.catalog.firmware.intern(firmware)).flatten();
        let record = &mut self.devices[position];
        record.slot = Some(SlotNiche::new(slot));
        record.seen_s = turn.now.wall.seconds() as u32;
        if let Some(old) = std::mem::replace(&mut record.firmware, blob) {
            self.catalog.firmware.release(old);
        }
        self.counters.online += 1;
        self.counters.online_mqtt += u64::from(self.connections[slot].wire.speech.is_mqtt());
    }
}

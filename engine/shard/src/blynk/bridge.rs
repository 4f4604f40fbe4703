//! BRIDGE: one device writes to another.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::{HEADER_BYTES, codec, fits};
use linchpin_protocol::limits::BRIDGES;
use linchpin_protocol::model::{DeviceId, Now, Pin, Token, ValueRef};

use crate::{ConnRef, Effect, Effects, Letter, Purpose, Shard, Slot, home_of, limits};

/// What a bridge pin of a connection stands for.
#[derive(Debug)]
pub(crate) struct Bridge {
    pin: u8,
    /// `None` while its token is being looked up.
    target: Option<DeviceId>,
    /// Writes that came meanwhile.
    held: Vec<BridgeWrite>,
}

/// A write over a bridge.
#[derive(Debug)]
struct BridgeWrite {
    id: u16,
    pin: Pin,
    value: Box<[u8]>,
}

impl Bridge {
    /// Memory behind the structure.
    pub(crate) fn heap_bytes(&self) -> usize {
        let values: usize = self.held.iter().map(|write| write.value.len()).sum();
        self.held.capacity() * size_of::<BridgeWrite>() + values
    }
}

impl Shard {
    /// `BRIDGE pin i token`: from now on `bridge_pin` stands for the token's device.
    pub(crate) fn bridge_init(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        token: &Token,
        fx: &mut Effects,
    ) {
        let opening = self.connections.hold(slot, |c| {
            let bridges = &mut c.extra_mut().bridges;
            let known = bridges.iter().position(|bridge| bridge.pin == bridge_pin);
            if known.is_none() && bridges.len() >= BRIDGES {
                return false;
            }
            let bridge = Bridge { pin: bridge_pin, target: None, held: Vec::new() };
            match known {
                Some(at) => bridges[at] = bridge,
                None => bridges.push(bridge),
            }
            true
        });
        if opening {
            self.resolve(now, slot, token, Purpose::Bridge { id, bridge_pin }, fx);
        } else {
            self.respond(now, slot, id, Status::NotAllowed, fx);
        }
    }

    /// The token was looked up: answer, and pass on the writes that came meanwhile.
    pub(crate) fn bridge_opened(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        target: Result<DeviceId, Status>,
        fx: &mut Effects,
    ) {
        let held = self.connections.hold(slot, |c| {
            let bridges = &mut c.extra_mut().bridges;
            let at = bridges.iter().position(|bridge| bridge.pin == bridge_pin && bridge.target.is_none())?;
            bridges[at].target = target.ok();
            Some(if target.is_ok() { std::mem::take(&mut bridges[at].held) } else { bridges.swap_remove(at).held })
        });
        self.respond(now, slot, id, target.err().unwrap_or(Status::Ok), fx);
        for held in held.into_iter().flatten() {
            match target {
                Ok(target) => self.bridge_to(now, slot, target, &held, fx),
                Err(status) => self.respond(now, slot, held.id, status, fx),
            }
        }
    }

    /// `BRIDGE pin vw …`: answered only when it is refused.
    #[allow(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(crate) fn bridge_send(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        pin: Pin,
        value: ValueRef<'_>,
        fx: &mut Effects,
    ) {
        let bridges = self.connections[slot].extra.as_ref().map_or(&[][..], |e| &e.bridges);
        let Some(bridge) = bridges.iter().find(|bridge| bridge.pin == bridge_pin) else {
            return self.respond(now, slot, id, Status::NotAllowed, fx);
        };
        let write = BridgeWrite { id, pin, value: value.as_bytes().into() };
        match bridge.target {
            Some(target) => self.bridge_to(now, slot, target, &write, fx),
            // Clients write without waiting for the answer to the init, which may come from another shard.
            None if bridge.held.len() < limits::BRIDGE_WRITES_HELD => self.connections.hold(slot, |c| {
                let bridges = &mut c.extra_mut().bridges;
                if let Some(bridge) = bridges.iter_mut().find(|bridge| bridge.pin == bridge_pin) {
                    bridge.held.push(write);
                }
            }),
            None => self.respond(now, slot, id, Status::QuotaLimit, fx),
        }
    }

    fn bridge_to(&mut self, now: Now, slot: Slot, target: DeviceId, write: &BridgeWrite, fx: &mut Effects) {
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let home = home_of(target, self.shards);
        if home == self.id {
            return self.bridge_write(now, target, asker, write.id, write.pin, &write.value, fx);
        }
        let &BridgeWrite { id, pin, ref value } = write;
        let letter = Letter::Bridge { device: target, asker, id, pin, value: value.clone() };
        fx.push(Effect::Letter { to: home, letter });
    }

    /// At the target's home: as if the target had written it, and told to it.
    #[allow(clippy::too_many_arguments, reason = "the fields of one letter")]
    pub(crate) fn bridge_write(
        &mut self,
        now: Now,
        target: DeviceId,
        asker: ConnRef,
        id: u16,
        pin: Pin,
        value: &[u8],
        fx: &mut Effects,
    ) {
        let Some(position) = self.devices.find(target) else {
            return self.late_answer(now, asker, id, Status::NotAllowed, fx);
        };
        let Some(slot) = self.devices[position].connection() else {
            return self.late_answer(now, asker, id, Status::DeviceNotInNetwork, fx);
        };
        if let Err(fault) = self.store_value(position, pin, ValueRef(value), now.wall, fx) {
            let status = fault.status().unwrap_or(Status::IllegalCommandBody);
            return self.late_answer(now, asker, id, status, fx);
        }
        let push_id = self.next_push_id();
        if self.fits_device(slot, |out| codec::bridge(out, push_id, pin, value)) {
            self.push(now, slot, Some(pin), fx, |out| codec::bridge(out, push_id, pin, value));
        } else {
            self.late_answer(now, asker, id, Status::IllegalCommandBody, fx);
        }
    }

    /// Would the device's receive buffer take this frame?
    pub(crate) fn fits_device(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.scratch.clear();
        write(&mut self.scratch);
        let fits = fits(self.scratch.len() - HEADER_BYTES, usize::from(self.connections[slot].buff_in));
        self.counters.unsendable += u64::from(!fits);
        fits
    }

    /// Message ids of what the server itself sends: never 0.
    pub(crate) fn next_push_id(&mut self) -> u16 {
        self.push_id = self.push_id.checked_add(1).unwrap_or(1);
        self.push_id
    }
}

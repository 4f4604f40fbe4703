//! BRIDGE: one device writes to another.

use linchpin_protocol::Status;
use linchpin_protocol::blynk::{HEADER_BYTES, codec, fits};
use linchpin_protocol::limits::BRIDGES;
use linchpin_protocol::model::{DeviceId, Now, Pin, Token, ValueRef};

use crate::{ConnRef, Effect, Effects, Letter, Purpose, Shard, Slot, home_of};

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
        self.resolve(now, slot, token, Purpose::Bridge { id, bridge_pin }, fx);
    }

    /// The token was looked up.
    pub(crate) fn bridge_opened(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        bridge_pin: u8,
        target: Option<DeviceId>,
        fx: &mut Effects,
    ) {
        let Some(target) = target else { return self.respond(now, slot, id, Status::NotAllowed, fx) };
        let opened = self.connections.hold(slot, |c| {
            let bridges = &mut c.extra_mut().bridges;
            if let Some(entry) = bridges.iter_mut().find(|b| b.0 == bridge_pin) {
                entry.1 = target;
                return true;
            }
            let room = bridges.len() < BRIDGES;
            if room {
                bridges.push((bridge_pin, target));
            }
            room
        });
        self.respond(now, slot, id, if opened { Status::Ok } else { Status::NotAllowed }, fx);
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
        let Some(&(_, target)) = bridges.iter().find(|b| b.0 == bridge_pin) else {
            return self.respond(now, slot, id, Status::NotAllowed, fx);
        };
        let asker = ConnRef { shard: self.id, slot, serial: self.connections[slot].serial };
        let home = home_of(target, self.shards);
        if home == self.id {
            return self.bridge_write(now, target, asker, id, pin, value.as_bytes(), fx);
        }
        let value = value.as_bytes().into();
        fx.push(Effect::Letter { to: home, letter: Letter::Bridge { device: target, asker, id, pin, value } });
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
        if let Err(fault) = self.store_value(position, pin, ValueRef(value), now.wall) {
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

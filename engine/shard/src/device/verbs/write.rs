//! Writing pins.

use std::borrow::Cow;

use linchpin_protocol::Fault;
use linchpin_protocol::blynk::{HEADER_BYTES, codec, fits};
use linchpin_protocol::limits::{MAX_VALUE_BYTES, STAMP_RANGE_MS};
use linchpin_protocol::model::{Pin, UnixMillis, ValueRef};

use super::{Delivery, LatestChange, Origin, Refused};
use crate::{Intake, Shard, Slot, Turn};

/// A write that the template allows. The value may have been cropped.
struct Admitted<'a> {
    pin: Pin,
    value: Cow<'a, [u8]>,
}

impl Shard {
    /// Set a pin. `at`: the time of the value; the newest time wins.
    #[inline(always)]
    pub(crate) fn write(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        (pin, value, at): (Pin, ValueRef<'_>, UnixMillis),
        origin: Origin,
    ) -> Result<Delivery, Refused> {
        let admitted = self.check_template(position, pin, value)?;
        if origin != Origin::Device {
            self.check_delivery(position, &admitted, origin)?;
        }
        self.set_latest(turn, position, &admitted, at, origin)?;
        self.store_point(turn, position, pin, at, &admitted.value);
        if origin == Origin::Device { Ok(Delivery::Sent) } else { Ok(self.deliver(turn, position, &admitted, origin)) }
    }

    /// Set several pins, now: all of them or none.
    pub(crate) fn write_all(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        writes: &[(Pin, Box<[u8]>)],
        origin: Origin,
    ) -> Result<(), Refused> {
        let mut admitted = Vec::with_capacity(writes.len());
        for (pin, value) in writes {
            let write = self.check_template(position, *pin, ValueRef(value))?;
            if origin != Origin::Device {
                self.check_delivery(position, &write, origin)?;
            }
            admitted.push(write);
        }
        let at = turn.now.wall;
        for write in &admitted {
            self.set_latest(turn, position, write, at, origin)?;
            self.store_point(turn, position, write.pin, at, &write.value);
            if origin != Origin::Device {
                let _ = self.deliver(turn, position, write, origin);
            }
        }
        Ok(())
    }

    /// Points of one pin, Unix ms and raw value each: all of them or none.
    pub(crate) fn batch(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        pin: Pin,
        points: &[(u64, Box<[u8]>)],
        origin: Origin,
    ) -> Result<(), Refused> {
        if self.store.intake == Intake::Nothing {
            return Err(Refused::StoreFailed);
        }
        let mut admitted = Vec::with_capacity(points.len());
        for (at, value) in points {
            let at = UnixMillis(*at);
            if at.distance(turn.now.wall) > STAMP_RANGE_MS {
                return Err(Refused::Time(at.0));
            }
            admitted.push((at, self.check_template(position, pin, ValueRef(value))?));
        }
        if let Some((at, newest)) = admitted.iter().max_by_key(|(at, _)| at.0) {
            self.set_latest(turn, position, newest, *at, origin)?;
        }
        for (at, point) in &admitted {
            self.store_point(turn, position, pin, *at, &point.value);
        }
        Ok(())
    }

    /// Forget the latest value of a pin: no older one comes back.
    pub(crate) fn erase(&mut self, turn: &mut Turn<'_>, position: u32, pin: Pin) -> Result<(), Refused> {
        if self.template_of(position).is_some_and(|template| template.datastream(pin).is_none()) {
            return Err(Fault::NoDatastream { pin }.into());
        }
        if self.store.intake == Intake::Nothing {
            return Err(Refused::StoreFailed);
        }
        if let Some(at) = self.devices[position].values.erase(pin, turn.now.wall) {
            self.store_erased(turn, position, pin, at);
            self.tell_erased(turn, position, pin);
        }
        Ok(())
    }

    /// The one check of a value against the template, which may crop it.
    #[inline(always)]
    fn check_template<'a>(&self, position: u32, pin: Pin, value: ValueRef<'a>) -> Result<Admitted<'a>, Fault> {
        let value = match self.template_of(position) {
            Some(template) => template.admit(pin, value)?,
            None => Cow::Borrowed(value.as_bytes()),
        };
        Ok(Admitted { pin, value })
    }

    /// May a write of others be acknowledged, and will the device take it?
    fn check_delivery(&mut self, position: u32, write: &Admitted<'_>, origin: Origin) -> Result<(), Refused> {
        if matches!(origin, Origin::Http | Origin::Person) && self.store.intake == Intake::Nothing {
            return Err(Refused::StoreFailed);
        }
        match self.devices[position].connection() {
            // What an MQTT client cannot hold is left out when it is sent.
            Some(slot) if self.is_mqtt(slot) => Ok(()),
            Some(slot) => self.check_buffer(slot, Some(write.pin), |out| put_frame(out, 1, write, origin)),
            None if origin == Origin::Bridge => Err(Refused::Offline),
            None => Ok(()),
        }
    }

    /// Send a write of others to the device, if it is connected.
    fn deliver(&mut self, turn: &mut Turn<'_>, position: u32, write: &Admitted<'_>, origin: Origin) -> Delivery {
        let Some(slot) = self.devices[position].connection() else { return Delivery::Waits };
        if self.is_mqtt(slot) {
            return self.publish_write(turn, slot, write.pin, &write.value);
        }
        let id = self.next_push_id();
        self.push(turn, slot, Some(write.pin), |out| put_frame(out, id, write, origin));
        Delivery::Sent
    }

    /// Make a value the latest of its pin, unless a newer one is known: as the store does at a restart.
    #[inline(always)]
    fn set_latest(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        write: &Admitted<'_>,
        at: UnixMillis,
        origin: Origin,
    ) -> Result<(), Fault> {
        let Admitted { pin, value } = write;
        let (pin, value) = (*pin, &**value);
        match self.devices[position].values.put(pin, value, at) {
            Ok(true) => self.latest_changed(turn, LatestChange { position, pin, value, origin }),
            Ok(false) => self.outrank(turn, position, write, at, origin),
            Err(_) => return Err(Fault::ValueTooLong { len_bytes: value.len(), limit_bytes: MAX_VALUE_BYTES }),
        }
        Ok(())
    }

    /// A newer value is known. If it is further ahead than any client may say, the clock was wrong when it was written, and it
    /// gives way: else the pin would stand still for as long as the clock was ahead.
    #[cold]
    fn outrank(&mut self, turn: &mut Turn<'_>, position: u32, write: &Admitted<'_>, at: UnixMillis, origin: Origin) {
        let Admitted { pin, value } = write;
        let values = &mut self.devices[position].values;
        if values.get(*pin).is_some_and(|(_, known)| known.0 > turn.now.wall.0 + STAMP_RANGE_MS) {
            values.remove(*pin);
            if values.put(*pin, value, at) == Ok(true) {
                self.latest_changed(turn, LatestChange { position, pin: *pin, value, origin });
            }
        }
    }

    /// Where live watchers learn of a new latest value, and rules will: the only place that knows of all of them. Without
    /// any it costs one look.
    #[inline]
    fn latest_changed(&mut self, turn: &mut Turn<'_>, change: LatestChange<'_>) {
        debug_assert!(self.devices[change.position].values.get(change.pin).is_some_and(|(v, _)| v == change.value));
        debug_assert!(change.origin != Origin::Bridge || self.devices[change.position].connection().is_some());
        if !self.live.home.is_idle() {
            self.tell_value(turn, change);
        }
    }

    /// Send a frame that changes nothing here. `write` appends it under a message id.
    pub(crate) fn send_frame(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        write: impl Fn(&mut Vec<u8>, u16),
    ) -> Result<(), Refused> {
        let slot = self.devices[position].connection().ok_or(Refused::Offline)?;
        let id = self.next_push_id();
        self.check_buffer(slot, None, |out| write(out, id))?;
        self.push(turn, slot, None, |out| write(out, id));
        Ok(())
    }

    /// Will the device's receive buffer take this frame?
    fn check_buffer(&mut self, slot: Slot, pin: Option<Pin>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        self.scratch.clear();
        write(&mut self.scratch);
        let buff_in = self.connections[slot].wire.speech.announced().buff_in;
        if fits(self.scratch.len() - HEADER_BYTES, usize::from(buff_in)) {
            return Ok(());
        }
        self.counters.unsendable += 1;
        Err(Refused::TooLarge { buff_in, pin })
    }

    /// Message ids of what the server itself sends: never 0.
    pub(crate) fn next_push_id(&mut self) -> u16 {
        self.push_id = self.push_id.checked_add(1).unwrap_or(1);
        self.push_id
    }
}

/// The frame that a device gets of a write of others.
fn put_frame(out: &mut Vec<u8>, id: u16, write: &Admitted<'_>, origin: Origin) {
    match origin {
        Origin::Bridge => codec::bridge(out, id, write.pin, &write.value),
        Origin::Device | Origin::Http | Origin::Operator | Origin::Person => {
            codec::hardware_write(out, id, write.pin, &write.value);
        }
    }
}

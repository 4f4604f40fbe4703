//! What a device does with its own state: values, properties, events, metadata, its firmware's words.

use linchpin_protocol::blynk::{HEADER_BYTES, codec, fits, internal};
use linchpin_protocol::model::{Now, Pin, UnixMillis, ValueRef};
use linchpin_protocol::{ClockQuery, Fault, InfoPairs, PinList, Status, SyncPins};

use crate::{Effects, End, Shard, Slot, limits};

impl Shard {
    /// Check a write against the template, make it the latest value and let the store keep it.
    pub(crate) fn store_value(
        &mut self,
        position: u32,
        pin: Pin,
        value: ValueRef<'_>,
        at: UnixMillis,
        fx: &mut Effects,
    ) -> Result<(), Fault> {
        self.set_latest(position, pin, value, at)?;
        self.keep_point(position, pin, at, value.as_bytes(), fx);
        Ok(())
    }

    /// Check a write against the template and make it the latest value.
    pub(crate) fn set_latest(
        &mut self,
        position: u32,
        pin: Pin,
        value: ValueRef<'_>,
        at: UnixMillis,
    ) -> Result<(), Fault> {
        let device = &mut self.devices[position];
        if let Some(template) = self.templates.get(device.template) {
            template.check(pin, value)?;
        }
        device.values.put(pin, value.as_bytes(), at).map_err(|_| Fault::ValueTooLong {
            len_bytes: value.as_bytes().len(),
            limit_bytes: linchpin_protocol::limits::MAX_VALUE_BYTES,
        })
    }

    /// Send stored values back: all that are meant to be synced, or those asked for. No value, no answer.
    pub(crate) fn sync(&mut self, now: Now, slot: Slot, id: u16, pins: SyncPins<'_>, fx: &mut Effects) {
        if self.parked.is_none() {
            return match pins {
                SyncPins::All => self.answer_sync(now, slot, id, None, fx),
                SyncPins::Listed(list) => self.answer_sync(now, slot, id, Some(&mut list.iter()), fx),
            };
        }
        let pins = match pins {
            SyncPins::All => None,
            SyncPins::Listed(list) => Some(list.iter().collect()),
        };
        if !self.park(slot, id, pins) {
            self.respond(now, slot, id, Self::NOT_KEPT, fx);
        }
    }

    /// Send these values; `None`: all that are meant to be synced.
    pub(crate) fn answer_sync(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        pins: Option<&mut dyn Iterator<Item = Pin>>,
        fx: &mut Effects,
    ) {
        let position = self.connections[slot].device;
        let buff_in = usize::from(self.connections[slot].buff_in);
        let mut frames = std::mem::take(&mut self.scratch);
        frames.clear();
        let device = &self.devices[position];
        let mut put = |pin: Pin, value: &[u8]| {
            let start = frames.len();
            codec::hardware_write(&mut frames, id, pin, value);
            if !fits(frames.len() - start - HEADER_BYTES, buff_in) {
                frames.truncate(start);
                self.counters.unsendable += 1;
            }
        };
        match pins {
            None => {
                let template = self.templates.get(device.template);
                for (pin, value, _) in device.values.iter() {
                    if template.is_none_or(|t| t.datastream(pin).is_some_and(|d| d.sync)) {
                        put(pin, value);
                    }
                }
            }
            Some(pins) => {
                for pin in pins {
                    if let Some((value, _)) = device.values.get(pin) {
                        put(pin, value);
                    }
                }
            }
        }
        self.answer_frames(now, slot, &frames, fx);
        self.scratch = frames;
    }

    /// Answer with several whole frames: each is a frame of its own for a paced session.
    fn answer_frames(&mut self, now: Now, slot: Slot, frames: &[u8], fx: &mut Effects) {
        let mut rest = frames;
        while let [_, _, _, high, low, ..] = *rest {
            let (frame, after) = rest.split_at(HEADER_BYTES + usize::from(u16::from_be_bytes([high, low])));
            self.answer(now, slot, fx, |out| out.extend_from_slice(frame));
            rest = after;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one frame")]
    pub(crate) fn property(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        pins: PinList<'_>,
        name: &str,
        values: ValueRef<'_>,
        fx: &mut Effects,
    ) {
        if !self.takes_changes() {
            return self.respond(now, slot, id, Self::NOT_KEPT, fx);
        }
        let position = self.connections[slot].device;
        let device = &mut self.devices[position];
        let template = self.templates.get(device.template);
        let mut status = Status::Ok;
        for pin in pins.iter() {
            if template.is_some_and(|t| t.datastream(pin).is_none()) {
                status = Fault::NoDatastream { pin }.status().unwrap_or(Status::IllegalCommandBody);
                break;
            }
            if device.rare_mut().attributes.set_property(pin, name, values.as_bytes()).is_err() {
                status = Status::NotAllowed;
                break;
            }
        }
        self.attributes_changed(position);
        self.respond(now, slot, id, status, fx);
    }

    pub(crate) fn event(
        &mut self,
        now: Now,
        slot: Slot,
        id: u16,
        code: &str,
        description: Option<&str>,
        fx: &mut Effects,
    ) {
        use crate::device::attributes::EventRefused;
        let position = self.connections[slot].device;
        let known = self.templates.get(self.devices[position].template).is_none_or(|t| t.has_event(code));
        let status = if !known {
            Status::IllegalCommandBody
        } else if !self.takes_changes() {
            Self::NOT_KEPT
        } else {
            match self.log(now, position, code, description.unwrap_or(""), fx) {
                Ok(()) => Status::Ok,
                Err(EventRefused::TooSoon | EventRefused::DayFull) => Status::QuotaLimit,
            }
        };
        self.respond(now, slot, id, status, fx);
    }

    pub(crate) fn event_clear(&mut self, now: Now, slot: Slot, id: u16, code: &str, all: bool, fx: &mut Effects) {
        if !self.takes_changes() {
            return self.respond(now, slot, id, Self::NOT_KEPT, fx);
        }
        let cleared = self.clear_events(self.connections[slot].device, code, all, fx);
        self.respond(now, slot, id, if cleared { Status::Ok } else { Status::NoData }, fx);
    }

    /// INFO: what the firmware says of itself, in any order.
    pub(crate) fn info(&mut self, now: Now, slot: Slot, id: u16, pairs: InfoPairs<'_>, fx: &mut Effects) {
        let position = self.connections[slot].device;
        let own = self.templates.get(self.devices[position].template).map(|t| t.id);
        // A device without a template may name any.
        if own.is_some() && pairs.template().map_or(true, |named| named.is_some() && named != own) {
            self.respond(now, slot, id, Status::InvalidToken, fx);
            return self.refuse(now, slot, End::TemplateMismatch, fx);
        }
        let connection = &mut self.connections[slot];
        if let Some(heartbeat_s) = pairs.heartbeat_s() {
            connection.heartbeat_s = heartbeat_s.clamp(limits::HEARTBEAT_MIN_S, limits::HEARTBEAT_MAX_S) as u16;
        }
        if let Some(bytes) = pairs.buff_in() {
            connection.buff_in = bytes.min(usize::from(u16::MAX)) as u16;
        }
        let blob = self.blobs.intern(pairs.raw());
        if let Some(old) = std::mem::replace(&mut self.devices[position].firmware, blob) {
            self.blobs.release(old);
        }
        self.respond(now, slot, id, Status::Ok, fx);
        self.info_answered(now, slot, fx);
    }

    pub(crate) fn clock(&mut self, now: Now, slot: Slot, id: u16, query: ClockQuery, fx: &mut Effects) {
        self.answer(now, slot, fx, |out| internal::clock_answer(out, id, query, now.wall));
    }

    pub(crate) fn meta_get(&mut self, now: Now, slot: Slot, id: u16, name: &str, fx: &mut Effects) {
        let device = &self.devices[self.connections[slot].device];
        let value = device.rare.as_ref().and_then(|r| r.attributes.metadata(name));
        match value {
            Some(value) => {
                let value = value.to_owned();
                self.answer(now, slot, fx, |out| internal::meta_answer(out, id, name, &value));
            }
            // "Auth Token" too: the server keeps a keyed digest of it, and the device has it already.
            None => self.respond(now, slot, id, Status::NoData, fx),
        }
    }

    pub(crate) fn meta_set(&mut self, now: Now, slot: Slot, id: u16, name: &str, value: &str, fx: &mut Effects) {
        if !self.takes_changes() {
            return self.respond(now, slot, id, Self::NOT_KEPT, fx);
        }
        let position = self.connections[slot].device;
        let stored = self.devices[position].rare_mut().attributes.set_metadata(name, value).is_ok();
        self.attributes_changed(position);
        self.respond(now, slot, id, if stored { Status::Ok } else { Status::NotAllowed }, fx);
    }
}

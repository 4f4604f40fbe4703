//! What a device asks for with a topic, as verbs.

use linchpin_protocol::Fault;
use linchpin_protocol::InfoPairs;
use linchpin_protocol::limits::{
    MAX_EVENT_CODE_BYTES, MAX_EVENT_DESCRIPTION_CHARS, MAX_META_NAME_BYTES, MAX_META_VALUE_BYTES, MAX_VALUE_BYTES,
};
use linchpin_protocol::model::{Pin, ValueRef, is_known_property};
use linchpin_protocol::mqtt::{Owed, Reason, StreamAsk, StreamPath, Uplink, payload};

use super::declined::Declined;
use crate::device::quota::{messages_of_points, messages_of_writes};
use crate::device::verbs::{Origin, Refused};
use crate::{Effect, End, Shard, Slot, Turn};

fn checked(value: &[u8]) -> Result<ValueRef<'_>, Declined> {
    match value.len() {
        0 => Err(Declined::Empty),
        1..=MAX_VALUE_BYTES => Ok(ValueRef(value)),
        len_bytes => Err(Refused::from(Fault::ValueTooLong { len_bytes, limit_bytes: MAX_VALUE_BYTES }).into()),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Declined> {
    std::str::from_utf8(bytes).map_err(|_| Declined::NotText)
}

impl Shard {
    /// Carry out a message. `slot`: the connection to answer; `None`: a will, which asks for no answers.
    pub(super) fn carry_uplink(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        slot: Option<Slot>,
        uplink: Uplink<'_>,
        payload: &[u8],
    ) -> Result<(), Declined> {
        match uplink {
            Uplink::Stream(path) => self.stream(turn, position, path, payload),
            Uplink::Batch => self.batch_of_names(turn, position, payload),
            Uplink::Event { code } => self.event(turn, position, code, payload),
            Uplink::MetaSet { name } => self.meta_by_name(position, name, payload),
            Uplink::Other(topic) => self.mapped(turn, position, topic, payload),
            Uplink::About | Uplink::SyncListed | Uplink::SyncAll | Uplink::MetaGet | Uplink::Clock | Uplink::Place => {
                let Some(slot) = slot else { return Err(Declined::WillTopic) };
                match uplink {
                    Uplink::About => self.about(turn, slot, payload),
                    Uplink::SyncListed => self.sync_names(turn, slot, payload),
                    Uplink::SyncAll => self.sync_mqtt(turn, slot, None),
                    Uplink::MetaGet => self.answer_metadata(turn, slot, payload),
                    Uplink::Clock => self.answer_clock(turn, slot),
                    _ => self.answer_place(turn, slot),
                }
            }
        }
    }

    /// Answer a message that was carried out or not. Who has no other answer hears why in `downlink/diag`.
    pub(crate) fn acknowledge(&mut self, turn: &mut Turn<'_>, slot: Slot, owed: Owed, done: Result<(), Declined>) {
        if !self.is_live(slot) {
            return;
        }
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        let mut is_heard = done.is_ok();
        if let Some(session) = self.connections[slot].wire.speech.mqtt() {
            match done {
                Ok(()) => session.acknowledge(owed, Reason::Success, "", &mut out),
                Err(declined) => {
                    session.acknowledge(owed, declined.reason(), &declined.to_string(), &mut out);
                    is_heard = owed != Owed::Nothing && session.hears_reasons();
                }
            }
        }
        if !out.is_empty() {
            self.answer(turn, slot, |frames| frames.extend_from_slice(&out));
        }
        self.scratch = out;
        if let (Err(declined), false) = (done, is_heard) {
            self.diag(turn, slot, declined);
        }
    }

    /// `ds/...`.
    fn stream(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        path: StreamPath<'_>,
        payload: &[u8],
    ) -> Result<(), Declined> {
        let (templates, number) = (&self.catalog.templates, self.devices[position].template);
        let (pin, ask) = path.resolve(|name| templates.pin_of(number, name)).ok_or(Declined::Name)?;
        match ask {
            StreamAsk::Write => {
                let write = (pin, checked(payload)?, turn.now.wall);
                let _ = self.write(turn, position, write, Origin::Device)?;
            }
            // What would be erased is not known yet.
            StreamAsk::Erase if self.store.parked.is_some() => return Err(Declined::Busy),
            StreamAsk::Erase => self.erase(turn, position, pin)?,
            StreamAsk::Batch => {
                let points = payload::timestamped(payload)?;
                self.devices[position].messages.owe(messages_of_points(points.len()).saturating_sub(1));
                self.batch(turn, position, pin, &points, Origin::Device)?;
            }
            StreamAsk::Property { name } => {
                let value = checked(payload)?;
                if !is_known_property(name) {
                    return Err(Declined::Property);
                }
                let set = std::iter::once((name, value.as_bytes()));
                self.set_properties(position, std::iter::once(pin), &set)?;
            }
            StreamAsk::EraseProperty { name } => self.erase_property(position, pin, name)?,
        }
        Ok(())
    }

    /// `batch_ds`: all of them or none, with one time.
    fn batch_of_names(&mut self, turn: &mut Turn<'_>, position: u32, payload: &[u8]) -> Result<(), Declined> {
        let number = self.devices[position].template;
        let mut writes: Vec<(Pin, Box<[u8]>)> = Vec::new();
        for (name, value) in payload::batch(payload)? {
            let pin = self.catalog.templates.pin_of(number, &name).ok_or(Declined::Name)?;
            writes.push((pin, value.into()));
        }
        self.devices[position].messages.owe(messages_of_writes(writes.len()).saturating_sub(1));
        Ok(self.write_all(turn, position, &writes, Origin::Device)?)
    }

    fn event(&mut self, turn: &mut Turn<'_>, position: u32, code: &str, payload: &[u8]) -> Result<(), Declined> {
        let description = text(payload)?;
        if code.len() > MAX_EVENT_CODE_BYTES || description.chars().count() > MAX_EVENT_DESCRIPTION_CHARS {
            return Err(Declined::EventTooLong);
        }
        Ok(self.log_event(turn, position, code, description)?)
    }

    fn meta_by_name(&mut self, position: u32, name: &str, payload: &[u8]) -> Result<(), Declined> {
        let value = text(payload)?;
        if name.len() > MAX_META_NAME_BYTES || value.len() > MAX_META_VALUE_BYTES {
            return Err(Declined::MetaTooLong);
        }
        Ok(self.set_metadata(position, name, value, Origin::Device)?)
    }

    /// A topic of the firmware's own, which the template maps to datastreams.
    fn mapped(&mut self, turn: &mut Turn<'_>, position: u32, topic: &str, payload: &[u8]) -> Result<(), Declined> {
        let mut found: Vec<(Pin, Box<[u8]>)> = Vec::new();
        let mut is_known = false;
        for mapping in self.template_of(position).map_or(&[][..], |template| &template.topics) {
            if *mapping.topic == *topic {
                is_known = true;
                found.extend(payload::pointed(payload, &mapping.pointer).map(|value| (mapping.pin, value.into())));
            }
        }
        match (is_known, found.is_empty()) {
            (false, _) => Err(Declined::Topic),
            (true, true) => Err(Declined::Pointer),
            (true, false) => {
                self.devices[position].messages.owe(messages_of_writes(found.len()).saturating_sub(1));
                Ok(self.write_all(turn, position, &found, Origin::Device)?)
            }
        }
    }

    /// `info/mcu`: what the firmware says of itself, and how much it can hold.
    fn about(&mut self, turn: &mut Turn<'_>, slot: Slot, payload: &[u8]) -> Result<(), Declined> {
        let raw = payload::about(payload)?;
        let pairs = InfoPairs::new(&raw);
        if let Err(refused) = self.introduce(self.connections[slot].device, pairs) {
            self.diag(turn, slot, refused.into());
            self.end(turn, slot, End::TemplateMismatch);
            return Ok(());
        }
        if self.store.shows_logins {
            turn.fx.push(Effect::Introduced { slot });
        }
        if let (Some(bytes), Some(session)) = (pairs.buff_in(), self.mqtt(slot)) {
            session.limit_packets(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
        Ok(())
    }
}

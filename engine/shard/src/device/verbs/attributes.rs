//! Properties, events, and what the firmware says of itself.

use linchpin_protocol::model::{Pin, Template};
use linchpin_protocol::{Fault, InfoPairs};

use super::Refused;
use crate::device::attributes::EventRefused;
use crate::{Shard, Turn};

impl Shard {
    /// The template of a device, if it has one.
    pub(crate) fn template_of(&self, position: u32) -> Option<&Template> {
        self.catalog.templates.get(self.devices[position].template)
    }

    /// Set each of `set` (name, raw value) for each of `pins`.
    pub(crate) fn set_properties<'a>(
        &mut self,
        position: u32,
        pins: impl Iterator<Item = Pin> + Clone,
        set: &(impl Iterator<Item = (&'a str, &'a [u8])> + Clone),
    ) -> Result<(), Refused> {
        let template = self.template_of(position);
        if let Some(pin) = pins.clone().find(|pin| template.is_some_and(|t| t.datastream(*pin).is_none())) {
            return Err(Fault::NoDatastream { pin }.into());
        }
        self.takes_changes()?;
        let attributes = &mut self.devices[position].rare_mut().attributes;
        let mut done = Ok(());
        for pin in pins {
            for (name, value) in set.clone() {
                done = done.and(attributes.set_property(pin, name, value));
            }
        }
        self.attributes_changed(position);
        done.map_err(|_| Refused::PropertiesFull)
    }

    /// Forget a property of a pin, if it has it.
    pub(crate) fn erase_property(&mut self, position: u32, pin: Pin, name: &str) -> Result<(), Refused> {
        self.takes_changes()?;
        let Some(rare) = self.devices[position].rare.as_mut() else { return Ok(()) };
        if rare.attributes.remove_property(pin, name) {
            self.attributes_changed(position);
        }
        Ok(())
    }

    /// Log an event; the description may be empty.
    pub(crate) fn log_event(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        code: &str,
        description: &str,
    ) -> Result<(), Refused> {
        let template = self.template_of(position);
        if template.is_some_and(|template| !template.has_event(code)) {
            return Err(Refused::NoSuchEvent);
        }
        let limit = template.and_then(|template| template.event_limit(code));
        self.takes_changes()?;
        self.store_event(turn, position, (code, description), limit).map_err(|refused| match refused {
            EventRefused::TooSoon => Refused::EventTooSoon,
            EventRefused::DayFull => Refused::EventsUsedUp,
            EventRefused::CodeFull(limit) => Refused::EventCodeUsedUp(limit),
        })
    }

    /// Resolve the latest open event with this code, or all of them.
    pub(crate) fn clear_event(
        &mut self,
        turn: &mut Turn<'_>,
        position: u32,
        code: &str,
        all: bool,
    ) -> Result<(), Refused> {
        self.takes_changes()?;
        if self.store_cleared(turn, position, code, all) { Ok(()) } else { Err(Refused::NothingThere) }
    }

    /// What the firmware says of itself. A device without a template may name any.
    pub(crate) fn introduce(&mut self, position: u32, pairs: InfoPairs<'_>) -> Result<(), Refused> {
        let own = self.template_of(position).map(|template| template.id);
        if own.is_some() && pairs.template().map_or(true, |named| named.is_some() && named != own) {
            return Err(Refused::OtherTemplate);
        }
        self.operator.changed.note(position);
        let blob = self.catalog.firmware.intern(pairs.raw());
        if let Some(old) = std::mem::replace(&mut self.devices[position].firmware, blob) {
            self.catalog.firmware.release(old);
        }
        Ok(())
    }
}

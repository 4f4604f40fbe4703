//! What a request names by an id becomes what the device's template says: pins of datastreams, names of fields.

use linchpin_protocol::http::{Dialect, FieldRef, PinRef, Reply};
use linchpin_protocol::model::{Pin, PinKind};

use crate::Shard;
use crate::device::verbs::Refused;

/// A pin and what goes with it.
type PinValue = (Pin, Box<[u8]>);

impl Shard {
    /// The pin that is meant.
    pub(super) fn pin_meant(&self, position: u32, named: PinRef) -> Result<Pin, Refused> {
        match named {
            PinRef::Pin(pin) => Ok(pin),
            PinRef::Stream(id) => {
                let template = self.template_of(position);
                let stream = template.and_then(|template| template.datastream_by_id(id));
                stream.map(|stream| stream.pin).ok_or(Refused::NoSuchStream(id))
            }
        }
    }

    /// The pins that are meant, with what goes with them.
    pub(super) fn pins_meant<'a>(
        &self,
        position: u32,
        named: impl IntoIterator<Item = &'a (PinRef, Box<[u8]>)>,
    ) -> Result<Vec<PinValue>, Refused> {
        named.into_iter().map(|(pin, value)| Ok((self.pin_meant(position, *pin)?, value.clone()))).collect()
    }

    /// The field that is meant.
    pub(super) fn field_meant<'a>(&'a self, position: u32, named: &'a FieldRef) -> Result<&'a str, Refused> {
        match named {
            FieldRef::Name(name) => Ok(name),
            FieldRef::Id(id) => {
                let template = self.template_of(position);
                let field = template.and_then(|template| template.field_by_id(*id));
                field.map(|field| &*field.name).ok_or(Refused::NothingThere)
            }
        }
    }

    /// All pins that a device may have history of: those with a value, and those of its template.
    pub(super) fn pins_with_history(&self, position: u32) -> Vec<Pin> {
        let streams = self.template_of(position).map_or(&[][..], |template| &template.datastreams);
        let written = self.devices[position].values.iter().map(|(pin, ..)| pin);
        let mut pins: Vec<_> = written.chain(streams.iter().map(|stream| stream.pin)).collect();
        pins.sort_unstable();
        pins.dedup();
        pins
    }

    /// `provision`: does the device have this template?
    pub(super) fn provision(&self, position: u32, named: Option<&str>) -> Reply {
        let own = self.template_of(position).map(|template| template.id);
        match (named, own) {
            (Some(named), Some(own)) if own.as_str() != named => {
                let text = format!("The device has the template {}, not {named}.", own.as_str());
                Reply::error(Dialect::Current, 400, &text)
            }
            _ => Reply::empty(),
        }
    }
}

/// What the legacy server calls the kind of a pin.
pub(super) const fn kind_name(kind: PinKind) -> &'static str {
    match kind {
        PinKind::Virtual => "VIRTUAL",
        PinKind::Digital => "DIGITAL",
        PinKind::Analog => "ANALOG",
    }
}

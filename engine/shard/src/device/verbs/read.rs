//! Reading latest values. Where nothing was written the template's default counts.

use linchpin_protocol::model::{Datastream, Pin};

use crate::Shard;

impl Shard {
    /// The latest value of a pin, or its default.
    pub(crate) fn read(&self, position: u32, pin: Pin) -> Option<&[u8]> {
        let written = self.devices[position].values.get(pin).map(|(value, _)| value);
        written.or_else(|| self.template_of(position)?.datastream(pin)?.default.as_deref().map(str::as_bytes))
    }

    /// All latest values in the order of their pins, and then defaults.
    pub(crate) fn read_all(&self, position: u32) -> impl Iterator<Item = (Pin, &[u8])> {
        let values = self.devices[position].values.iter().map(|(pin, value, _)| (pin, value));
        values.chain(
            self.unwritten(position).filter_map(|stream| Some((stream.pin, stream.default.as_ref()?.as_bytes()))),
        )
    }

    /// What a device gets when it asks to sync everything.
    pub(crate) fn read_synced(&self, position: u32) -> impl Iterator<Item = (Pin, &[u8])> {
        let template = self.template_of(position);
        self.read_all(position)
            .filter(move |(pin, _)| template.is_none_or(|t| t.datastream(*pin).is_some_and(|d| d.sync)))
    }

    /// Datastreams with a default to which nothing was written.
    fn unwritten(&self, position: u32) -> impl Iterator<Item = &Datastream> {
        let streams = self.template_of(position).map_or(&[][..], |template| &template.datastreams);
        let values = &self.devices[position].values;
        streams.iter().filter(|stream| stream.default.is_some() && values.get(stream.pin).is_none())
    }
}

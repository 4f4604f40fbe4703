//! Reading latest values.

use linchpin_protocol::model::Pin;

use crate::Shard;

impl Shard {
    /// The latest value of a pin.
    pub(crate) fn read(&self, position: u32, pin: Pin) -> Option<&[u8]> {
        self.devices[position].values.get(pin).map(|(value, _)| value)
    }

    /// All latest values, in the order of their pins.
    pub(crate) fn read_all(&self, position: u32) -> impl Iterator<Item = (Pin, &[u8])> {
        self.devices[position].values.iter().map(|(pin, value, _)| (pin, value))
    }

    /// The latest values that a device gets when it asks to sync everything.
    pub(crate) fn read_synced(&self, position: u32) -> impl Iterator<Item = (Pin, &[u8])> {
        let template = self.template_of(position);
        self.read_all(position)
            .filter(move |(pin, _)| template.is_none_or(|t| t.datastream(*pin).is_some_and(|d| d.sync)))
    }
}

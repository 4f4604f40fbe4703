//! What the world's shards let the store keep. It never fails and never loses anything.

use std::collections::BTreeMap;

use linchpin_protocol::http::History;
use linchpin_protocol::model::{DeviceId, Pin, UnixMillis};
use linchpin_shard::{
    AwaitedAnswer, Change, ConnRef, DeviceChange, DeviceView, Effects, End, EventDay, EventId, FieldAsk, Restored,
};

/// Values of a pin: when, value.
type Written = Vec<(u64, Box<[u8]>)>;
/// Code and description.
type Event = (Box<str>, Box<str>);

/// See the module's page.
#[derive(Debug, Default)]
pub struct Store {
    /// Every value that was written, in the order of the writes: when, value.
    pub points: BTreeMap<(DeviceId, u16), Written>,
    /// Properties and metadata as last given.
    pub attributes: BTreeMap<DeviceId, Change>,
    /// Events that stand: device, time and number; code and description.
    pub events: BTreeMap<(DeviceId, u64, u32), Event>,
    /// Who came (`None`) and went.
    pub presence: Vec<(DeviceId, Option<End>)>,
    /// Answers that wait for what was stored before them.
    pub awaited: Vec<AwaitedAnswer>,
    /// Leave them there: the disk is slow.
    pub is_slow: bool,
    /// Questions about history, unanswered.
    pub asked: Vec<(ConnRef, DeviceId, History, Box<[Pin]>)>,
    /// Questions for fields that only the store knows, unanswered.
    pub fields: Vec<FieldAsk>,
}

impl Store {
    pub(super) fn take_points(&mut self, fx: &Effects) {
        for (_, device, pin, at, value) in fx.points.iter() {
            self.points.entry((device, pin.to_u16())).or_default().push((at.0, value.into()));
        }
    }

    pub(super) fn take(&mut self, kept: DeviceChange) {
        let DeviceChange { device, change, .. } = kept;
        match change {
            Change::Attributes { .. } => drop(self.attributes.insert(device, change)),
            Change::Event { id, code, description } => {
                let before = self.events.insert((device, id.at.0, id.number), (code, description));
                assert!(before.is_none(), "two events of device {device} have one id");
            }
            Change::EventCleared { id, .. } => {
                let event = self.events.remove(&(device, id.at.0, id.number));
                assert!(event.is_some(), "an event is cleared that was never logged");
            }
            Change::Presence { end, .. } => self.presence.push((device, end)),
        }
    }

    /// What a device gets back after a restart.
    #[must_use]
    pub fn restored(&self, device: DeviceId) -> Restored {
        let mut restored = Restored::default();
        for ((_, pin), points) in self.points.range((device, 0)..=(device, u16::MAX)) {
            // The last of the newest: what the store itself keeps.
            let newest = points.iter().max_by_key(|point| point.0).expect("no pin without a point");
            let pin = Pin::from_u16(*pin).expect("a pin");
            restored.values.push((pin, newest.1.clone(), UnixMillis(newest.0)));
        }
        if let Some(Change::Attributes { properties, metadata }) = self.attributes.get(&device) {
            (restored.properties, restored.metadata) = (properties.clone(), metadata.clone());
        }
        let of_device = self.events.range((device, 0, 0)..=(device, u64::MAX, u32::MAX));
        for ((_, at, number), (code, description)) in of_device {
            let id = EventId { at: UnixMillis(*at), number: *number };
            restored.events.push((id, code.clone(), description.clone()));
            restored.day.get_or_insert_with(|| EventDay::new(id.at)).count(code);
        }
        restored
    }

    /// Does the store have what the device's home shows?
    ///
    /// # Panics
    /// It does not.
    pub fn assert_keeps(&self, view: &DeviceView) {
        for (pin, value, at) in &view.values {
            let points = self.points.get(&(view.row.id, pin.to_u16()));
            let has = points.is_some_and(|points| points.iter().any(|point| point == &(*at, value.clone())));
            assert!(has, "device {} shows a value of {pin} that was not kept", view.row.id);
        }
    }
}

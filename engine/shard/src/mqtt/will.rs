//! Wills: what a device wants to have written when its connection is lost.

use std::collections::{BTreeMap, BTreeSet};

use linchpin_protocol::model::Millis;
use linchpin_protocol::mqtt::{Uplink, WillMessage};

use super::declined::Declined;
use crate::{End, Shard, Slot, Turn, limits};

/// Wills that wait for their delay: one a device, bounded in bytes.
#[derive(Debug, Default)]
pub(crate) struct Wills {
    by_device: BTreeMap<u32, (Millis, WillMessage)>,
    by_time: BTreeSet<(Millis, u32)>,
    bytes: usize,
}

/// What a will costs.
fn cost(will: &WillMessage) -> usize {
    size_of::<(Millis, WillMessage)>() + will.topic.len() + will.payload.len()
}

impl Wills {
    /// When the first is due.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.by_time.first().map(|first| first.0)
    }

    /// Bytes of all that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Let one wait; given back when there is no room.
    fn put(&mut self, at: Millis, position: u32, will: WillMessage) -> Result<(), WillMessage> {
        self.take(position);
        if self.bytes + cost(&will) > limits::WILLS_BYTES {
            return Err(will);
        }
        self.bytes += cost(&will);
        self.by_time.insert((at, position));
        self.by_device.insert(position, (at, will));
        Ok(())
    }

    fn take(&mut self, position: u32) -> Option<WillMessage> {
        let (at, will) = self.by_device.remove(&position)?;
        self.by_time.remove(&(at, position));
        self.bytes -= cost(&will);
        Some(will)
    }

    fn pop_due(&mut self, now: Millis) -> Option<(u32, WillMessage)> {
        let (at, position) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.take(position).map(|will| (position, will))
    }
}

impl Shard {
    /// Does the will go somewhere? If not the device hears of it; the login is good all the same.
    pub(super) fn check_will(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let position = self.connections[slot].device;
        let Some(topic) = self.mqtt(slot).and_then(|session| session.will_topic()).map(str::to_owned) else { return };
        let is_mapped = |topic: &str| {
            let topics = self.template_of(position).map_or(&[][..], |template| &template.topics);
            topics.iter().any(|mapping| *mapping.topic == *topic)
        };
        let is_known = match Uplink::parse(&topic) {
            Uplink::Stream(_) | Uplink::Batch | Uplink::Event { .. } | Uplink::MetaSet { .. } => true,
            Uplink::Other(topic) => is_mapped(topic),
            _ => false,
        };
        if !is_known {
            self.diag(turn, slot, Declined::WillTopic);
        }
    }

    /// The connection of a device ends: its will is written now, or after its delay. Who is sent elsewhere or removed has
    /// not lost its connection.
    pub(crate) fn bequeath(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        let position = self.connections[slot].device;
        let will = self.connections.hold(slot, |c| c.wire.speech.mqtt().and_then(|session| session.take_will()));
        let Some(will) = will else { return };
        if matches!(end, End::Drained | End::Redirected | End::DeviceRemoved) {
            return;
        }
        let delay_ms = u64::from(will.delay_s.min(limits::WILL_DELAY_S)) * 1_000;
        if delay_ms == 0 {
            return self.carry_will(turn, position, &will);
        }
        // Without room it is written too early rather than never.
        if let Err(will) = self.wills.put(turn.now.mono.after(delay_ms), position, will) {
            self.carry_will(turn, position, &will);
        }
    }

    /// The device is back before its delay: nothing was lost.
    pub(crate) fn revoke_will(&mut self, position: u32) {
        self.wills.take(position);
    }

    /// Write the wills whose delay is over.
    pub(crate) fn expire_wills(&mut self, turn: &mut Turn<'_>) {
        self.write_wills_until(turn, turn.now.mono);
    }

    /// Write all wills that wait: this process ends, and the next one does not know of them.
    pub(crate) fn write_wills(&mut self, turn: &mut Turn<'_>) {
        self.write_wills_until(turn, Millis::NEVER);
    }

    fn write_wills_until(&mut self, turn: &mut Turn<'_>, until: Millis) {
        while let Some((position, will)) = self.wills.pop_due(until) {
            self.carry_will(turn, position, &will);
        }
    }

    fn carry_will(&mut self, turn: &mut Turn<'_>, position: u32, will: &WillMessage) {
        let done = self.carry_uplink(turn, position, None, Uplink::parse(&will.topic), &will.payload);
        self.counters.wills += 1;
        // Nobody is there to hear of it.
        self.counters.declined += u64::from(done.is_err());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn will(bytes: usize) -> WillMessage {
        WillMessage { topic: "ds/A".into(), payload: vec![b'0'; bytes].into(), delay_s: 1 }
    }

    #[test]
    fn wills_come_in_time_one_a_device_and_can_be_revoked() {
        let mut wills = Wills::default();
        for (at, position) in [(30, 1), (10, 2), (20, 3), (15, 1)] {
            wills.put(Millis(at), position, will(1)).expect("room");
        }
        assert_eq!(wills.deadline(), Some(Millis(10)));
        assert!(wills.pop_due(Millis(9)).is_none());
        assert_eq!(wills.pop_due(Millis(20)).map(|it| it.0), Some(2));
        assert!(wills.take(3).is_some());
        assert_eq!(wills.pop_due(Millis(20)).map(|it| it.0), Some(1));
        assert_eq!((wills.deadline(), wills.bytes()), (None, 0));
    }

    #[test]
    fn wills_are_bounded_in_bytes() {
        let mut wills = Wills::default();
        let room = limits::WILLS_BYTES / cost(&will(1_000));
        for position in 0..room as u32 {
            wills.put(Millis(1), position, will(1_000)).expect("room");
        }
        assert!(wills.put(Millis(1), u32::MAX, will(1_000)).is_err());
        assert!(wills.put(Millis(2), 0, will(1_000)).is_ok(), "its own place is free again");
    }
}

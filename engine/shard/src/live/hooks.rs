//! Where devices change: whoever watches them is to be told. Costs nothing while nobody watches.

use linchpin_protocol::model::{DeviceId, Millis, Now, Pin};

use super::letter::{Card, CardRow, Happened, wall_at};
use super::pins::PinSet;
use crate::connection::NO_DEVICE;
use crate::device::verbs::LatestChange;
use crate::{End, EventId, Shard, Slot, TappedFrame, Turn};

impl Shard {
    /// Something is to be told, in this tick.
    fn tell_if(&mut self, is_wanted: bool, now: Now) {
        if is_wanted {
            self.live.wake(now.mono);
        }
    }

    /// The latest value of a pin has changed, and somebody watches here. Apart, so that it costs a write nothing else.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell_value(&mut self, turn: &Turn<'_>, change: LatestChange<'_>) {
        let LatestChange { position, pin, value, .. } = change;
        let device = &self.devices[position];
        let at_ms = device.values.get(pin).map_or(turn.now.wall.0, |(_, at)| at.0);
        let is_wanted = self.live.home.value_changed(device.id, pin, at_ms, value);
        self.tell_if(is_wanted, turn.now);
    }

    /// A pin has no value any more.
    pub(crate) fn tell_erased(&mut self, turn: &Turn<'_>, position: u32, pin: Pin) {
        if !self.live.home.is_idle() {
            let device = self.devices[position].id;
            let is_wanted = self.live.home.value_changed(device, pin, turn.now.wall.0, b"");
            self.tell_if(is_wanted, turn.now);
        }
    }

    /// Properties of a device have changed.
    pub(crate) fn tell_properties(&mut self, position: u32) {
        if !self.live.home.is_idle() && self.live.home.properties_changed(self.devices[position].id) {
            // Whatever the time is.
            self.live.wake(Millis(0));
        }
    }

    /// A device came or went.
    pub(crate) fn tell_presence(&mut self, now: Now, position: u32) {
        let device = &self.devices[position];
        let is_wanted = self.live.home.card_changed(device.id, device.org);
        self.tell_if(is_wanted, now);
    }

    /// A device was added, restored or is about to be removed: all that was told of it is void.
    pub(crate) fn tell_all(&mut self, now: Now, position: u32, is_member_change: bool) {
        let device = &self.devices[position];
        let (id, org) = (device.id, device.org);
        let has: PinSet = if self.live.home.is_watched(id) {
            device.values.iter().map(|(pin, ..)| pin).collect()
        } else {
            PinSet::default()
        };
        let mut is_wanted = self.live.home.retell(id, &has);
        is_wanted |= is_member_change && self.live.home.members_changed(org);
        self.tell_if(is_wanted, now);
    }

    /// An event was logged.
    pub(crate) fn tell_event(&mut self, now: Now, position: u32, id: EventId, code: &str, text: &str) {
        let device = &self.devices[position];
        let (device, org) = (device.id, device.org);
        if self.live.home.wants_events(device, org) {
            let (at_ms, number) = (id.at.0, id.number);
            let happened = Happened::Event { device, org, at_ms, number, code: code.into(), text: text.into() };
            let is_wanted = self.live.home.happened(org, &happened);
            self.tell_if(is_wanted, now);
        }
    }

    /// Are frames shown to anybody at all?
    #[inline]
    pub(crate) fn shows_frames(&self) -> bool {
        !self.operator.taps.is_empty() || self.live.home.shows_frames()
    }

    /// A frame of a connection, without secrets.
    pub(crate) fn tell_frame(&mut self, now: Now, slot: Slot, frame: impl FnOnce() -> TappedFrame) {
        let position = self.connections[slot].device;
        if position == NO_DEVICE || !self.live.home.shows_frames() {
            return;
        }
        let device = &self.devices[position];
        let (device, org) = (device.id, device.org);
        if self.live.home.wants_frames(device) {
            let TappedFrame { is_sent, command, id: message, body, .. } = frame();
            let happened = Happened::Frame { device, at_ms: now.wall.0, is_sent, command, message, body };
            let is_wanted = self.live.home.happened(org, &happened);
            self.tell_if(is_wanted, now);
        }
    }

    /// A connection has ended: was it a login that failed?
    pub(crate) fn tell_attempt(&mut self, now: Now, slot: Slot, end: End) {
        let is_attempt = matches!(
            end,
            End::TokenShape
                | End::TokenUnknown
                | End::TemplateMismatch
                | End::TakeoverTooOften
                | End::AddressThrottled
                | End::TlsRequired
                | End::CertificateRevoked
                | End::MqttLogin
                | End::MqttClientId
                | End::TlsVersion
                | End::TlsHandshake
        );
        if is_attempt {
            let address = self.connections[slot].peer.ip();
            let is_wanted = self.live.home.attempted(address, end.number(), now.wall.0);
            self.tell_if(is_wanted, now);
        }
    }

    /// A device as it is now.
    pub(super) fn card_of(&self, now: Now, position: u32) -> Card {
        let device = &self.devices[position];
        let absent_s = self.absences.since_s(position);
        let since_ms = match device.connection() {
            Some(slot) => wall_at(now, self.connections[slot].begun.millis()).0,
            None => u64::from(absent_s.unwrap_or(device.seen_s)) * 1_000,
        };
        let code = device.last_end.map_or(0, End::number);
        Card { org: device.org, is_online: device.slot.is_some() || absent_s.is_some(), since_ms, code }
    }

    pub(super) fn card_row(&self, now: Now, device: DeviceId, is_fresh: bool) -> CardRow {
        CardRow { device, card: self.devices.find(device).map(|at| self.card_of(now, at)), is_fresh }
    }
}

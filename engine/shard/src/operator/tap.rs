//! Taps: an operator sees the frames of a device as they come and go, without secrets.

use linchpin_protocol::blynk::{Command as Wire, Frame, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{DeviceId, Millis, Now};
use linchpin_protocol::mqtt::{Cut, RawPacket, cut};

use crate::connection::NO_DEVICE;
use crate::{Effect, Report, RequestId, Shard, Slot, TappedFrame, Turn, limits};

/// An operator looks at a device.
#[derive(Debug)]
pub(crate) struct Tap {
    /// The device's position.
    device: u32,
    to: RequestId,
    until: Millis,
}

impl Shard {
    pub(crate) fn start_tap(&mut self, now: Now, to: RequestId, id: DeviceId, seconds: u32) -> Report {
        let Some(device) = self.devices.find(id) else { return Report::NoSuchDevice };
        if self.operator.taps.len() >= limits::TAPS {
            return Report::TooMany { limit: limits::TAPS };
        }
        let until = now.mono.after(u64::from(seconds.clamp(1, limits::TAP_S)) * 1_000);
        self.operator.taps.push(Tap { device, to, until });
        Report::Done
    }

    pub(crate) fn stop_tap(&mut self, to: RequestId) {
        self.operator.taps.retain(|tap| tap.to != to);
    }

    /// When the first tap ends.
    pub(crate) fn tap_deadline(&self) -> Option<Millis> {
        self.operator.taps.iter().map(|tap| tap.until).min()
    }

    /// Taps end by themselves: the operator may be gone.
    pub(crate) fn expire_taps(&mut self, now: Now) {
        self.operator.taps.retain(|tap| tap.until > now.mono);
    }

    /// A frame of the device, if it is tapped.
    pub(crate) fn show_received(&mut self, turn: &mut Turn<'_>, slot: Slot, frame: Frame<'_>) {
        if self.shows_frames() {
            self.show(turn, slot, false, frame);
        }
    }

    /// A packet of the device, if it is tapped.
    pub(crate) fn show_packet_received(&mut self, turn: &mut Turn<'_>, slot: Slot, packet: RawPacket<'_>) {
        if self.shows_frames() {
            self.show_packet(turn, slot, false, packet);
        }
    }

    /// Whole frames or packets for the device, if it is tapped.
    pub(crate) fn show_sent(&mut self, turn: &mut Turn<'_>, slot: Slot, mut frames: &[u8]) {
        if !self.shows_frames() {
            return;
        }
        if self.is_mqtt(slot) {
            while let Ok(Cut::Packet { packet, used }) = cut(frames, usize::MAX) {
                self.show_packet(turn, slot, true, packet);
                frames = &frames[used..];
            }
            return;
        }
        while let Ok(Split::Frame { frame, used }) = split(frames, MAX_BODY_BYTES.max(usize::from(u16::MAX))) {
            self.show(turn, slot, true, frame);
            frames = &frames[used..];
        }
    }

    fn show(&mut self, turn: &mut Turn<'_>, slot: Slot, is_sent: bool, frame: Frame<'_>) {
        let Frame { command, id, status_or_len, .. } = frame;
        let make = || TappedFrame { is_sent, is_mqtt: false, command, id, status_or_len, body: redacted(frame) };
        self.show_to_taps(turn, slot, make);
    }

    fn show_packet(&mut self, turn: &mut Turn<'_>, slot: Slot, is_sent: bool, packet: RawPacket<'_>) {
        let status_or_len = u16::try_from(packet.body.len()).unwrap_or(u16::MAX);
        let make = || TappedFrame {
            is_sent,
            is_mqtt: true,
            command: packet.first,
            id: 0,
            status_or_len,
            body: redacted_packet(packet),
        };
        self.show_to_taps(turn, slot, make);
    }

    fn show_to_taps(&mut self, turn: &mut Turn<'_>, slot: Slot, make: impl Fn() -> TappedFrame) {
        let device = self.connections[slot].device;
        if device == NO_DEVICE {
            return;
        }
        for tap in self.operator.taps.iter().filter(|tap| tap.device == device) {
            turn.fx.push(Effect::Report { to: tap.to, report: Report::Frame(Box::new(make())) });
        }
        self.tell_frame(turn.now, slot, make);
    }
}

/// The body without tokens: those of logins, and what follows `?` in the address of a firmware.
fn redacted_packet(packet: RawPacket<'_>) -> Box<[u8]> {
    const HIDDEN: &[u8] = b"(hidden)";
    const CONNECT: u8 = 0x10;
    let body = &packet.body[..packet.body.len().min(limits::TAPPED_BODY_BYTES)];
    let is_firmware = body.windows(FIRMWARE.len()).any(|window| window == FIRMWARE);
    match body.iter().position(|byte| *byte == b'?').filter(|_| is_firmware) {
        _ if packet.first == CONNECT => HIDDEN.into(),
        Some(query) => [&body[..=query], HIDDEN].concat().into(),
        None => body.into(),
    }
}

/// The topic of firmware.
const FIRMWARE: &[u8] = b"downlink/ota/json";

/// The body without tokens: those of logins and bridges, and what follows `?` in the address of a firmware.
fn redacted(frame: Frame<'_>) -> Box<[u8]> {
    const HIDDEN: &[u8] = b"(hidden)";
    let body = &frame.body[..frame.body.len().min(limits::TAPPED_BODY_BYTES)];
    match Wire::from_number(frame.command) {
        Some(Wire::Login | Wire::LoginOld) => HIDDEN.into(),
        Some(Wire::Bridge) => {
            let mut fields = body.splitn(3, |byte| *byte == 0);
            match (fields.next(), fields.next()) {
                (Some(pin), Some(b"i")) => [pin, b"i", HIDDEN].join(&0).into(),
                _ => body.into(),
            }
        }
        Some(Wire::Internal) if body.starts_with(b"ota\0") => match body.iter().position(|byte| *byte == b'?') {
            Some(query) => [&body[..=query], HIDDEN].concat().into(),
            None => body.into(),
        },
        _ => body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_hidden() {
        let body = |command, body: &'static [u8]| {
            redacted(Frame { command, id: 1, status_or_len: body.len() as u16, body }).into_vec()
        };
        assert_eq!(body(29, b"abcdefghijklmnopqrstuvwxyz012345"), b"(hidden)");
        assert_eq!(body(2, b"abcdefghijklmnopqrstuvwxyz012345"), b"(hidden)");
        assert_eq!(body(15, b"64\0i\0abcdefghijklmnopqrstuvwxyz012345"), b"64\0i\0(hidden)");
        assert_eq!(body(15, b"64\0vw\x001\x002"), b"64\0vw\x001\x002");
        assert_eq!(body(17, b"ota\0http://x/f.bin?token=abc"), b"ota\0http://x/f.bin?(hidden)");
        let packet = |first, body: &'static [u8]| redacted_packet(RawPacket { first, body }).into_vec();
        assert_eq!(packet(0x10, b"\0\x04MQTT"), b"(hidden)");
        let firmware = b"\0\x11downlink/ota/json{\"url\":\"http://x/f?t=abc\"}";
        assert_eq!(packet(0x30, firmware), b"\0\x11downlink/ota/json{\"url\":\"http://x/f?(hidden)");
        assert_eq!(packet(0x30, b"\0\x04ds/A1?"), b"\0\x04ds/A1?");
        assert_eq!(body(20, b"vw\x001\x002"), b"vw\x001\x002");
    }
}

//! Watching a device: its frames are shown to an operator as they come and go, without secrets.

use linchpin_protocol::blynk::{Command as Wire, Frame, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{DeviceId, Millis, Now};

use crate::connection::NO_DEVICE;
use crate::{Effect, Effects, Report, RequestId, Shard, Slot, WatchedFrame, limits};

/// Somebody looks at a device.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The device's position.
    device: u32,
    to: RequestId,
    until: Millis,
}

impl Shard {
    pub(crate) fn start_watch(&mut self, now: Now, to: RequestId, id: DeviceId, seconds: u32) -> Report {
        let Some(device) = self.devices.find(id) else { return Report::NoSuchDevice };
        if self.watches.len() >= limits::WATCHES {
            return Report::TooMany { limit: limits::WATCHES };
        }
        let until = now.mono.after(u64::from(seconds.clamp(1, limits::WATCH_S)) * 1_000);
        self.watches.push(Watch { device, to, until });
        Report::Done
    }

    pub(crate) fn stop_watch(&mut self, to: RequestId) {
        self.watches.retain(|watch| watch.to != to);
    }

    /// When the first watch ends.
    pub(crate) fn watch_deadline(&self) -> Option<Millis> {
        self.watches.iter().map(|watch| watch.until).min()
    }

    /// Watches end by themselves: whoever asked may be gone.
    pub(crate) fn expire_watches(&mut self, now: Now) {
        self.watches.retain(|watch| watch.until > now.mono);
    }

    /// A frame of the device, if somebody looks.
    pub(crate) fn show_received(&self, slot: Slot, frame: Frame<'_>, fx: &mut Effects) {
        if !self.watches.is_empty() {
            self.show(slot, false, frame, fx);
        }
    }

    /// Whole frames for the device, if somebody looks.
    pub(crate) fn show_sent(&self, slot: Slot, mut frames: &[u8], fx: &mut Effects) {
        if self.watches.is_empty() {
            return;
        }
        while let Ok(Split::Frame { frame, used }) = split(frames, MAX_BODY_BYTES.max(usize::from(u16::MAX))) {
            self.show(slot, true, frame, fx);
            frames = &frames[used..];
        }
    }

    fn show(&self, slot: Slot, is_sent: bool, frame: Frame<'_>, fx: &mut Effects) {
        let device = self.connections[slot].device;
        if device == NO_DEVICE {
            return;
        }
        for watch in self.watches.iter().filter(|watch| watch.device == device) {
            let shown = WatchedFrame {
                is_sent,
                command: frame.command,
                id: frame.id,
                status_or_len: frame.status_or_len,
                body: redacted(frame),
            };
            fx.push(Effect::Report { to: watch.to, report: Report::Frame(Box::new(shown)) });
        }
    }
}

/// The body without tokens: those of logins and bridges, and what follows `?` in the address of a firmware.
fn redacted(frame: Frame<'_>) -> Box<[u8]> {
    const HIDDEN: &[u8] = b"(hidden)";
    let body = &frame.body[..frame.body.len().min(limits::WATCHED_BODY_BYTES)];
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
        assert_eq!(body(20, b"vw\x001\x002"), b"vw\x001\x002");
    }
}

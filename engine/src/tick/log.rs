//! What a shard logs of its connections: bounded, so that no peer can fill a disk with lines.

use std::net::SocketAddr;

use linchpin_driver::Event;
use linchpin_protocol::model::{DeviceId, Millis};
use linchpin_shard::{Blame, Effects, End, Shard, ShardId, Slot};

use crate::limits::LOG_LINES_PER_SECOND;
use crate::tick::voice::{HeardWire, Voice};

/// A connection that ended.
pub(crate) struct Gone {
    /// Its device, once it was known.
    pub(crate) device: Option<DeviceId>,
    pub(crate) peer: SocketAddr,
    pub(crate) end: End,
    /// How long it was logged in; `None`: it was not.
    pub(crate) online_ms: Option<u64>,
}

/// One shard's lines.
#[derive(Debug)]
pub(crate) struct ShardLog {
    shard: u16,
    /// The second that is counted.
    second: u64,
    lines: u32,
    /// Lines that were not written since the last one that was.
    untold: u64,
    /// Whoever prints what happens to devices, too; then the log has it at "debug" only.
    voice: Option<Voice>,
}

/// A login that was refused: whoever waits for the device wants to know.
const fn is_refusal(end: End) -> bool {
    matches!(end.number(), 301..=303 | 305..=306 | 308..=311)
}

impl ShardLog {
    pub(crate) const fn new(shard: ShardId, voice: Option<Voice>) -> Self {
        Self { shard: shard.0, second: 0, lines: 0, untold: 0, voice }
    }

    /// What ended, why, and what to do: at "info" when the operator can do something or a login was refused, else at "debug".
    pub(crate) fn ended(&mut self, now: Millis, gone: &Gone) {
        let Gone { device, peer, end, online_ms } = *gone;
        let is_told = self.voice.as_ref().is_some_and(|voice| {
            voice.ended(device, peer.ip(), end, online_ms);
            true
        });
        let device = device.map(DeviceId::get);
        let is_for_operator = matches!(end.blame(), Blame::Operator | Blame::Server) || is_refusal(end);
        if !is_for_operator || is_told {
            tracing::debug!(device, %peer, code = %end, "{} {}", end.what(), end.fix());
        } else if self.may_speak(now) {
            tracing::info!(device, %peer, code = %end, "{} {}", end.what(), end.fix());
        }
    }

    /// A device has logged in: at "debug".
    pub(crate) fn logged_in(&self, shard: &Shard, slot: Slot) {
        let Some(it) = shard.presented(slot) else { return };
        tracing::debug!(device = it.device.get(), peer = %it.peer, wire = %HeardWire::from(&it), "logged in");
        if let Some(voice) = &self.voice {
            voice.logged_in(&it);
        }
    }

    /// The firmware of a device has said what it is.
    pub(crate) fn introduced(&self, shard: &Shard, slot: Slot) {
        if let Some(voice) = &self.voice {
            voice.introduced(shard, slot);
        }
    }

    /// Devices have written.
    pub(crate) fn points(&mut self, fx: &Effects) {
        if let Some(voice) = &mut self.voice {
            voice.points(fx);
        }
    }

    /// Does the listener wait for room, or does it go on?
    pub(crate) fn accepting(&mut self, now: Millis, event: &Event<'_>) {
        match event {
            Event::AcceptPaused { errno, .. } if self.may_speak(now) => tracing::warn!(
                shard = self.shard,
                errno,
                "no descriptor or connection slot is left, new connections wait: see the capacity in `linchpin status`"
            ),
            Event::AcceptResumed { .. } if self.may_speak(now) => {
                tracing::info!(shard = self.shard, "new connections are accepted again");
            }
            _ => {}
        }
    }

    /// Is there a line left in this second?
    fn may_speak(&mut self, now: Millis) -> bool {
        let second = now.0 / 1_000;
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines == LOG_LINES_PER_SECOND {
            self.untold += 1;
            return false;
        }
        self.lines += 1;
        let untold = std::mem::take(&mut self.untold);
        if untold > 0 {
            tracing::info!(
                shard = self.shard,
                "{untold} more lines like these were left out; `linchpin status` counts all ends"
            );
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_ends_is_a_few_lines_a_second() {
        let mut log = ShardLog::new(ShardId(0), None);
        let spoken = |log: &mut ShardLog, ms| (0..1_000).filter(|_| log.may_speak(Millis(ms))).count();
        assert_eq!(spoken(&mut log, 5_000), LOG_LINES_PER_SECOND as usize);
        assert_eq!(log.untold, 1_000 - u64::from(LOG_LINES_PER_SECOND));
        assert_eq!(spoken(&mut log, 5_999), 0);
        assert!(log.may_speak(Millis(6_000)));
        assert_eq!(log.untold, 0, "what was left out has been told");
    }
}

//! What a shard logs of its connections: bounded, so that no peer can fill a disk with lines.

use linchpin_driver::Event;
use linchpin_protocol::model::{DeviceId, Millis};
use linchpin_shard::{Blame, End, ShardId};

use crate::limits::LOG_LINES_PER_SECOND;

/// One shard's lines.
#[derive(Debug)]
pub(crate) struct ShardLog {
    shard: u16,
    /// The second that is counted.
    second: u64,
    lines: u32,
    /// Lines that were not written since the last one that was.
    untold: u64,
}

impl ShardLog {
    pub(crate) const fn new(shard: ShardId) -> Self {
        Self { shard: shard.0, second: 0, lines: 0, untold: 0 }
    }

    /// What ended, why, and what to do: at "info" when the operator can do something, else at "debug".
    pub(crate) fn ended(&mut self, now: Millis, device: Option<DeviceId>, end: End) {
        let device = device.map(DeviceId::get);
        match end.blame() {
            Blame::Operator | Blame::Server => {
                if self.may_speak(now) {
                    tracing::info!(device, code = %end, "{} {}", end.what(), end.fix());
                }
            }
            Blame::Nobody | Blame::Network | Blame::Device => {
                tracing::debug!(device, code = %end, "{} {}", end.what(), end.fix());
            }
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
        let mut log = ShardLog::new(ShardId(0));
        let spoken = |log: &mut ShardLog, ms| (0..1_000).filter(|_| log.may_speak(Millis(ms))).count();
        assert_eq!(spoken(&mut log, 5_000), LOG_LINES_PER_SECOND as usize);
        assert_eq!(log.untold, 1_000 - u64::from(LOG_LINES_PER_SECOND));
        assert_eq!(spoken(&mut log, 5_999), 0);
        assert!(log.may_speak(Millis(6_000)));
        assert_eq!(log.untold, 0, "what was left out has been told");
    }
}

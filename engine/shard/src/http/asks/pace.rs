//! Whom an ask waits for, and for how long: bodies are judged by their progress, not by their whole time.

use linchpin_protocol::model::Millis;

use crate::limits::{ASK_ANSWER_MS, ASK_BYTES_PER_SECOND, ASK_GRACE_MS};

/// Who must do something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// The client must send more of its body.
    Sender,
    /// The control plane must answer, or go on with its answer.
    Control,
    /// The client must read.
    Reader,
}

/// The time that is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    waits: Waits,
    /// When it is too late.
    pub(super) deadline: Millis,
    /// What the client has left of its grace, as sender and as reader, while it is not its turn, ms: turns that change
    /// often buy nothing.
    left_ms: [u64; 2],
}

/// Time that so many bytes may take.
const fn time_of(bytes: usize) -> u64 {
    bytes as u64 * 1_000 / ASK_BYTES_PER_SECOND
}

impl Pace {
    pub(super) const fn new(now: Millis) -> Self {
        Self { waits: Waits::Control, deadline: Millis(now.0 + ASK_ANSWER_MS), left_ms: [ASK_GRACE_MS; 2] }
    }

    /// Whom it waits for.
    pub(super) const fn waits(&self) -> Waits {
        self.waits
    }

    /// The one it waits for did something. A sender earns the time of its bytes, so that at
    /// [`ASK_BYTES_PER_SECOND`] it goes on for ever, and saves no more than [`ASK_GRACE_MS`] of it.
    pub(super) fn moved(&mut self, now: Millis, bytes: usize) {
        self.deadline = match self.waits {
            Waits::Control => Millis(now.0 + ASK_ANSWER_MS),
            Waits::Sender => Millis((self.deadline.0 + time_of(bytes)).min(now.0 + ASK_GRACE_MS)),
            // What the socket has not taken is reported when all of it is gone.
            Waits::Reader => self.deadline,
        };
    }

    /// It may wait for another one now; `owed_bytes`: what a reader has to read, for which it has time besides.
    pub(super) fn turn(&mut self, now: Millis, waits: Waits, owed_bytes: usize) {
        if self.waits == waits {
            return;
        }
        let left_ms = self.deadline.0.saturating_sub(now.0).min(ASK_GRACE_MS);
        match self.waits {
            Waits::Sender => self.left_ms[0] = left_ms,
            Waits::Reader => self.left_ms[1] = left_ms,
            Waits::Control => {}
        }
        self.waits = waits;
        self.deadline = match waits {
            Waits::Control => Millis(now.0 + ASK_ANSWER_MS),
            Waits::Sender => Millis(now.0 + self.left_ms[0]),
            Waits::Reader => Millis(now.0 + self.left_ms[1] + time_of(owed_bytes)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Send `bytes` every second, and let control take each at once: how long until it is too late, s?
    fn lasts(bytes: usize) -> Option<u64> {
        let mut pace = Pace::new(Millis(0));
        (1..3_600).find(|second| {
            let now = Millis(second * 1_000);
            pace.turn(Millis(now.0 - 1_000), Waits::Sender, 0);
            let is_late = pace.deadline < now;
            pace.moved(now, bytes);
            pace.turn(now, Waits::Control, 0);
            is_late
        })
    }

    #[test]
    fn a_sender_is_judged_by_its_rate_and_cannot_save_time() {
        let grace_s = ASK_GRACE_MS / 1_000;
        assert_eq!(lasts(1_024), None, "at the rate it goes on for ever");
        assert_eq!(lasts(1 << 20), None);
        assert!(lasts(1_000).is_some_and(|s| s > 30 * grace_s), "a little too slow");
        assert!(lasts(512).is_some_and(|s| (2 * grace_s - 4..2 * grace_s + 4).contains(&s)), "half the rate");
        assert_eq!(lasts(0), Some(grace_s + 1));
        let mut pace = Pace::new(Millis(0));
        pace.turn(Millis(0), Waits::Sender, 0);
        pace.moved(Millis(1), 100 << 20);
        assert_eq!(pace.deadline, Millis(1 + ASK_GRACE_MS), "a burst buys nothing");
    }

    #[test]
    fn a_reader_has_the_time_of_its_bytes_and_the_rest_of_its_grace() {
        let mut pace = Pace::new(Millis(0));
        pace.turn(Millis(0), Waits::Reader, 64 << 10);
        assert_eq!((pace.waits(), pace.deadline), (Waits::Reader, Millis(ASK_GRACE_MS + 64_000)));
        pace.moved(Millis(300), 1 << 20);
        pace.turn(Millis(75_000), Waits::Control, 0);
        pace.turn(Millis(75_000), Waits::Reader, 1_024);
        assert_eq!(pace.deadline, Millis(75_000 + ASK_GRACE_MS + 64_000 - 75_000 + 1_000));
        let mut fast = Pace::new(Millis(0));
        for at in (0..10_000).step_by(2) {
            fast.turn(Millis(at), Waits::Reader, 1 << 20);
            fast.turn(Millis(at + 1), Waits::Control, 0);
        }
        fast.turn(Millis(10_000), Waits::Reader, 0);
        assert_eq!(fast.deadline, Millis(10_000 + ASK_GRACE_MS), "a fast reader saves nothing");
    }

    #[test]
    fn control_has_its_time_for_each_part() {
        let mut pace = Pace::new(Millis(5));
        assert_eq!(pace.deadline, Millis(5 + ASK_ANSWER_MS));
        pace.turn(Millis(9), Waits::Control, 0);
        assert_eq!(pace.deadline, Millis(5 + ASK_ANSWER_MS), "the same turn goes on");
        pace.moved(Millis(100), 1);
        assert_eq!(pace.deadline, Millis(100 + ASK_ANSWER_MS));
    }
}

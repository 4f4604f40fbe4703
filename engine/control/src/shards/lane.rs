//! Offering something to a bounded lane until there is room.

use std::time::{Duration, Instant};

use linchpin_shard::Command;

/// The way to one shard: bounded, and it wakes the shard if it sleeps.
pub trait CommandLane: Send + Sync {
    /// Queue a command.
    ///
    /// # Errors
    /// [`crate::limits::COMMANDS`] wait already; the command is given back.
    fn push(&self, command: Command) -> Result<(), Box<Command>>;

    /// Queue a command, and wait for room for at most this long. Blocks: for threads that have time.
    ///
    /// # Errors
    /// There was no room; the command is given back.
    fn push_within(&self, command: Command, within: Duration) -> Result<(), Box<Command>> {
        push_within(Box::new(command), within, |command| self.push(*command))
    }
}

/// How long to wait before something is offered again.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);

/// Offer something again and again for at most this long. Blocks.
///
/// # Errors
/// It was never taken; it is given back.
pub fn push_within<T>(item: T, within: Duration, mut offer: impl FnMut(T) -> Result<(), T>) -> Result<(), T> {
    let Err(mut item) = offer(item) else { return Ok(()) };
    let end = Instant::now() + within;
    while Instant::now() < end {
        std::thread::sleep(PAUSE);
        match offer(item) {
            Ok(()) => return Ok(()),
            Err(back) => item = back,
        }
    }
    Err(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_offered_again_until_the_time_is_over() {
        let mut tries = 0;
        let taken = push_within(7, Duration::from_secs(60), |item| {
            tries += 1;
            if tries < 4 { Err(item) } else { Ok(()) }
        });
        assert_eq!((taken, tries), (Ok(()), 4));
        let mut tries = 0;
        let refused = push_within(7, Duration::from_millis(5), |item| {
            tries += 1;
            Err(item)
        });
        assert!(refused == Err(7) && tries >= 2, "{tries}");
        assert_eq!(push_within(7, Duration::ZERO, |_| Ok(())), Ok(()), "a free lane is not waited for");
    }
}

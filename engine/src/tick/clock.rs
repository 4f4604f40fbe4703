//! The clocks that shards are given.

use std::time::{Instant, SystemTime};

use linchpin_protocol::model::{Millis, Now, UnixMillis};

/// Both clocks, from one start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickClock {
    start: Instant,
}

impl TickClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, on both.
    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { mono: Millis(self.start.elapsed().as_millis() as u64), wall: UnixMillis(wall.as_millis() as u64) }
    }
}

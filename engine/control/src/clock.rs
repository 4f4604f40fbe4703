//! The time of day.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, ms since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

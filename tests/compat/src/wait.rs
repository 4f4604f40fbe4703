//! Waiting for what will be.

use std::time::{Duration, Instant};

use crate::limits::POLL;

/// Look until `look` finds something. `what` is named in the panic when it does not within `limit`.
///
/// # Panics
/// When `limit` has passed.
pub fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(POLL);
    }
}

//! Erasures of people that have begun, and whether somebody completes them.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// People who are being erased, and who follows it.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    is_followed: AtomicBool,
    begun: Notify,
}

impl Erasures {
    /// One has begun; `false`: nobody follows it.
    pub(super) fn begin(&self) -> bool {
        self.begun.notify_one();
        self.is_followed.load(Ordering::Relaxed)
    }

    /// From now on somebody completes them.
    pub(crate) fn follow(&self) {
        self.is_followed.store(true, Ordering::Relaxed);
    }

    /// Until another one has begun.
    pub(crate) async fn begun(&self) {
        self.begun.notified().await;
    }
}

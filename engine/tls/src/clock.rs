//! The time of certificates and tickets: given, never asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;

/// What time it is, as the caller said last; all clones agree.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// At `unix_s` seconds since 1970.
    #[must_use]
    pub fn new(unix_s: u64) -> Self {
        Self(Arc::new(AtomicU64::new(unix_s)))
    }

    /// It is `unix_s` now. Once a second is enough.
    pub fn set(&self, unix_s: u64) {
        self.0.store(unix_s, Ordering::Relaxed);
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_s(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.unix_s())))
    }
}

//! After a failed sync the page cache says "clean" for pages that never reached the disk: no retry can be trusted.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Error;

/// Set once, never reset.
#[derive(Debug, Default)]
pub(crate) struct Poison(AtomicBool);

impl Poison {
    /// May the store still acknowledge?
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    /// Pass a result on, and remember a failure for ever.
    pub(crate) fn guard<T>(&self, result: Result<T, rocksdb::Error>) -> Result<T, Error> {
        result.map_err(|error| {
            self.0.store(true, Ordering::Release);
            Error::Write { reason: error.into_string() }
        })
    }

    #[cfg(test)]
    pub(crate) fn strike(&self) {
        self.0.store(true, Ordering::Release);
    }
}

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
    pub(crate) fn guard<T, E: Into<Error>>(&self, result: Result<T, E>) -> Result<T, Error> {
        result.map_err(|error| {
            let error = error.into();
            self.strike(&error);
            error
        })
    }

    pub(crate) fn strike(&self, error: &Error) {
        if !self.0.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the store acknowledges nothing any more");
        }
    }
}

/// Errors of writing; reading maps its own.
impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Self {
        Self::Write { reason: error.into_string() }
    }
}

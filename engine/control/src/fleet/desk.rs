//! The index of devices as the commands use it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::follow::{Follower, NamedTemplate};
use super::{Cursor, Fleet};
use crate::CommandError;
use crate::shards::Shards;

/// See the module's page.
#[derive(Debug)]
pub(crate) struct FleetDesk {
    fleet: Mutex<Fleet>,
    follower: Follower,
    cursor: Cursor,
}

impl FleetDesk {
    /// With what is stored.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub(crate) fn new(fleet: Fleet) -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| std::io::Error::other("the operating system gave no random bytes"))?;
        Ok(Self { fleet: Mutex::new(fleet), follower: Follower::default(), cursor: Cursor::new(&key) })
    }

    /// The index. For as long as a list takes: never held while something is waited for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes and reads cursors.
    pub(crate) const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Bring it up to date. Returns devices without a template whose firmware names one.
    ///
    /// # Errors
    /// A shard does not answer.
    pub(crate) async fn refresh(&self, shards: &Shards) -> Result<Vec<NamedTemplate>, CommandError> {
        self.follower.refresh(shards, &self.fleet).await
    }
}

//! The index of devices as the commands use it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use linchpin_protocol::model::{DeviceId, OrgId};

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
    /// Devices that wait for their board, with their organization and until when.
    waiting: Mutex<HashMap<DeviceId, (OrgId, u64)>>,
}

impl FleetDesk {
    /// With what is stored.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub(crate) fn new(mut fleet: Fleet) -> std::io::Result<Self> {
        let waiting = Mutex::new(fleet.take_waiting());
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| std::io::Error::other("the operating system gave no random bytes"))?;
        Ok(Self { fleet: Mutex::new(fleet), follower: Follower::default(), cursor: Cursor::new(&key), waiting })
    }

    /// The index. For as long as a list takes: never held while something is waited for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device waits for its board.
    pub(crate) fn await_board(&self, device: DeviceId, org: OrgId, until_ms: u64) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(device, (org, until_ms));
    }

    /// It waits no more.
    pub(crate) fn board_is_there(&self, device: DeviceId) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&device);
    }

    /// All that wait.
    pub(crate) fn waiting(&self) -> HashMap<DeviceId, (OrgId, u64)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

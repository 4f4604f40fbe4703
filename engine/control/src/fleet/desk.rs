//! The index of devices as the commands use it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use linchpin_protocol::model::{DeviceId, OrgId, TemplateId};

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
    /// What the firmware of these names, whoever asked the homes.
    named: Mutex<HashMap<DeviceId, TemplateId>>,
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
        Ok(Self {
            fleet: Mutex::new(fleet),
            follower: Follower::default(),
            cursor: Cursor::new(&key),
            waiting,
            named: Mutex::default(),
        })
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

    /// Devices that wait and whose firmware has named a template since this was last asked.
    pub(crate) fn take_named(&self) -> HashMap<DeviceId, TemplateId> {
        std::mem::take(&mut *self.named.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bring it up to date.
    ///
    /// # Errors
    /// A shard does not answer.
    pub(crate) async fn refresh(&self, shards: &Shards) -> Result<(), CommandError> {
        let found: Vec<NamedTemplate> = self.follower.refresh(shards, &self.fleet).await?;
        let waiting = self.waiting();
        let found = found.into_iter().filter(|(device, _)| waiting.contains_key(device));
        self.named.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }
}

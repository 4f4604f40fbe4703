//! Rotation: new keys for every owner, then every record sealed with older ones is sealed again, then those are
//! forgotten. The server goes on meanwhile; a crash at any step leaves everything readable, and the next rotation
//! finishes what was begun.

use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::time::Duration;

use crate::disk::inventory::InventoryPhase;
use crate::schema::{Family, KeyBytes};
use crate::seal::cipher::{self, Fresh, SealedPlace, Sealer};
use crate::seal::unseal::Unseal;
use crate::shared::Inner;
use crate::store::Store;
use crate::write::committer::Replace;
use crate::{Error, limits};

/// What a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Records that were sealed again.
    pub resealed: u64,
    /// Are the older keys forgotten? Otherwise a batch that was begun with them is still held somewhere: rotate again.
    pub retired: bool,
}

/// How often records are looked for that older keys sealed while a sweep ran.
const PASSES: usize = 5;
/// How often, and how long each, a sweep waits for batches begun before the rotation.
const WAITS: usize = 50;
const WAIT: Duration = Duration::from_millis(100);

impl Store {
    /// Give all owners new keys and seal everything again. Takes as long as reading and writing all records.
    ///
    /// # Errors
    /// As [`Store::get`] and [`Store::commit`]; what was done holds, and nothing became unreadable.
    pub fn rotate_keys(&self) -> Result<Rotation, Error> {
        self.inner.rotate_keys()
    }

    /// A new root key. `unseal` is the source in use.
    ///
    /// # Errors
    /// [`Error::Key`]: it is not the source in use. [`Error::Io`].
    pub fn rotate_root(&self, unseal: &Unseal) -> Result<(), Error> {
        self.inner.keyring.rotate_root(unseal)?;
        self.inner.update_inventory(InventoryPhase::Running)
    }

    /// Open the keyring by another source from now on. Retain the old one as long as there are backups from before.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::Io`].
    pub fn rewrap(&self, unseal: &Unseal) -> Result<(), Error> {
        self.inner.keyring.rewrap(unseal)?;
        self.inner.update_inventory(InventoryPhase::Running)
    }
}

impl Inner {
    /// Rotate if the keyring holds so many data keys that some should go. An operator need not know of them.
    pub(crate) fn rotate_when_due(&self) -> Result<(), Error> {
        if self.keyring.wants_rotation() {
            self.settings.steps.reach("rotation due");
            tracing::info!(epochs = self.keyring.status().epochs, "the keyring is filling up: its keys are rotated");
            let rotation = self.rotate_keys()?;
            tracing::info!(resealed = rotation.resealed, retired = rotation.retired, "the keys were rotated");
        }
        Ok(())
    }

    fn rotate_keys(&self) -> Result<Rotation, Error> {
        let _one = self.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, fresh) = self.seals.rotate()?;
        self.settings.steps.reach("rotation registered");
        let mut resealed = 0;
        let mut waits = 0;
        for _ in 0..PASSES {
            while before.strong_count() > 0 && waits < WAITS {
                waits += 1;
                std::thread::sleep(WAIT);
            }
            self.settle()?;
            let found = self.reseal(&fresh)?;
            resealed += found;
            if found == 0 {
                break;
            }
        }
        self.settings.steps.reach("rotation swept");
        let retired = before.strong_count() == 0 && self.reseal(&fresh)? == 0;
        if retired {
            self.keyring.retire_before(fresh.epoch())?;
            self.settings.steps.reach("rotation retired");
        }
        self.update_inventory(InventoryPhase::Running)?;
        Ok(Rotation { resealed, retired })
    }

    /// Seal again what an older epoch sealed; how many records that were.
    fn reseal(&self, fresh: &Fresh) -> Result<u64, Error> {
        let mut count = 0;
        for family in Family::ALL.into_iter().filter(|family| family.is_sealed()) {
            for partition in self.rocks.partitions(family) {
                count += self.reseal_column(fresh, family, partition)?;
            }
        }
        Ok(count)
    }

    fn reseal_column(&self, fresh: &Fresh, family: Family, partition: u32) -> Result<u64, Error> {
        let (mut group, mut group_bytes, mut count) = (Vec::new(), 0, 0);
        let reader = self.reader();
        reader.scan_raw(family, partition, (KeyBytes::EMPTY, None), |key, expected| {
            if self.is_ending() {
                return Err(Error::Closed);
            }
            if cipher::epoch_of(&expected).is_some_and(|epoch| epoch >= fresh.epoch()) {
                return Ok(ControlFlow::Continue(()));
            }
            let mut opened = expected.clone();
            let plain = match reader.open(family, partition, key, &mut opened) {
                Ok(plain) => plain,
                // Its key is destroyed: there is nothing to seal again, compaction removes it.
                Err(Error::Erased { .. }) => return Ok(ControlFlow::Continue(())),
                Err(error) => return Err(error),
            };
            let owner = family.owner(key).unwrap_or_default();
            let place = SealedPlace { family: family as u8, partition, key, owner };
            let mut value = Vec::with_capacity(expected.len());
            cipher::seal(&self.keyring, fresh, Sealer::Sweep, &place, plain, &mut value)?;
            group_bytes += value.len();
            group.push(Replace { family, partition, key: key.into(), expected, value });
            if group.len() >= limits::SWEEP_RECORDS || group_bytes >= limits::BATCH_BYTES {
                (count, group_bytes) = (count + group.len() as u64, 0);
                self.queue.replace(std::mem::take(&mut group))?;
                self.settings.steps.reach("rotation group sealed");
            }
            Ok(ControlFlow::Continue(()))
        })?;
        count += group.len() as u64;
        if !group.is_empty() {
            self.queue.replace(group)?;
        }
        Ok(count)
    }
}

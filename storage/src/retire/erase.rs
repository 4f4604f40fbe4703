//! Erasing. An organization: its key is destroyed first, so that nothing of it can be opened any more wherever a copy
//! lies; then its records are deleted. A device: its records are deleted and compacted away.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use rocksdb::{BottommostLevelCompaction, CompactOptions};

use crate::collect::ask::Ask;
use crate::disk::inventory::InventoryPhase;
use crate::schema::{Device, DeviceKey, Digest, Family, KeyBytes, MailKey, OrgId, RecordKey as _, journal};
use crate::store::Store;
use crate::write::batch::EncodedWrites;
use crate::write::committer::{Class, waiting};
use crate::{Error, limits};

/// Families with records of a device, whose keys begin with organization and device.
const OF_DEVICE: [Family; 12] = [
    Family::Device,
    Family::Latest,
    Family::Property,
    Family::Event,
    Family::Diary,
    Family::Raw,
    Family::Minute,
    Family::Hour,
    Family::Day,
    Family::Share,
    Family::File,
    Family::FilePiece,
];
/// Those of them that hold what the device has reported.
const OF_REPORTS: [Family; 6] = [Family::Latest, Family::Event, Family::Raw, Family::Minute, Family::Hour, Family::Day];
/// Families whose keys begin with the organization besides.
const OF_ORG: [Family; 12] = [
    Family::Org,
    Family::Template,
    Family::User,
    Family::Role,
    Family::Grant,
    Family::Session,
    Family::Client,
    Family::Invite,
    Family::Static,
    Family::TemplateVersion,
    Family::Consent,
    Family::AuditFace,
];

/// Families with what people leave behind.
const OF_PEOPLE: [Family; 8] = [
    Family::User,
    Family::Grant,
    Family::Session,
    Family::Client,
    Family::Invite,
    Family::Consent,
    Family::Share,
    Family::AuditFace,
];

impl Store {
    /// Erase an organization for ever. Backups hold a copy of its key until
    /// [`crate::backup::erase_org`] has gone over them.
    ///
    /// # Errors
    /// As [`Store::commit`]. Once the key is destroyed a repetition finishes the rest.
    pub fn erase_org(&self, org: OrgId) -> Result<(), Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        self.forget(org, None)?;
        self.inner.keyring.erase_org(org.get())?;
        self.inner.settings.steps.reach("erase: key destroyed");
        // What was sealed just before the key went away is in the queue: delete it too.
        self.inner.settle()?;
        self.forget(org, None)?;
        let mut writes = EncodedWrites::default();
        self.inner.reader().scan_index(KeyBytes::EMPTY, |digest, entry| {
            if entry.org == org {
                writes.delete(Family::Index, 0, digest.key().as_ref());
            }
        })?;
        self.inner.reader().scan_raw(Family::Journal, 0, (KeyBytes::EMPTY, None), |key, _| {
            if journal::parse_key(key).is_ok_and(|(_, owner)| owner == org) {
                writes.delete(Family::Journal, 0, key);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.inner.reader().scan_raw(Family::Outbox, 0, (KeyBytes::EMPTY, None), |key, _| {
            if MailKey::parse(key).is_ok_and(|mail| mail.org == org) {
                writes.delete(Family::Outbox, 0, key);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let families: Vec<Family> = OF_DEVICE.into_iter().chain(OF_ORG).collect();
        self.delete_below(KeyBytes::org(org), &families, writes)
    }

    /// Erase a device: its token, its values, its history.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn erase_device(&self, key: DeviceKey) -> Result<(), Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        // Its points share journal records with other devices: when all is stored the journal is empty.
        self.store_all()?;
        self.forget(key.org, Some(key))?;
        let mut writes = EncodedWrites::default();
        if let Some(device) = self.get::<Device>(&key)? {
            let digest: Digest = self.token_digest(&device.token);
            writes.delete(Family::Index, 0, digest.key().as_ref());
        }
        self.delete_below(key.bytes(), &OF_DEVICE, writes)
    }

    /// Erase what a device has reported: values, history, events. The device itself stays.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn erase_history(&self, key: DeviceKey) -> Result<(), Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        self.store_all()?;
        self.forget(key.org, Some(key))?;
        self.delete_below(key.bytes(), &OF_REPORTS, EncodedWrites::default())
    }

    /// Let no table and no log hold what was deleted of the people of an organization. For after the deletions of a person
    /// that is erased.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn scour_people(&self, org: OrgId) -> Result<(), Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        self.compact_below(KeyBytes::org(org), &OF_PEOPLE)
    }

    /// A labelled step of work above the store that must survive being ended half-way.
    pub fn reach(&self, step: &'static str) {
        self.inner.settings.steps.reach(step);
    }

    fn forget(&self, org: OrgId, device: Option<DeviceKey>) -> Result<(), Error> {
        self.inner.ask_and_wait(|done| Ask::Forget(org, device, done))
    }

    /// Delete all records whose keys begin like this, and let no table or log hold them.
    fn delete_below(&self, prefix: KeyBytes, families: &[Family], mut writes: EncodedWrites) -> Result<(), Error> {
        let inner = &self.inner;
        let end = Self::end_of(prefix);
        for family in families {
            for partition in inner.rocks.partitions(*family) {
                writes.delete_range(*family, partition, prefix.as_ref(), end.as_ref());
            }
        }
        let (done, result) = waiting();
        inner.queue.write(Class::A, writes, Some(done))?;
        result.recv().unwrap_or(Err(Error::Closed))?;
        inner.settings.steps.reach("erase: records deleted");
        self.compact_below(prefix, families)
    }

    fn end_of(prefix: KeyBytes) -> KeyBytes {
        prefix.behind().unwrap_or_else(|| KeyBytes::EMPTY.with(&[u8::MAX; limits::KEY_BYTES]))
    }

    fn compact_below(&self, prefix: KeyBytes, families: &[Family]) -> Result<(), Error> {
        let (inner, end) = (&self.inner, Self::end_of(prefix));
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        for family in families.iter().chain(&[Family::Index, Family::Journal, Family::Outbox]) {
            for partition in inner.rocks.partitions(*family) {
                let Some(column) = inner.rocks.column(*family, partition) else { continue };
                inner.rocks.db.flush_cf(&column)?;
                let (from, to) = match family {
                    Family::Index | Family::Journal | Family::Outbox => (None, None),
                    _ => (Some(prefix.as_ref()), Some(end.as_ref())),
                };
                inner.rocks.db.compact_range_cf_opt(&column, from, to, &options);
            }
        }
        // The other families hold back logs with the deleted records in them.
        self.flush()?;
        inner.update_inventory(InventoryPhase::Running)
    }
}

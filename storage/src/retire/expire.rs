//! What is over goes. Reads hide it at once; it is deleted in the way that costs least:
//! - points and roll-ups by dropping partitions of time,
//! - raw points of organizations that retain them for less by one range in each partition that is over for them,
//! - events and the diary, whose keys hold their time, by what compaction leaves out,
//! - audit entries, whose time is sealed, from the front of each organization's chain.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use linchpin_protocol::model::DAY_MS;

use crate::read::reads::Reads;
use crate::schema::{self, AuditEntry, AuditKey, Family, KeyBytes, Org, OrgId, RecordKey as _};
use crate::settings::before;
use crate::shared::Inner;
use crate::store::Store;
use crate::threads::{Ticking, ticking};
use crate::write::batch::EncodedWrites;
use crate::write::committer::{Class, waiting};
use crate::write::files::sweep_files;
use crate::{Error, Problem, limits};

/// Is every moment of the partition over?
fn is_over(family: Family, partition: u32, oldest_ms: u64) -> bool {
    // Partition n ends where n + 1 begins, and numbers begin at 1.
    u64::from(partition) * family.partition_days() * DAY_MS <= oldest_ms
}

/// Start the thread that looks for what is over once an hour, and rotates keys when there are too many.
pub(crate) fn start(inner: Arc<Inner>) -> Result<Ticking, Error> {
    // By the clock that nobody sets, ms.
    let (mut looked, mut failed): (Option<u64>, Option<u64>) = (None, None);
    let is_due = |now: u64, last: Option<u64>, pause_s| last.is_none_or(|last| now.abs_diff(last) >= pause_s * 1_000);
    let poison = inner.poison.clone();
    ticking("store-expire", &poison, limits::INVENTORY_TICK_MS, move || {
        inner.settings.steps.reach("expiry looked at");
        let now = inner.clock.uptime_ms();
        if is_due(now, looked, limits::RETENTION_TICK_S) {
            looked = Some(now);
            if let Err(error) = inner.expire().and_then(|_| sweep_files(&inner)) {
                tracing::warn!(%error, "what is over could not be deleted: it is tried again in an hour");
            }
        }
        if is_due(now, failed, limits::ROTATE_RETRY_S)
            && let Err(error) = inner.rotate_when_due()
        {
            failed = Some(now);
            tracing::warn!(%error, "the keys could not be rotated: it is tried again in an hour");
        }
    })
}

impl Inner {
    /// What is older is over, ms since 1970.
    pub(crate) fn oldest_ms(&self, family: Family) -> u64 {
        self.settings.retention.oldest_ms(family, self.clock.expiry_ms())
    }

    /// As [`Inner::oldest_ms`] of raw points, or what their organization asks for if that is less.
    pub(crate) fn oldest_raw_ms(&self, org: OrgId) -> Result<u64, Error> {
        let asked = self.reader().get::<Org>(&org)?.map_or(0, |org| u32::from(org.raw_days));
        let days =
            if asked > 0 { asked.min(self.settings.retention.raw_days) } else { self.settings.retention.raw_days };
        Ok(before(self.clock.expiry_ms(), days))
    }

    /// Delete what is over, except what compaction does by itself; how many partitions were dropped.
    fn expire(&self) -> Result<usize, Error> {
        let _one = self.expiring.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_partitions(self.clock.wall_ms())?;
        let now_ms = self.clock.expiry_ms();
        let dropped = self.drop_partitions(now_ms)?;
        self.drop_points_of_orgs(now_ms)?;
        self.trim_audits(self.settings.retention.oldest_ms(Family::Audit, now_ms))?;
        Ok(dropped)
    }

    /// Those of now and of tomorrow, before anybody has to wait for one: making one takes several syncs, and RocksDB's
    /// column families cannot be looked up meanwhile.
    pub(crate) fn make_partitions(&self, now_ms: u64) -> Result<(), Error> {
        if self.space.check().is_err() {
            return Ok(());
        }
        for family in Family::ALL.into_iter().filter(|family| family.partition_days() > 0) {
            for at_ms in [now_ms, now_ms + DAY_MS] {
                self.rocks.ensure(family, family.partition_of(at_ms))?;
            }
        }
        Ok(())
    }

    /// No tombstones, whatever they held.
    fn drop_partitions(&self, now_ms: u64) -> Result<usize, Error> {
        let mut dropped = 0;
        for family in Family::ALL.into_iter().filter(|family| family.partition_days() > 0) {
            let oldest_ms = self.settings.retention.oldest_ms(family, now_ms);
            for partition in self.rocks.partitions(family) {
                if is_over(family, partition, oldest_ms) {
                    self.queue.drop_partition(family, partition)?;
                    dropped += 1;
                }
            }
        }
        Ok(dropped)
    }

    /// Organizations that retain raw points for less than the server, with the days.
    fn short_orgs(&self) -> Result<Vec<(OrgId, u32)>, Error> {
        let reader = self.reader();
        let mut short = Vec::new();
        reader.scan_raw(Family::Org, 0, (KeyBytes::EMPTY, None), |key, mut sealed| {
            let value = match reader.open(Family::Org, 0, key, &mut sealed) {
                Ok(value) => value,
                // Being erased: its records go with it.
                Err(Error::Erased { .. }) => return Ok(ControlFlow::Continue(())),
                Err(error) => return Err(error),
            };
            let shape = |_| crate::read::reader::broken(Family::Org, key, Problem::Shape);
            let (org, record): (_, Org) = (OrgId::parse(key).map_err(shape)?, schema::decode(value).map_err(shape)?);
            let days = u32::from(record.raw_days);
            if days > 0 && days < self.settings.retention.raw_days {
                short.push((org, days));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(short)
    }

    fn drop_points_of_orgs(&self, now_ms: u64) -> Result<(), Error> {
        for (org, days) in self.short_orgs()? {
            let (from, oldest_ms) = (KeyBytes::org(org), before(now_ms, days));
            for partition in self.rocks.partitions(Family::Raw) {
                if self.is_ending() {
                    return Ok(());
                }
                if is_over(Family::Raw, partition, oldest_ms) && self.first_key(Family::Raw, partition, from)?.is_some()
                {
                    self.delete_below(Family::Raw, partition, from)?;
                }
            }
        }
        Ok(())
    }

    /// The first key that begins like this.
    fn first_key(&self, family: Family, partition: u32, prefix: KeyBytes) -> Result<Option<Vec<u8>>, Error> {
        let mut first = None;
        self.reader().scan_raw(family, partition, (prefix, prefix.behind()), |key, _| {
            first = Some(key.to_vec());
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// Delete all keys that begin like this, and let their space be used again: nothing else would compact an old
    /// partition.
    fn delete_below(&self, family: Family, partition: u32, prefix: KeyBytes) -> Result<(), Error> {
        let end = prefix.behind().unwrap_or_else(|| KeyBytes::EMPTY.with(&[u8::MAX; limits::KEY_BYTES]));
        self.delete_range(family, partition, prefix, end)?;
        let Some(column) = self.rocks.column(family, partition) else { return Ok(()) };
        self.rocks.db.flush_cf(&column)?;
        self.rocks.db.compact_range_cf(&column, Some(prefix.as_ref()), Some(end.as_ref()));
        Ok(())
    }

    fn delete_range(&self, family: Family, partition: u32, from: KeyBytes, to: KeyBytes) -> Result<(), Error> {
        let mut writes = EncodedWrites::default();
        writes.delete_range(family, partition, from.as_ref(), to.as_ref());
        let (done, result) = waiting();
        self.queue.write_patiently(Class::B, writes, Some(done))?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    fn trim_audits(&self, oldest_ms: u64) -> Result<(), Error> {
        let mut next = Some(KeyBytes::EMPTY);
        while let Some(from) = next.filter(|_| !self.is_ending()) {
            let mut found = None;
            self.reader().scan_raw(Family::Audit, 0, (from, None), |key, _| {
                found = Some(key.to_vec());
                Ok(ControlFlow::Break(()))
            })?;
            let Some(key) = found else { return Ok(()) };
            let shape = |_| crate::read::reader::broken(Family::Audit, &key, Problem::Shape);
            let org = AuditKey::parse(&key).map_err(shape)?.org;
            self.trim_audit(org, oldest_ms)?;
            next = KeyBytes::org(org).behind();
        }
        Ok(())
    }

    /// Delete the entries at the front of an organization's chain that are over; the newest stays.
    fn trim_audit(&self, org: OrgId, oldest_ms: u64) -> Result<(), Error> {
        let (mut over, mut newest) = (0u64, None);
        self.reader().scan::<AuditEntry>(KeyBytes::org(org), |key, entry| {
            over += u64::from(newest.is_some());
            newest = Some(key);
            if entry.at_ms < oldest_ms { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match newest {
            Some(newest) if over > 0 => {
                // Faces first: an entry without its face is whole, a face without its entry is nobody's.
                if self.rocks.column(Family::AuditFace, 0).is_some() {
                    self.delete_range(Family::AuditFace, 0, KeyBytes::org(org), newest.bytes())?;
                }
                self.delete_range(Family::Audit, 0, KeyBytes::org(org), newest.bytes())
            }
            _ => Ok(()),
        }
    }
}

impl Store {
    /// The wall clock is right: let records expire by it from now on, though it is further ahead than time can have passed.
    /// Returns what it says, ms since 1970.
    ///
    /// # Errors
    /// [`Error::Io`]: it is not stored, and holds until the end of this run only.
    pub fn accept_clock(&self) -> Result<u64, Error> {
        self.inner.check_writable()?;
        self.inner.clock.accept()
    }

    /// Delete what is over now, also what compaction would leave out by and by; how many partitions of history were
    /// dropped. The store does it by itself once an hour.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Full`]; as [`Reads::get`].
    pub fn drop_old(&self) -> Result<usize, Error> {
        self.inner.check_writable()?;
        let dropped = self.inner.expire()?;
        sweep_files(&self.inner)?;
        for family in [Family::Event, Family::Diary] {
            let Some(column) = self.inner.rocks.column(family, 0) else { continue };
            self.inner.rocks.db.flush_cf(&column)?;
            self.inner.rocks.db.compact_range_cf(&column, None::<&[u8]>, None::<&[u8]>);
        }
        Ok(dropped)
    }
}

impl Reads {
    /// The newest audit entry of an organization, whatever its age: the next one carries its digest and number + 1.
    ///
    /// # Errors
    /// As [`Reads::get`].
    pub fn last_audit(&self, org: OrgId) -> Result<Option<(AuditKey, AuditEntry)>, Error> {
        self.inner.reader().last(KeyBytes::org(org))
    }
}

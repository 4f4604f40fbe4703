//! A device that belongs to another organization now: what is stored of its past is sealed again under its new key.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use linchpin_protocol::model::DeviceId;

use crate::collect::ask::Ask;
use crate::read::reader::broken;
use crate::read::reads::Reads;
use crate::schema::rollup::{self, Grain};
use crate::schema::{DeviceKey, Family, KeyBytes, Latest, OrgId, Properties, Record as _};
use crate::store::Store;
use crate::write::batch::Batch;
use crate::write::committer::Class;
use crate::write::writer::Writer;
use crate::{Error, Problem, limits};

/// What of a device is its past. Each record moves in one batch with its removal, so that it is in one place at any moment.
const OF_PAST: [Family; 6] = [Family::Event, Family::Diary, Family::Raw, Family::Minute, Family::Hour, Family::Day];

impl Store {
    /// Move the history, events and diary of a device from one organization to another; returns how many records. The device
    /// itself is there already and writes there, and all that it wrote before was handed over. May be repeated after a
    /// crash: what was moved is not found again.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn move_history(&self, device: DeviceId, from: OrgId, to: OrgId) -> Result<u64, Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, new) = (DeviceKey::new(from, device), DeviceKey::new(to, device));
        // Its points share journal records with other devices: when all is stored the journal is empty, and a crash brings
        // none of them back.
        self.store_all()?;
        let mut moved = 0;
        loop {
            // The collector adds to roll-ups of the new organization meanwhile: not while they are added up here.
            let mover = Mover { reads: self.reads.clone(), writer: self.writer.clone(), old, new };
            let count = self.inner.ask_and_wait(|done| Ask::Still(Box::new(move || mover.move_some()), done))?;
            moved += count;
            self.inner.settings.steps.reach("move: some history moved");
            if count == 0 {
                break;
            }
        }
        self.inner.ask_and_wait(|done| Ask::Inherit(old, new, done))?;
        self.inner.ask_and_wait(|done| Ask::Forget(old.org, Some(old), done))?;
        let mut batch = self.batch();
        batch.delete::<Latest>(&old)?;
        // Its home has stored them under the new key, or there are none of its own.
        batch.delete::<Properties>(&old)?;
        self.commit(Class::A, batch)?;
        Ok(moved)
    }
}

/// Moves a batch at a time.
struct Mover {
    reads: Reads,
    writer: Writer,
    old: DeviceKey,
    new: DeviceKey,
}

impl Mover {
    /// One batch; returns how many records, 0: there are no more.
    fn move_some(&self) -> Result<u64, Error> {
        let inner = &self.reads.inner;
        let (front, place) =
            (KeyBytes::device(self.old.org, self.old.device), KeyBytes::device(self.new.org, self.new.device));
        let (mut batch, mut count) = (self.writer.batch(), 0);
        for family in OF_PAST {
            for partition in inner.rocks.partitions(family) {
                let mut result = Ok(());
                self.reads.inner.reader().scan_raw(family, partition, (front, front.behind()), |key, mut sealed| {
                    if batch.len_bytes() + sealed.len() > limits::BATCH_BYTES / 2 {
                        return Ok(ControlFlow::Break(()));
                    }
                    let value = self.reads.inner.reader().open(family, partition, key, &mut sealed)?;
                    let target = place.with(&key[front.as_ref().len()..]);
                    result = self.put_moved(&mut batch, family, partition, &target, value);
                    if result.is_err() {
                        return Ok(ControlFlow::Break(()));
                    }
                    batch.writes.delete(family, partition, key);
                    count += 1;
                    Ok(ControlFlow::Continue(()))
                })?;
                result?;
            }
        }
        if count > 0 {
            batch.writes.make_partitions(&inner.rocks)?;
            self.writer.commit(Class::A, batch)?;
        }
        Ok(count)
    }

    /// Roll-ups of the new organization may have begun in the same hour: rows add up.
    fn put_moved(
        &self,
        batch: &mut Batch,
        family: Family,
        partition: u32,
        key: &KeyBytes,
        value: &[u8],
    ) -> Result<(), Error> {
        if !Grain::ALL.iter().any(|grain| grain.family() == family) {
            return batch.put_sealed(family, partition, key, value);
        }
        let Some(known) = self.reads.inner.reader().get_opened(family, partition, key)? else {
            return batch.put_sealed(family, partition, key, value);
        };
        let rows = |bytes: &[u8]| rollup::decode(bytes).map_err(|_| broken(family, key.as_ref(), Problem::Shape));
        let mut all = rows(&known)?;
        rows(value)?.iter().for_each(|row| rollup::merge(&mut all, row));
        let mut merged = Vec::new();
        rollup::encode(&all, &mut merged);
        batch.put_sealed(family, partition, key, &merged)
    }
}

const _: () = assert!(Latest::VERSION == 1, "what else a device has once goes over with the device itself");

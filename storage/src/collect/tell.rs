//! Telling the values that the journal of the last run adds, in pieces: the collector never waits for who listens.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};

use crate::collect::ask::Told;
use crate::collect::collector::Collector;
use crate::collect::slots::key_of;
use crate::schema::{DeviceKey, Latest};
use crate::{Error, limits};

/// Somebody who wants the values that the journal adds.
pub(crate) struct Listener {
    told: SyncSender<Told>,
    waiting: VecDeque<u64>,
    /// What the way had no room for.
    ready: Option<Told>,
}

impl Listener {
    /// A device whose values are to be told.
    pub(crate) fn add(&mut self, slot: u64) {
        self.waiting.push_back(slot);
    }
}

impl Collector {
    /// Tell from now on, beginning with what is collected already.
    pub(crate) fn listen(&mut self, told: SyncSender<Told>) {
        let is_complete = |slot: &u64| self.replay.as_ref().is_none_or(|replay| replay.is_complete(*slot));
        let open = self.devices.keys().copied().filter(is_complete);
        let waiting = open.chain(self.forgotten.iter().copied()).collect();
        if self.replay.is_none() {
            self.forgotten = Vec::new();
        }
        self.listeners.push(Listener { told, waiting, ready: None });
    }

    /// Tell as much as there is room for.
    pub(crate) fn tell(&mut self) {
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.retain_mut(|listener| self.tell_one(listener));
        self.listeners = listeners;
    }

    /// `false`: all is told, or nobody listens any more.
    fn tell_one(&self, listener: &mut Listener) -> bool {
        loop {
            let told = match listener.ready.take() {
                Some(told) => told,
                None if !listener.waiting.is_empty() => self.values(&mut listener.waiting).map(Some),
                None if self.replay.is_some() => return true,
                None => Ok(None),
            };
            let is_last = !matches!(told, Ok(Some(_)));
            match listener.told.try_send(told) {
                Ok(()) if is_last => return false,
                Ok(()) => {}
                Err(TrySendError::Full(told)) => {
                    listener.ready = Some(told);
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
    }

    fn values(&self, waiting: &mut VecDeque<u64>) -> Result<Vec<(DeviceKey, Latest)>, Error> {
        let count = waiting.len().min(limits::TOLD_DEVICES);
        let mut values = Vec::with_capacity(count);
        for slot in waiting.drain(..count) {
            if let Some(open) = self.devices.get(&slot) {
                values.push((open.key, open.latest(0)));
                continue;
            }
            // Stored, and forgotten since.
            let Some(key) = key_of(slot) else { continue };
            match self.inner.reader().get(&key) {
                Ok(latest) => values.extend(latest.map(|latest| (key, latest))),
                Err(Error::Erased { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    }
}

//! Reports the values that the journal of the last run adds, in pieces: the collector never waits for a listener.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, TrySendError};

use crate::collect::ask::LatestPiece;
use crate::collect::collector::Collector;
use crate::collect::slots::key_of;
use crate::schema::{DeviceKey, Latest};
use crate::{Error, limits};

/// Somebody who wants the values that the journal adds.
pub(crate) struct Listener {
    pieces: SyncSender<LatestPiece>,
    waiting: VecDeque<u64>,
    /// What the way had no room for.
    ready: Option<LatestPiece>,
}

impl Listener {
    /// Report the values of this device.
    pub(crate) fn add(&mut self, slot: u64) {
        self.waiting.push_back(slot);
    }
}

impl Collector {
    /// Report from now on, beginning with what is collected already.
    pub(crate) fn listen(&mut self, pieces: SyncSender<LatestPiece>) {
        let is_complete = |slot: &u64| self.replay.as_ref().is_none_or(|replay| replay.is_complete(*slot));
        let open = self.devices.keys().copied().filter(is_complete);
        let waiting = open.chain(self.forgotten.iter().copied()).collect();
        if self.replay.is_none() {
            self.forgotten = Vec::new();
        }
        self.listeners.push(Listener { pieces, waiting, ready: None });
    }

    /// Report as much as there is room for.
    pub(crate) fn report_replayed(&mut self) {
        let mut listeners = std::mem::take(&mut self.listeners);
        listeners.retain_mut(|listener| self.report_to(listener));
        self.listeners = listeners;
    }

    /// `false`: all is reported, or nobody listens any more.
    fn report_to(&self, listener: &mut Listener) -> bool {
        loop {
            let piece = match listener.ready.take() {
                Some(piece) => piece,
                None if !listener.waiting.is_empty() => self.values(&mut listener.waiting).map(Some),
                None if self.replay.is_some() => return true,
                None => Ok(None),
            };
            let is_last = !matches!(piece, Ok(Some(_)));
            match listener.pieces.try_send(piece) {
                Ok(()) if is_last => return false,
                Ok(()) => {}
                Err(TrySendError::Full(piece)) => {
                    listener.ready = Some(piece);
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
    }

    fn values(&self, waiting: &mut VecDeque<u64>) -> Result<Vec<(DeviceKey, Latest)>, Error> {
        let count = waiting.len().min(limits::REPLAYED_DEVICES);
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

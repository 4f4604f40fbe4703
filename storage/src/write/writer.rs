//! The handle with which any thread writes.

use crate::seal::cipher::Sealer;
use crate::seal::seals::Seals;
use crate::write::batch::Batch;
use crate::write::committer::{Class, Queue, waiting};
use crate::{Error, limits};

/// Makes batches and hands them to the committing thread. Copies are cheap; one may outlive its store, then it answers
/// [`Error::Closed`].
#[derive(Clone, Debug)]
pub struct Writer {
    pub(crate) seals: Seals,
    pub(crate) queue: Queue,
}

impl Writer {
    /// An empty batch. Its records are sealed as they are put: hand it over soon, a rotation of keys waits for it.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch::new(self.seals.sealing(Sealer::Batch))
    }

    /// Hand a batch over and wait for what its class promises. Not for shards: it blocks for a sync of the disk.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Busy`]: nothing was written. [`Error::Write`]: the store is poisoned.
    pub fn commit(&self, class: Class, batch: Batch) -> Result<(), Error> {
        let (done, result) = waiting();
        self.queue.write(class, batch.writes, Some(done))?;
        result.recv().unwrap_or(Err(Error::Closed))
    }

    /// Hand a batch over without waiting. `done` is called on the committing thread when the class's promise holds
    /// (class A: after the sync), or with what went wrong; it must be quick and must not block, such as a push into a
    /// lane and a wake.
    ///
    /// # Errors
    /// [`Error::Busy`] (more than [`limits::QUEUED_WRITES`] wait), [`Error::Closed`]: `done` is not called then.
    pub fn submit(
        &self,
        class: Class,
        batch: Batch,
        done: impl FnOnce(Result<(), Error>) + Send + 'static,
    ) -> Result<(), Error> {
        self.queue.write(class, batch.writes, Some(Box::new(done)))
    }

    /// Batches that wait for the committing thread, of [`limits::QUEUED_WRITES`] that may.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.figures.queued.load(std::sync::atomic::Ordering::Relaxed).min(limits::QUEUED_WRITES)
    }
}

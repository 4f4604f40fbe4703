//! Threads that read: history and latest values take milliseconds from a disk, so whoever must not wait hands its
//! question over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use crate::threads::spawn;
use crate::write::poison::Poison;
use crate::{Error, limits};

/// A question with what is to be done with its answer.
pub(crate) type Question = Box<dyn FnOnce() + Send>;

/// The way to the threads.
pub(crate) struct Pool {
    /// `None` once the store is closed.
    questions: RwLock<Option<SyncSender<Question>>>,
    waiting: Arc<Mutex<Receiver<Question>>>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let (questions, waiting) = sync_channel(limits::QUEUED_READS);
        Self { questions: RwLock::new(Some(questions)), waiting: Arc::new(Mutex::new(waiting)) }
    }

    /// Never blocks.
    pub(crate) fn submit(&self, question: Question) -> Result<(), Error> {
        let questions = self.questions.read().unwrap_or_else(PoisonError::into_inner);
        questions.as_ref().ok_or(Error::Closed)?.try_send(question).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { limit: limits::QUEUED_READS },
            TrySendError::Disconnected(_) => Error::Closed,
        })
    }

    /// Start the threads.
    pub(crate) fn start(&self, poison: &Arc<Poison>) -> Result<Vec<JoinHandle<()>>, Error> {
        let start = |number| {
            let waiting = self.waiting.clone();
            spawn(&format!("store-read-{number}"), poison, move || run(&waiting))
        };
        (0..limits::READERS).map(start).collect()
    }

    /// Take no more questions; those that wait are still answered, then the threads end.
    pub(crate) fn stop(&self) {
        *self.questions.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn run(waiting: &Mutex<Receiver<Question>>) {
    loop {
        // One thread waits at a time; it lets go before it reads.
        let question = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(answer) = question else { return };
        // Its asker hears nothing and meets its own deadline. Nothing was acknowledged, and others are still answered.
        if catch_unwind(AssertUnwindSafe(answer)).is_err() {
            tracing::error!("a question to the store ended by a bug: it is not answered");
        }
    }
}

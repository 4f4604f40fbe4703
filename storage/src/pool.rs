//! Threads that read: history and latest values take milliseconds from a disk, so whoever must not wait hands its
//! question over.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::reads::Reads;
use crate::{Error, limits};

/// A question with what is to be done with its answer.
pub(crate) type Job = Box<dyn FnOnce(&Reads) + Send>;

enum Order {
    Read(Job),
    Stop,
}

/// The way to the threads.
pub(crate) struct Pool {
    orders: SyncSender<Order>,
    waiting: Arc<Mutex<Receiver<Order>>>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let (orders, waiting) = sync_channel(limits::QUEUED_READS);
        Self { orders, waiting: Arc::new(Mutex::new(waiting)) }
    }

    /// Never blocks.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Error> {
        self.orders.try_send(Order::Read(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { limit: limits::QUEUED_READS },
            TrySendError::Disconnected(_) => Error::Closed,
        })
    }

    /// What waits is still answered.
    pub(crate) fn stop(&self) {
        for _ in 0..limits::READERS {
            let _ = self.orders.send(Order::Stop);
        }
    }
}

/// Start the threads.
pub(crate) fn start(reads: &Reads) -> Result<Vec<JoinHandle<()>>, Error> {
    let start = |number| {
        let (reads, waiting) = (reads.clone(), reads.inner.pool.waiting.clone());
        crate::store::spawn(&format!("store-read-{number}"), move || run(&reads, &waiting))
    };
    (0..limits::READERS).map(start).collect()
}

fn run(reads: &Reads, waiting: &Mutex<Receiver<Order>>) {
    loop {
        // One thread waits at a time; it lets go before it reads.
        let order = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match order {
            Ok(Order::Read(job)) => job(reads),
            Ok(Order::Stop) | Err(_) => return,
        }
    }
}

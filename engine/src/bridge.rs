//! Between the control plane's threads and the shards: commands in, reports out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use linchpin_control::CommandLane;
use linchpin_driver::Waker;
use linchpin_shard::Command;

/// The control plane's end of the way to one shard.
pub(crate) struct ToShard {
    send: SyncSender<Command>,
    has_some: Arc<AtomicBool>,
    waker: Waker,
}

/// The shard's end.
pub(crate) struct FromControl {
    receive: Receiver<Command>,
    has_some: Arc<AtomicBool>,
}

/// Both ends of the way to one shard, before its waker is known.
pub(crate) struct Way {
    pub(crate) shard: FromControl,
    send: SyncSender<Command>,
    has_some: Arc<AtomicBool>,
}

impl Way {
    pub(crate) fn new() -> Self {
        let (send, receive) = sync_channel(linchpin_control::limits::COMMANDS);
        let has_some = Arc::new(AtomicBool::new(false));
        Self { shard: FromControl { receive, has_some: Arc::clone(&has_some) }, send, has_some }
    }

    /// Split into the shard's end and what becomes the control plane's once the waker is known.
    pub(crate) fn split(self) -> (FromControl, impl Fn(Waker) -> ToShard) {
        let Self { shard, send, has_some } = self;
        (shard, move |waker| ToShard { send: send.clone(), has_some: Arc::clone(&has_some), waker })
    }
}

impl CommandLane for ToShard {
    fn push(&self, command: Command) -> Result<(), Box<Command>> {
        let pushed = self.send.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) | TrySendError::Disconnected(command) => Box::new(command),
        });
        self.has_some.store(true, Ordering::SeqCst);
        self.waker.wake_if_asleep();
        pushed
    }
}

impl FromControl {
    /// Has anything come? One load: the tick asks every time.
    pub(crate) fn has_work(&self) -> bool {
        self.has_some.load(Ordering::SeqCst)
    }

    /// Take all commands that have come.
    pub(crate) fn receive(&self, mut take: impl FnMut(Command)) {
        if !self.has_some.swap(false, Ordering::SeqCst) {
            return;
        }
        while let Ok(command) = self.receive.try_recv() {
            take(command);
        }
    }
}

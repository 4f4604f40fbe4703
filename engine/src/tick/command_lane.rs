//! From the control plane's threads to the shards: bounded command queues. Reports go back through
//! [`linchpin_control::Answers`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use linchpin_control::CommandLane;
use linchpin_driver::Waker;
use linchpin_shard::Command;

/// The sending end of the way to one shard, before its waker is known.
pub(crate) struct Sending {
    send: SyncSender<Command>,
    has_some: Arc<AtomicBool>,
}

/// The sending end of the way to one shard.
#[derive(Clone)]
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

/// The way to one shard, with room for [`linchpin_control::limits::COMMANDS`].
pub(crate) fn way() -> (Sending, FromControl) {
    let (send, receive) = sync_channel(linchpin_control::limits::COMMANDS);
    let has_some = Arc::new(AtomicBool::new(false));
    (Sending { send, has_some: Arc::clone(&has_some) }, FromControl { receive, has_some })
}

impl Sending {
    /// Complete with what wakes the shard.
    pub(crate) fn with_waker(self, waker: Waker) -> ToShard {
        ToShard { send: self.send, has_some: self.has_some, waker }
    }
}

impl ToShard {
    /// What wakes the shard.
    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Let the shard look at what others have changed.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }
}

impl CommandLane for ToShard {
    fn push(&self, command: Command) -> Result<(), Box<Command>> {
        let pushed = self.send.try_send(command).map_err(|error| match error {
            TrySendError::Full(command) | TrySendError::Disconnected(command) => Box::new(command),
        });
        // Also when it is full: then the shard has every reason to look.
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

    /// Take what has come. Bounded: a sender that never stops cannot hold up the tick.
    pub(crate) fn receive(&self, mut take: impl FnMut(Command)) {
        // Cleared first: what comes from here on is taken now or announced again.
        if !self.has_some.swap(false, Ordering::SeqCst) {
            return;
        }
        for _ in 0..linchpin_control::limits::COMMANDS {
            match self.receive.try_recv() {
                Ok(command) => take(command),
                Err(_) => return,
            }
        }
        self.has_some.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_shard::RequestId;

    fn number(command: &Command) -> u64 {
        match command {
            Command::Status(RequestId(n)) => *n,
            other => panic!("{other:?} was never sent"),
        }
    }

    #[test]
    fn commands_arrive_in_order_and_a_full_way_gives_them_back() {
        let driver = linchpin_driver::Driver::open(&linchpin_driver::Options {
            backend: linchpin_driver::Choice::Portable,
            connections: 1,
            ..linchpin_driver::Options::default()
        })
        .expect("a driver");
        let (sending, from) = way();
        let to = sending.with_waker(driver.waker());
        assert!(!from.has_work());
        let room = linchpin_control::limits::COMMANDS as u64;
        for n in 0..room {
            to.push(Command::Status(RequestId(n))).expect("room");
        }
        let back = to.push(Command::Status(RequestId(room))).expect_err("no room");
        assert_eq!(number(&back), room);
        assert!(from.has_work());
        let mut next = 0;
        for _ in 0..2 {
            from.receive(|command| {
                assert_eq!(number(&command), next);
                next += 1;
            });
        }
        assert_eq!(next, room);
        assert!(!from.has_work());
    }
}

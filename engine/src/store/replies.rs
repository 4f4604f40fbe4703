//! Replies of the store's readers for shards whose lanes are full. They wait here, not on a reader: one shard that does not
//! keep up holds up nobody else's history.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use linchpin_control::CommandLane;
use linchpin_shard::Command;

use crate::limits;

/// How often full lanes are tried again.
const PAUSE: Duration = Duration::from_millis(1);

/// A reply that waits for room.
struct Waiting<L> {
    to: L,
    command: Command,
    until: Instant,
}

/// The way to the thread. Copies are cheap; the thread ends when all are gone.
pub(super) struct Replies<L>(SyncSender<Waiting<L>>);

impl<L> Clone for Replies<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: CommandLane + 'static> Replies<L> {
    /// Start the thread.
    pub(super) fn start() -> io::Result<Self> {
        let (send, receive) = sync_channel(limits::REPLIES);
        std::thread::Builder::new().name("store-replies".to_owned()).spawn(move || run(&receive))?;
        Ok(Self(send))
    }

    /// Give a reply to its shard, now or within [`limits::REPLY_WITHIN`]. Never waits. A reply that finds no room in time is
    /// dropped: the deadline of the request answers it.
    pub(super) fn give(&self, to: L, command: Command) {
        if let Err(back) = to.push(command) {
            let until = Instant::now() + limits::REPLY_WITHIN;
            let _ = self.0.try_send(Waiting { to, command: *back, until });
        }
    }
}

fn run<L: CommandLane>(receive: &Receiver<Waiting<L>>) {
    let mut waiting: VecDeque<Waiting<L>> = VecDeque::new();
    loop {
        let pause = if waiting.is_empty() { limits::IDLE } else { PAUSE };
        match receive.recv_timeout(pause) {
            Ok(one) => waiting.push_back(one),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while waiting.len() < limits::REPLIES
            && let Ok(one) = receive.try_recv()
        {
            waiting.push_back(one);
        }
        let now = Instant::now();
        for _ in 0..waiting.len() {
            let Some(Waiting { to, command, until }) = waiting.pop_front() else { break };
            match to.push(command) {
                Err(back) if now < until => waiting.push_back(Waiting { to, command: *back, until }),
                Err(_) => tracing::debug!("a reply about history found no room in its shard's lane"),
                Ok(()) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use linchpin_shard::RequestId;

    use super::*;

    #[derive(Clone, Default)]
    struct Fake(Arc<(AtomicBool, AtomicUsize)>);

    impl Fake {
        fn taken(&self) -> usize {
            self.0.1.load(Ordering::SeqCst)
        }
    }

    impl CommandLane for Fake {
        fn push(&self, command: Command) -> Result<(), Box<Command>> {
            if self.0.0.load(Ordering::SeqCst) {
                return Err(Box::new(command));
            }
            self.0.1.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    fn reply() -> Command {
        Command::Status(RequestId(1))
    }

    #[test]
    fn a_full_lane_holds_up_no_other_and_gets_its_replies_later() {
        let (full, free) = (Fake::default(), Fake::default());
        full.0.0.store(true, Ordering::SeqCst);
        let replies = Replies::start().expect("a thread");
        let begun = Instant::now();
        for _ in 0..100 {
            replies.give(full.clone(), reply());
            replies.give(free.clone(), reply());
        }
        assert_eq!((full.taken(), free.taken()), (0, 100));
        assert!(begun.elapsed() < limits::REPLY_WITHIN, "nobody waited");
        full.0.0.store(false, Ordering::SeqCst);
        while full.taken() < 100 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{} of 100", full.taken());
            std::thread::sleep(PAUSE);
        }
    }
}

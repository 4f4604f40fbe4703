//! Sending: one operation a connection and flush, and what happens to the rest.

use std::time::Duration;

use io_uring::{opcode, squeue};

use super::slots::{SlotState, flag};
use super::tag::{Op, Tag};
use super::{Later, Ring, on_descriptor};
use crate::{ConnId, Event, Outgoing};

/// Taken whole or answered at once: with DONTWAIT the kernel never keeps the operation, so the bytes need not outlive
/// the submission.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_WAITALL | libc::MSG_NOSIGNAL;

impl Ring {
    /// Submit everything in one system call.
    pub(crate) fn flush(&mut self, arena: &[u8], sends: &[Outgoing]) {
        self.settle();
        self.queue_sends(arena, sends);
        self.submit_all();
        self.keep_unsent(arena, sends);
    }

    /// The same with the next enter, which would be made in any case.
    pub(crate) fn flush_later(&mut self, arena: &mut Vec<u8>, sends: &mut Vec<Outgoing>) {
        self.settle();
        let Later { arena: mut kept, sends: mut list } = std::mem::take(&mut self.later);
        std::mem::swap(&mut kept, arena);
        std::mem::swap(&mut list, sends);
        self.queue_sends(&kept, &list);
        self.later = Later { arena: kept, sends: list };
    }

    /// Submit the sends that were queued for later, unless an enter has done it, and look how they went.
    pub(super) fn settle(&mut self) {
        if self.later.sends.is_empty() {
            return;
        }
        self.submit_all();
        let Later { mut arena, mut sends } = std::mem::take(&mut self.later);
        self.keep_unsent(&arena, &sends);
        arena.clear();
        sends.clear();
        self.later = Later { arena, sends };
    }

    fn queue_sends(&mut self, arena: &[u8], sends: &[Outgoing]) {
        for (at, send) in sends.iter().enumerate() {
            let slot = self.slots.get(send.conn);
            if send.end <= send.start || slot.state != SlotState::Open {
                continue;
            }
            let bytes = &arena[send.start as usize..send.end as usize];
            self.counters.sends += 1;
            if self.backlogs.contains(send.conn) {
                self.keep_rest(send.conn, bytes);
                continue;
            }
            let entry = on_descriptor!(self, send.conn, fd => {
                opcode::Send::new(fd, bytes.as_ptr(), bytes.len() as u32).flags(FLAGS).build()
            });
            let entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
            self.push(&entry.user_data(Tag::new(Op::Send, 0, at as u32).encode()));
        }
    }

    /// Keep what the sockets did not take.
    fn keep_unsent(&mut self, arena: &[u8], sends: &[Outgoing]) {
        for (at, result) in std::mem::take(&mut self.unsent) {
            let Some(send) = sends.get(at as usize) else { continue };
            let sent = result.max(0) as usize;
            match -result {
                libc::EAGAIN | libc::EINTR | libc::ENOBUFS | libc::ENOMEM => {}
                errno if errno > 0 => {
                    // The receive tells too, but it may not be armed.
                    self.events.push_back(Event::Failed { conn: send.conn, errno });
                    continue;
                }
                _ => {}
            }
            let bytes = &arena[send.start as usize..send.end as usize];
            if sent < bytes.len() {
                self.keep_rest(send.conn, &bytes[sent..]);
            }
        }
    }

    /// All entries have been taken by the kernel when this returns, or never will be since the ring is broken: it is what
    /// makes the borrow of an arena enough.
    fn submit_all(&mut self) {
        while !self.ring.submission().is_empty() && self.broken.is_none() {
            self.enter(None);
        }
        // What has come meanwhile is the next tick's; sends have failed or are done.
        self.harvest();
    }

    fn keep_rest(&mut self, conn: ConnId, rest: &[u8]) {
        self.counters.short_sends += 1;
        if !self.backlogs.keep(conn, rest) {
            return self.events.push_back(Event::Failed { conn, errno: libc::ENOBUFS });
        }
        self.counters.backlog_bytes = self.backlogs.total_bytes;
        let slot = self.slots.get_mut(conn);
        if !slot.has(flag::BLOCKED) {
            slot.flags |= flag::BLOCKED;
            self.events.push_back(Event::Blocked { conn, bytes: 0 });
        }
        self.poll_writable(conn);
    }

    pub(super) fn poll_writable(&mut self, conn: ConnId) {
        let paused = self.paused;
        let slot = self.slots.get_mut(conn);
        if slot.has(flag::POLLING) || (paused && !slot.has(flag::CLOSE)) {
            return;
        }
        slot.flags |= flag::POLLING;
        let entry = on_descriptor!(self, conn, fd => opcode::PollAdd::new(fd, libc::POLLOUT as u32).build());
        let word = self.tag(Op::Writable, conn);
        self.push(&entry.user_data(word));
    }

    /// The socket of a backlog can take more, or broke, or the poll was cancelled.
    pub(super) fn writable(&mut self, conn: ConnId, result: i32) {
        let slot = self.slots.get_mut(conn);
        slot.flags &= !flag::POLLING;
        let slot = *slot;
        if slot.has(flag::ABORT) {
            return self.close_if_quiet(conn);
        }
        if self.paused && !slot.has(flag::CLOSE) {
            return;
        }
        if result < 0 && -result != libc::ECANCELED {
            return self.send_failed(conn, -result);
        }
        match self.send_rest(conn) {
            Ok(n) => {
                let is_done = self.backlogs.sent(conn, n);
                self.counters.backlog_bytes = self.backlogs.total_bytes;
                if !is_done {
                    return self.poll_writable(conn);
                }
                self.slots.get_mut(conn).flags &= !flag::BLOCKED;
                if slot.has(flag::CLOSE) {
                    self.close_if_quiet(conn);
                } else {
                    self.events.push_back(Event::Drained { conn });
                }
            }
            Err(libc::EAGAIN | libc::EINTR) => self.poll_writable(conn),
            Err(errno) => self.send_failed(conn, errno),
        }
    }

    fn send_failed(&mut self, conn: ConnId, errno: i32) {
        self.backlogs.forget(conn);
        self.counters.backlog_bytes = self.backlogs.total_bytes;
        if self.slots.get(conn).has(flag::CLOSE) {
            self.close_if_quiet(conn);
        } else {
            self.events.push_back(Event::Failed { conn, errno });
        }
    }

    /// Send what waits, now: a blocked connection is rare, so it may cost a system call of its own.
    fn send_rest(&mut self, conn: ConnId) -> Result<usize, i32> {
        let rest = self.backlogs.unsent(conn);
        let (pointer, len) = (rest.as_ptr(), rest.len().min(i32::MAX as usize) as u32);
        let entry = on_descriptor!(self, conn, fd => {
            opcode::Send::new(fd, pointer, len).flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL).build()
        });
        let word = self.tag(Op::SendRest, conn);
        self.push(&entry.user_data(word));
        let result = self.wait_for(word);
        if result < 0 { Err(-result) } else { Ok(result as usize) }
    }

    /// Submit and wait for the one completion of an operation that completes at once; -EIO if the ring is broken.
    pub(super) fn wait_for(&mut self, word: u64) -> i32 {
        while self.broken.is_none() {
            self.enter(Some(Duration::from_millis(10)));
            self.harvest();
            if let Some(at) = self.ready.iter().rposition(|cqe| cqe.user_data() == word)
                && let Some(cqe) = self.ready.remove(at)
            {
                return cqe.result();
            }
        }
        -libc::EIO
    }
}

//! Standing still, and connections for another process.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use io_uring::{opcode, types};

use super::Ring;
use super::accept::RingListener;
use super::slots::{SlotState, flag};
use super::tag::{Op, Tag};
use crate::{ConnId, Event, IdleReceive, ListenerId, Mailbox, socket};

impl Ring {
    /// Accept nothing more until [`Ring::resume`]; whoever connects waits in the kernel's queue.
    pub(crate) fn pause_accepts(&mut self) {
        self.accepts_paused = true;
        for at in 0..self.listeners.len() {
            for place in self.listeners[at].in_flight().collect::<Vec<_>>() {
                self.push_cancel(Tag::new(Op::Accept, place, at as u32).encode());
            }
        }
    }

    /// Receive and send nothing more until [`Ring::resume`]: see [`Ring::is_still`].
    pub(crate) fn stand(&mut self) {
        self.settle();
        self.pause_accepts();
        self.paused = true;
        for index in 0..self.slots.len() {
            let conn = ConnId(index as u32);
            let slot = self.slots.get(conn);
            if slot.state != SlotState::Open || slot.has(flag::CLOSE) {
                continue;
            }
            for (bit, op) in
                [(flag::RECEIVING, Op::Receive), (flag::AWAITING, Op::Readable), (flag::POLLING, Op::Writable)]
            {
                if slot.has(bit) {
                    self.push_cancel(self.tag(op, conn));
                }
            }
        }
    }

    fn push_cancel(&mut self, word: u64) {
        let cancel = opcode::AsyncCancel::new(word).build();
        self.push(&cancel.user_data(Tag::new(Op::Ignore, 0, 0).encode()));
    }

    /// Is nothing in flight, and everything that has happened reported?
    pub(crate) fn is_still(&self) -> bool {
        let is_told = self.events.is_empty() && self.ready.is_empty() && self.rearm.is_empty();
        let is_submitted = self.later.sends.is_empty() && self.leaving.is_empty();
        is_told
            && is_submitted
            && self.listeners.iter().all(|listener| listener.in_flight().next().is_none())
            && self.slots.all_still()
    }

    /// Go on where [`Ring::stand`] stopped.
    pub(crate) fn resume(&mut self) {
        (self.paused, self.accepts_paused) = (false, false);
        for index in 0..self.slots.len() {
            let conn = ConnId(index as u32);
            let slot = self.slots.get_mut(conn);
            if slot.state != SlotState::Open {
                continue;
            }
            let (is_held, stays) = (slot.has(flag::HELD), slot.has(flag::STAYS));
            slot.flags &= !flag::HELD;
            if is_held && stays && self.idle == IdleReceive::Poll {
                self.await_readable(conn);
            } else if is_held {
                self.submit_receive(conn);
            }
            if self.backlogs.contains(conn) {
                self.poll_writable(conn);
            }
        }
        for at in 0..self.listeners.len() {
            self.arm_accepts(at);
        }
    }

    /// Can descriptors of connections be had?
    pub(crate) fn can_export(&self) -> bool {
        !self.direct || self.features.fd_install
    }

    /// A second descriptor of each connection.
    pub(crate) fn export(&mut self, conns: &[ConnId]) -> Vec<io::Result<OwnedFd>> {
        if !self.direct {
            return conns.iter().map(|conn| self.borrow(*conn).try_clone_to_owned()).collect();
        }
        if !self.features.fd_install {
            return conns.iter().map(|_| Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))).collect();
        }
        let words: Vec<u64> = conns.iter().map(|conn| Tag::new(Op::Install, 1, conn.0).encode()).collect();
        for (conn, word) in conns.iter().zip(&words) {
            self.push(&opcode::FixedFdInstall::new(types::Fixed(conn.0), 0).build().user_data(*word));
        }
        words.into_iter().map(|word| self.installed(word)).collect()
    }

    fn installed(&mut self, word: u64) -> io::Result<OwnedFd> {
        let result = self.find_result(word).unwrap_or_else(|| self.wait_for(word));
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        // SAFETY: the kernel has made this descriptor for us, and nobody else knows of it.
        Ok(unsafe { OwnedFd::from_raw_fd(result) })
    }

    /// What the socket has not taken.
    pub(crate) fn unsent(&self, conn: ConnId) -> &[u8] {
        self.backlogs.unsent(conn)
    }

    /// Take over a connection of another process, with what its socket had not taken. Only while paused.
    pub(crate) fn adopt(&mut self, fd: OwnedFd, unsent: &[u8]) -> io::Result<ConnId> {
        // With it the kernel would answer instead of waiting. The other process may have needed it.
        socket::set_blocking(&fd, true)?;
        if !Mailbox(self.shared()).reserve() {
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let conn = if self.direct {
            let index = self.install(fd.as_raw_fd()).inspect_err(|_| self.shared.release())?;
            self.slots.take_at(index, -1, SlotState::Open)
        } else {
            self.slots.take(fd.into_raw_fd(), SlotState::Open)
        };
        if !unsent.is_empty() && self.backlogs.keep(conn, unsent) {
            self.counters.backlog_bytes = self.backlogs.total_bytes;
            self.slots.get_mut(conn).flags |= flag::BLOCKED;
            self.events.push_back(Event::Blocked { conn, bytes: unsent.len() });
        }
        Ok(conn)
    }

    /// Second descriptors of the listeners, in their order; `None`: it listens no more.
    pub(crate) fn listeners(&self) -> io::Result<Vec<Option<OwnedFd>>> {
        let one = |listener: &RingListener| listener.descriptor().map(OwnedFd::try_clone).transpose();
        self.listeners.iter().map(one).collect()
    }

    /// Listen with a listener of another process.
    pub(crate) fn adopt_listener(&mut self, fd: OwnedFd) -> io::Result<(ListenerId, SocketAddr)> {
        socket::set_blocking(&fd, true)?;
        let bound = socket::local_address(&fd)?;
        Ok((self.add_listener(fd), bound))
    }

    /// The result of an operation whose completion was taken already.
    fn find_result(&mut self, word: u64) -> Option<i32> {
        self.submit_soon();
        let at = self.ready.iter().position(|cqe| cqe.user_data() == word)?;
        self.ready.remove(at).map(|cqe| cqe.result())
    }

    fn submit_soon(&mut self) {
        if !self.ring.submission().is_empty() {
            self.enter(Some(Duration::ZERO));
        }
        self.harvest();
    }
}

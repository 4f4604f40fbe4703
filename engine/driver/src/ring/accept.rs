//! Accepting: one multishot operation a listener, and the peer's address.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use io_uring::{opcode, squeue, types};
use rustix::net::SocketFlags;

use super::slots::State;
use super::tag::{Op, Tag};
use super::{Ring, as_getter};
use crate::socket::{self, RawAddress};
use crate::{ConnId, Event, ListenerId, Mailbox, limits};

/// `SO_PEERNAME`: the peer's address as a socket option.
const SO_PEERNAME: u32 = 28;

#[derive(Debug)]
pub(super) struct Listener {
    fd: OwnedFd,
    /// Length of its peers' addresses, bytes: the kernel wants it exactly.
    address_len: u32,
    armed: bool,
    stopped: bool,
    paused_until: Option<Instant>,
    /// Connections that the kernel had accepted when the table was full already: they wait here, and get no answer.
    waiting: VecDeque<OwnedFd>,
}

impl Ring {
    pub(crate) fn listen(&mut self, address: SocketAddr) -> std::io::Result<(ListenerId, SocketAddr)> {
        let (fd, bound) = socket::listen(address, SocketFlags::empty())?;
        let address_len = if bound.is_ipv4() { 16 } else { 28 };
        let at = self.listeners.len();
        self.listeners.push(Listener {
            fd,
            address_len,
            armed: false,
            stopped: false,
            paused_until: None,
            waiting: VecDeque::new(),
        });
        self.arm_accept(at);
        Ok((ListenerId(at as u16), bound))
    }

    pub(crate) fn stop_listening(&mut self, listener: ListenerId) {
        let at = usize::from(listener.0);
        let Some(known) = self.listeners.get_mut(at) else { return };
        known.stopped = true;
        known.paused_until = None;
        known.waiting.clear();
        // Peers that wait in its queue are refused at once instead of when the process ends.
        let _ = rustix::net::shutdown(&known.fd, rustix::net::Shutdown::Both);
        self.cancel_accept(at);
    }

    fn arm_accept(&mut self, at: usize) {
        let listener = &mut self.listeners[at];
        if listener.armed || listener.stopped {
            return;
        }
        listener.armed = true;
        let accept = opcode::AcceptMulti::new(types::Fd(listener.fd.as_raw_fd()));
        let accept = if self.direct { accept.allocate_file_index(true) } else { accept.flags(libc::SOCK_CLOEXEC) };
        self.push(&accept.build().user_data(Tag::new(Op::Accept, 0, at as u32).encode()));
    }

    fn cancel_accept(&mut self, at: usize) {
        if self.listeners[at].armed {
            let cancel = opcode::AsyncCancel::new(Tag::new(Op::Accept, 0, at as u32).encode());
            self.push(&cancel.build().user_data(Tag::new(Op::Ignore, 0, 0).encode()));
        }
    }

    pub(super) fn accepted(&mut self, listener: u32, result: i32, more: bool) {
        let at = listener as usize;
        self.listeners[at].armed = more;
        if result >= 0 {
            self.counters.accepts += 1;
            if self.direct {
                self.ask_peer(at, result as u32);
            } else {
                // SAFETY: the kernel has just given this descriptor to us; nobody else knows it.
                self.accepted_plain(at, unsafe { OwnedFd::from_raw_fd(result) });
            }
            if self.is_full() {
                self.pause(at, 0);
            }
        } else if matches!(-result, libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS) {
            self.pause(at, -result);
        }
        let waits = self.listeners[at].paused_until.is_some();
        if !more && !waits && -result != libc::EINVAL {
            self.counters.rearmed += 1;
            self.arm_accept(at);
        }
    }

    /// Accepted connections may use no more slots: the rest is kept for arrivals.
    fn is_full(&self) -> bool {
        self.slots.used + self.slots.kept() >= self.slots.capacity
    }

    fn accepted_plain(&mut self, at: usize, fd: OwnedFd) {
        if self.is_full() || !Mailbox(self.shared()).reserve() {
            return self.listeners[at].waiting.push_back(fd);
        }
        let Some(peer) = socket::peer(&fd) else {
            // It is gone already and has no address any more.
            self.shared.room.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
            return;
        };
        let conn = self.slots.take(std::os::fd::IntoRawFd::into_raw_fd(fd), State::Open);
        self.events.push_back(Event::Accepted { conn, listener: ListenerId(at as u16), peer });
    }

    /// A direct descriptor cannot be asked by a system call, only through the ring.
    fn ask_peer(&mut self, at: usize, index: u32) {
        let conn = self.slots.take_at(index, at as i32, State::Asking);
        let len = self.listeners[at].address_len;
        let address = self.addresses.entry(conn).or_insert_with(|| Box::new(RawAddress::EMPTY));
        **address = RawAddress { len, ..RawAddress::EMPTY };
        let pointer = (&raw mut address.bytes).cast::<libc::c_void>();
        let setter = opcode::SetSockOpt::new(
            types::Fixed(index),
            libc::SOL_SOCKET as u32,
            SO_PEERNAME,
            pointer.cast_const(),
            len,
        );
        let entry: squeue::Entry = as_getter(setter.build());
        let word = self.tag(Op::Peer, conn);
        self.push(&entry.user_data(word));
    }

    pub(super) fn peer_known(&mut self, conn: ConnId, result: i32) {
        let address = self.addresses.remove(&conn);
        let slot = self.slots.get_mut(conn);
        let listener = ListenerId(slot.fd as u16);
        slot.state = State::Open;
        match address.and_then(|address| address.decode()).filter(|_| result > 0) {
            Some(peer) => self.events.push_back(Event::Accepted { conn, listener, peer }),
            // It is gone already; nobody has heard of it.
            None => self.close_unseen(conn),
        }
    }

    /// No descriptor or slot is left: wait until one is free, or a moment.
    fn pause(&mut self, at: usize, errno: i32) {
        if self.listeners[at].paused_until.is_some() || self.listeners[at].stopped {
            return;
        }
        self.cancel_accept(at);
        self.listeners[at].paused_until = Some(Instant::now() + Duration::from_millis(limits::ACCEPT_BACKOFF_MS));
        self.counters.accept_pauses += 1;
        self.events.push_back(Event::AcceptPaused { listener: ListenerId(at as u16), errno });
    }

    pub(super) fn has_paused_listener(&self) -> bool {
        self.listeners.iter().any(|listener| listener.paused_until.is_some())
    }

    pub(super) fn resume_accepts(&mut self) {
        if !self.has_paused_listener() || self.is_full() {
            return;
        }
        let now = Instant::now();
        for at in 0..self.listeners.len() {
            while !self.is_full()
                && let Some(fd) = self.listeners[at].waiting.pop_front()
            {
                self.accepted_plain(at, fd);
            }
            if self.is_full() {
                continue;
            }
            let listener = &mut self.listeners[at];
            // The cancelled accept must have ended before the next one.
            if listener.paused_until.is_some_and(|until| until <= now) && !listener.armed {
                listener.paused_until = None;
                self.arm_accept(at);
                self.events.push_back(Event::AcceptResumed { listener: ListenerId(at as u16) });
            }
        }
    }

    /// Borrow a plain descriptor for a call.
    pub(super) fn borrow(&self, conn: ConnId) -> BorrowedFd<'_> {
        // SAFETY: the slot owns its descriptor until its close is submitted, and `&self` keeps that away.
        unsafe { BorrowedFd::borrow_raw(self.slots.get(conn).fd) }
    }
}

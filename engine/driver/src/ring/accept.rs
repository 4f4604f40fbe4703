//! Accepting: some operations in flight per listener, and the peer's address.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering;
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
    /// Accepts in flight. Each holds a slot of the table.
    in_flight: u32,
    stopped: bool,
    /// No slot or no descriptor was left.
    paused_until: Option<Instant>,
}

impl Ring {
    pub(crate) fn listen(&mut self, address: SocketAddr) -> std::io::Result<(ListenerId, SocketAddr)> {
        let (fd, bound) = socket::listen(address, SocketFlags::empty())?;
        let address_len = if bound.is_ipv4() { 16 } else { 28 };
        let at = self.listeners.len();
        self.listeners.push(Listener { fd, address_len, in_flight: 0, stopped: false, paused_until: None });
        self.arm_accepts(at);
        Ok((ListenerId(at as u16), bound))
    }

    pub(crate) fn stop_listening(&mut self, listener: ListenerId) {
        let at = usize::from(listener.0);
        let Some(known) = self.listeners.get_mut(at) else { return };
        known.stopped = true;
        known.paused_until = None;
        // Peers that wait in its queue are refused at once instead of when the process ends.
        let _ = rustix::net::shutdown(&known.fd, rustix::net::Shutdown::Both);
        let all = types::CancelBuilder::user_data(Tag::new(Op::Accept, 0, at as u32).encode()).all();
        self.push(&opcode::AsyncCancel2::new(all).build().user_data(Tag::new(Op::Ignore, 0, 0).encode()));
    }

    /// Fill up the accepts in flight.
    ///
    /// Not one multishot accept: with direct descriptors the kernel closes what a full table cannot take, and how many
    /// it accepts in one go is bounded by nothing. An accept that owns its slot loses nobody (`docs/decisions/0006`).
    fn arm_accepts(&mut self, at: usize) {
        let most = (self.slots.capacity as u32 / limits::ARRIVAL_SHARE).clamp(1, limits::ACCEPTS_IN_FLIGHT);
        loop {
            let listener = &self.listeners[at];
            if listener.stopped || listener.paused_until.is_some() || listener.in_flight >= most {
                return;
            }
            if !self.has_room() || !Mailbox(self.shared()).reserve() {
                // Those in flight find out by themselves.
                return if listener.in_flight == 0 {
                    self.pause(at, 0)
                };
            }
            let accept =
                opcode::Accept::new(types::Fd(listener.fd.as_raw_fd()), std::ptr::null_mut(), std::ptr::null_mut());
            let accept = if self.direct {
                accept.file_index(Some(types::DestinationSlot::auto_target()))
            } else {
                accept.flags(libc::SOCK_CLOEXEC)
            };
            self.listeners[at].in_flight += 1;
            self.push(&accept.build().user_data(Tag::new(Op::Accept, 0, at as u32).encode()));
        }
    }

    pub(super) fn accepted(&mut self, listener: u32, result: i32) {
        let at = listener as usize;
        self.listeners[at].in_flight -= 1;
        if result >= 0 {
            self.counters.accepts += 1;
            if self.direct {
                self.ask_peer(at, result as u32);
            } else {
                // SAFETY: the kernel has just given this descriptor to us; nobody else knows it.
                self.accepted_plain(at, unsafe { OwnedFd::from_raw_fd(result) });
            }
        } else {
            self.shared.release();
            // A peer that went away while it waited is no reason to stop accepting.
            if !matches!(-result, libc::ECONNABORTED | libc::EPROTO | libc::EINTR | libc::EAGAIN) {
                self.pause(at, -result);
            }
        }
        self.arm_accepts(at);
    }

    /// Accepted connections may use no more slots than this: the rest is kept for arrivals.
    fn has_room(&self) -> bool {
        self.shared.room.load(Ordering::Acquire) > self.slots.kept() as i64
    }

    fn accepted_plain(&mut self, at: usize, fd: OwnedFd) {
        let Some(peer) = socket::peer(&fd) else {
            // It is gone already and has no address any more.
            return self.shared.release();
        };
        let conn = self.slots.take(fd.into_raw_fd(), State::Open);
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
        self.listeners[at].paused_until = Some(Instant::now() + Duration::from_millis(limits::ACCEPT_BACKOFF_MS));
        self.counters.accept_pauses += 1;
        self.events.push_back(Event::AcceptPaused { listener: ListenerId(at as u16), errno });
    }

    pub(super) fn has_paused_listener(&self) -> bool {
        self.listeners.iter().any(|listener| listener.paused_until.is_some())
    }

    pub(super) fn resume_accepts(&mut self) {
        if !self.has_paused_listener() || !self.has_room() {
            return;
        }
        let now = Instant::now();
        for at in 0..self.listeners.len() {
            if self.listeners[at].paused_until.is_some_and(|until| until <= now) {
                self.listeners[at].paused_until = None;
                self.events.push_back(Event::AcceptResumed { listener: ListenerId(at as u16) });
                self.arm_accepts(at);
            }
        }
    }

    /// Borrow a plain descriptor for a call.
    pub(super) fn borrow(&self, conn: ConnId) -> BorrowedFd<'_> {
        // SAFETY: the slot owns its descriptor until its close is submitted, and `&self` keeps that away.
        unsafe { BorrowedFd::borrow_raw(self.slots.get(conn).fd) }
    }
}

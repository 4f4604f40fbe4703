//! Accepting: some operations in flight per listener, each with room for its peer's address.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use io_uring::{opcode, types};
use rustix::net::SocketFlags;

use super::Ring;
use super::slots::SlotState;
use super::tag::{Op, Tag};
use crate::socket::{self, RawAddress};
use crate::{ConnId, Event, ListenerId, Mailbox, limits};

#[derive(Debug)]
pub(super) struct RingListener {
    fd: OwnedFd,
    /// One for each accept that may be in flight: where the kernel writes its peer's address. Never grows, so that no
    /// address moves.
    addresses: Box<[RawAddress]>,
    /// Places in `addresses` whose accept is not in flight. Each accept in flight holds a slot of the table too.
    free: Vec<u16>,
    stopped: bool,
    /// No slot or no descriptor was left.
    paused_until: Option<Instant>,
}

impl RingListener {
    /// Places whose accept is in flight.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = u16> {
        (0..self.addresses.len() as u16).filter(|place| !self.free.contains(place))
    }

    /// Its descriptor while it listens.
    pub(super) fn descriptor(&self) -> Option<&OwnedFd> {
        (!self.stopped).then_some(&self.fd)
    }
}

impl Ring {
    pub(crate) fn listen(&mut self, address: SocketAddr) -> std::io::Result<(ListenerId, SocketAddr)> {
        let (fd, bound) = socket::listen(address, SocketFlags::empty())?;
        Ok((self.add_listener(fd), bound))
    }

    pub(super) fn add_listener(&mut self, fd: OwnedFd) -> ListenerId {
        let most = (self.slots.capacity as u32 / limits::ARRIVAL_SHARE).clamp(1, limits::ACCEPTS_IN_FLIGHT) as u16;
        let addresses = vec![RawAddress::EMPTY; usize::from(most)].into_boxed_slice();
        let at = self.listeners.len();
        self.listeners.push(RingListener {
            fd,
            addresses,
            free: (0..most).rev().collect(),
            stopped: false,
            paused_until: None,
        });
        self.arm_accepts(at);
        ListenerId(at as u16)
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
    pub(super) fn arm_accepts(&mut self, at: usize) {
        while !self.accepts_paused {
            let listener = &self.listeners[at];
            let Some(&place) = listener.free.last() else { return };
            if listener.stopped || listener.paused_until.is_some() {
                return;
            }
            if !self.has_room() || !Mailbox(self.shared()).reserve() {
                // Those in flight find out by themselves.
                return if listener.free.len() == listener.addresses.len() {
                    self.pause(at, 0)
                };
            }
            let direct = self.direct;
            let listener = &mut self.listeners[at];
            listener.free.pop();
            let address = &mut listener.addresses[usize::from(place)];
            *address = RawAddress::EMPTY;
            // With the accept and not asked for afterwards: that would be an operation more for each connection.
            let (bytes, len) = ((&raw mut address.bytes).cast::<libc::sockaddr>(), &raw mut address.len);
            let accept = opcode::Accept::new(types::Fd(listener.fd.as_raw_fd()), bytes, len);
            let accept = if direct {
                accept.file_index(Some(types::DestinationSlot::auto_target()))
            } else {
                accept.flags(libc::SOCK_CLOEXEC)
            };
            self.push(&accept.build().user_data(Tag::new(Op::Accept, place, at as u32).encode()));
        }
    }

    pub(super) fn accepted(&mut self, listener: u32, place: u16, result: i32) {
        let at = listener as usize;
        let known = &mut self.listeners[at];
        known.free.push(place);
        let peer = known.addresses[usize::from(place)].decode();
        if result >= 0 {
            self.counters.accepts += 1;
            let conn = if self.direct {
                self.slots.take_at(result as u32, -1, SlotState::Open)
            } else {
                self.slots.take(result, SlotState::Open)
            };
            match peer {
                Some(peer) => self.events.push_back(Event::Accepted { conn, listener: ListenerId(at as u16), peer }),
                // No address of the internet: nobody has heard of it.
                None => self.close_unseen(conn),
            }
        } else {
            self.shared.release();
            // A peer that went away while it waited is no reason to stop accepting.
            let went_away = matches!(-result, libc::ECONNABORTED | libc::EPROTO | libc::EINTR | libc::EAGAIN);
            let is_cancelled = self.accepts_paused && -result == libc::ECANCELED;
            if !went_away && !is_cancelled {
                self.pause(at, -result);
            }
        }
        self.arm_accepts(at);
    }

    /// Accepted connections may use no more slots than this: the rest is kept for arrivals.
    fn has_room(&self) -> bool {
        self.shared.room.load(Ordering::Acquire) > self.slots.kept() as i64
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
        if !self.has_paused_listener() || !self.has_room() || self.accepts_paused {
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

//! Sockets, completions and nothing else: io_uring and a portable back end behind one interface.
//!
//! A [`Driver`] belongs to one thread. The thread's loop is: [`Driver::poll`] reports events, the caller decides,
//! [`Driver::flush`] submits everything that was decided in one system call. Received bytes are lent during the call;
//! bytes to send are borrowed during `flush` only. Other threads reach a driver through its [`Waker`] and [`Mailbox`].
//!
//! Guarantees of both back ends (one test suite checks them):
//! - Nothing is reported for a connection before `Accepted`, `Connected` or `Arrived`, and nothing after `Closed`; only
//!   then is its number used again.
//! - What ends by itself inside the kernel (a multishot receive, a full completion queue, no free buffer, a partial
//!   send) goes on by itself and is only counted.
//! - A close after a flush delivers what was flushed; an abort does not.
//! - A wake-up that was asked for after work became visible is never lost.
//!
//! This is the only crate of the product with unsafe code.

mod backlog;
mod event;
pub mod limits;
mod memory;
mod options;
mod passage;
mod portable;
mod probe;
mod ring;
mod socket;
mod waker;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

pub use event::{ConnId, DriverCounters, Event, ListenerId, Mode, Outgoing, Wait};
pub use memory::give_back_freed;
pub use options::{Backend, Choice, Descriptors, Features, IdleReceive, OpenError, Options};
pub use passage::Passage;
pub use probe::{Probe, probe};
pub use waker::{Mailbox, Waker};

enum Inner {
    Ring(Box<ring::Ring>),
    Portable(Box<portable::Portable>),
}

/// One thread's sockets.
pub struct Driver {
    inner: Inner,
    refused: Option<io::Error>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("backend", &self.backend()).field("counters", self.counters()).finish()
    }
}

macro_rules! each {
    ($self:expr, $inner:ident => $call:expr) => {
        match $self {
            Inner::Ring($inner) => $call,
            Inner::Portable($inner) => $call,
        }
    };
}

impl Driver {
    /// Open a driver on the calling thread, which must be the one that uses it.
    ///
    /// # Errors
    /// The kernel refuses io_uring although it was asked for, or a descriptor or memory is missing.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        if options.backend == Choice::Portable {
            return Ok(Self { inner: Inner::Portable(Box::new(portable::Portable::open(options)?)), refused: None });
        }
        match ring::Ring::open(options) {
            Ok(ring) => Ok(Self { inner: Inner::Ring(Box::new(ring)), refused: None }),
            Err(source) if probe::falls_back(options.backend, &source) => {
                let portable = Box::new(portable::Portable::open(options)?);
                Ok(Self { inner: Inner::Portable(portable), refused: Some(source) })
            }
            Err(source) => Err(OpenError::IoUring { source }),
        }
    }

    /// Listen on `address` (port 0: any). Listeners of several drivers may share an address; the kernel spreads new
    /// connections over them. Returns the address that was bound.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn listen(&mut self, address: SocketAddr) -> io::Result<(ListenerId, SocketAddr)> {
        each!(&mut self.inner, inner => inner.listen(address))
    }

    /// Take no more connections from a listener.
    pub fn stop_listening(&mut self, listener: ListenerId) {
        each!(&mut self.inner, inner => inner.stop_listening(listener));
    }

    /// Start receiving. Must not be called while the connection is armed.
    pub fn arm(&mut self, conn: ConnId, mode: Mode) {
        each!(&mut self.inner, inner => inner.arm(conn, mode));
    }

    /// Begin an outgoing connection; `Connected` or `ConnectFailed` follows. `from` chooses the source address.
    ///
    /// # Errors
    /// No descriptor or slot is left (EMFILE, ENFILE), or the source address cannot be used.
    pub fn connect(&mut self, from: Option<SocketAddr>, to: SocketAddr) -> io::Result<ConnId> {
        each!(&mut self.inner, inner => inner.connect(from, to))
    }

    /// Close after what was flushed has left; `Closed` follows.
    pub fn close(&mut self, conn: ConnId) {
        each!(&mut self.inner, inner => inner.close(conn, false));
    }

    /// Close with a reset; `Closed` follows.
    pub fn abort(&mut self, conn: ConnId) {
        each!(&mut self.inner, inner => inner.close(conn, true));
    }

    /// Move a connection to another driver. Nothing may be armed and nothing blocked. `Closed` follows here and
    /// `Arrived` there, or `TransferFailed` here. `token` must be below 2^56.
    pub fn transfer(&mut self, conn: ConnId, to: &Mailbox, token: u64) {
        debug_assert!(token >> limits::TOKEN_BITS == 0, "a token has {} bits", limits::TOKEN_BITS);
        each!(&mut self.inner, inner => inner.transfer(conn, to, token));
    }

    /// Submit everything, these sends included. On return nothing refers to `arena` any more. At most one range a
    /// connection.
    pub fn flush(&mut self, arena: &[u8], sends: &[Outgoing]) {
        each!(&mut self.inner, inner => inner.flush(arena, sends));
    }

    /// The same with the next [`Driver::poll`], close or transfer, which saves a system call; how the sends went is told
    /// then. Both vectors are taken and come back empty, with the memory of the last call.
    pub fn flush_later(&mut self, arena: &mut Vec<u8>, sends: &mut Vec<Outgoing>) {
        match &mut self.inner {
            Inner::Ring(ring) => ring.flush_later(arena, sends),
            Inner::Portable(portable) => {
                portable.flush(arena, sends);
                arena.clear();
                sends.clear();
            }
        }
    }

    /// Report what has happened. Sleeps only with [`Wait::Until`], only if nothing has happened, and only if `has_work`
    /// says no after the thread was declared asleep: what others make visible before they use the waker is not missed.
    /// Returns the number of events.
    ///
    /// # Errors
    /// The kernel fails in a way that the driver cannot go on from.
    pub fn poll(
        &mut self,
        wait: Wait,
        has_work: &mut dyn FnMut() -> bool,
        on: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<usize> {
        each!(&mut self.inner, inner => inner.poll(wait, has_work, on))
    }

    /// Where other drivers can transfer connections to.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        Mailbox(each!(&self.inner, inner => inner.shared()))
    }

    /// Wakes this driver's thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(each!(&self.inner, inner => inner.shared()))
    }

    /// Counters since it was opened.
    #[must_use]
    pub fn counters(&self) -> &DriverCounters {
        each!(&self.inner, inner => inner.counters())
    }

    /// The back end in use.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.inner {
            Inner::Ring(_) => Backend::IoUring,
            Inner::Portable(_) => Backend::Portable,
        }
    }

    /// Why io_uring is not used although it could have been.
    #[must_use]
    pub fn refused(&self) -> Option<&io::Error> {
        self.refused.as_ref()
    }

    /// The newer io_uring features in use.
    #[must_use]
    pub fn features(&self) -> Features {
        match &self.inner {
            Inner::Ring(ring) => ring.features(),
            Inner::Portable(_) => Features::LINUX_6_1,
        }
    }

    /// Are sockets kept in the ring's own table, outside the process's descriptor limit?
    #[must_use]
    pub fn is_direct(&self) -> bool {
        matches!(&self.inner, Inner::Ring(ring) if ring.is_direct())
    }

    /// Connections that it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        each!(&self.inner, inner => inner.capacity())
    }

    /// Accept nothing more until [`Driver::resume`]. Whoever connects waits in the kernel's queue.
    pub fn pause_accepts(&mut self) {
        each!(&mut self.inner, inner => inner.pause_accepts());
    }

    /// Come to a stand: accept and receive nothing more, send nothing that waits. What is in flight ends: poll until
    /// [`Driver::is_still`]. What is armed meanwhile is armed at [`Driver::resume`].
    pub fn pause(&mut self) {
        each!(&mut self.inner, inner => inner.stand());
    }

    /// Is nothing in flight but closes that wait for peers, and everything that has happened reported?
    #[must_use]
    pub fn is_still(&self) -> bool {
        each!(&self.inner, inner => inner.is_still())
    }

    /// Go on where [`Driver::pause`] stopped: what was armed is armed again.
    pub fn resume(&mut self) {
        each!(&mut self.inner, inner => inner.resume());
    }

    /// Can [`Driver::export`] be used? Not for direct descriptors before Linux 6.8.
    #[must_use]
    pub fn can_export(&self) -> bool {
        match &self.inner {
            Inner::Ring(ring) => ring.can_export(),
            Inner::Portable(_) => true,
        }
    }

    /// A second descriptor of each of these connections, for another process, while the driver stands still. The
    /// connections stay here; whoever goes on with one must know that nobody else does.
    pub fn export(&mut self, conns: &[ConnId]) -> Vec<io::Result<OwnedFd>> {
        each!(&mut self.inner, inner => inner.export(conns))
    }

    /// What the socket of a connection has not taken.
    #[must_use]
    pub fn unsent(&self, conn: ConnId) -> &[u8] {
        each!(&self.inner, inner => inner.unsent(conn))
    }

    /// Take over a connection of another process, while this driver stands still; `unsent` leaves first. Nothing is armed,
    /// and nothing is reported but `Blocked` if something is unsent.
    ///
    /// # Errors
    /// No slot or descriptor is left (ENFILE, EMFILE).
    pub fn adopt(&mut self, fd: OwnedFd, unsent: &[u8]) -> io::Result<ConnId> {
        each!(&mut self.inner, inner => inner.adopt(fd, unsent))
    }

    /// Second descriptors of the listeners in the order of [`Driver::listen`]; `None`: stopped.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn listeners(&self) -> io::Result<Vec<Option<OwnedFd>>> {
        each!(&self.inner, inner => inner.listeners())
    }

    /// Listen with a listener of another process. Returns the address that it is bound to.
    ///
    /// # Errors
    /// It is no listener of the internet.
    pub fn adopt_listener(&mut self, fd: OwnedFd) -> io::Result<(ListenerId, SocketAddr)> {
        each!(&mut self.inner, inner => inner.adopt_listener(fd))
    }
}

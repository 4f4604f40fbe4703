//! The portable back end: readiness through mio, the same events.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use crate::backlog::Backlogs;
use crate::waker::Shared;
use crate::{ConnId, DriverCounters, Event, ListenerId, Mailbox, Mode, Options, Outgoing, Wait, limits, probe, socket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Open,
    /// Close when the backlog has left.
    Closing,
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    state: State,
    mode: Option<Mode>,
    /// The kernel may have bytes (or an end) that were not read.
    readable: bool,
    /// In the queue of sockets to read.
    queued: bool,
    blocked: bool,
}

#[derive(Debug)]
struct Listener {
    fd: OwnedFd,
    paused_until: Option<Instant>,
    queued: bool,
}

const WAKER: Token = Token(usize::MAX - 1);
/// Listeners count down from here; sockets count up from 0.
const LISTENERS: usize = usize::MAX - 2;

/// See the module's page.
pub(crate) struct Portable {
    poll: Poll,
    ready: mio::Events,
    sockets: Vec<Option<Socket>>,
    free: Vec<u32>,
    used: usize,
    capacity: usize,
    listeners: Vec<Option<Listener>>,
    to_read: VecDeque<ConnId>,
    to_accept: VecDeque<usize>,
    events: VecDeque<Event<'static>>,
    backlogs: Backlogs,
    buffer: Box<[u8]>,
    shared: Arc<Shared>,
    counters: DriverCounters,
    /// Nothing is accepted for now.
    accepts_paused: bool,
    /// Nothing is received and nothing that waits is sent for now.
    paused: bool,
}

fn errno(error: rustix::io::Errno) -> i32 {
    error.raw_os_error()
}

impl Portable {
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        let capacity = (options.connections.min(limits::MAX_CONNECTIONS) as usize)
            .min(probe::plain_capacity(probe::descriptor_limit()));
        let shared = Shared::new(capacity, None)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&shared.eventfd().as_raw_fd()), WAKER, Interest::READABLE)?;
        Ok(Self {
            poll,
            ready: mio::Events::with_capacity(1_024),
            sockets: Vec::new(),
            free: Vec::new(),
            used: 0,
            capacity,
            listeners: Vec::new(),
            to_read: VecDeque::new(),
            to_accept: VecDeque::new(),
            events: VecDeque::new(),
            backlogs: Backlogs::default(),
            buffer: vec![0; limits::PORTABLE_BUFFER_BYTES].into(),
            shared,
            counters: DriverCounters::default(),
            accepts_paused: false,
            paused: false,
        })
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(crate) fn counters(&self) -> &DriverCounters {
        &self.counters
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn listen(&mut self, address: SocketAddr) -> io::Result<(ListenerId, SocketAddr)> {
        let (fd, bound) = socket::listen(address, SocketFlags::NONBLOCK)?;
        Ok((self.add_listener(fd)?, bound))
    }

    fn add_listener(&mut self, fd: OwnedFd) -> io::Result<ListenerId> {
        let at = self.listeners.len();
        let token = Token(LISTENERS - at);
        self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)?;
        self.listeners.push(Some(Listener { fd, paused_until: None, queued: false }));
        Ok(ListenerId(at as u16))
    }

    pub(crate) fn stop_listening(&mut self, listener: ListenerId) {
        if let Some(slot) = self.listeners.get_mut(usize::from(listener.0)) {
            *slot = None;
        }
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        self.sockets.get_mut(conn.index()).and_then(Option::as_mut)
    }

    /// Put a socket in a slot; the caller has reserved room.
    fn insert(&mut self, fd: OwnedFd, state: State) -> io::Result<ConnId> {
        let conn = ConnId(self.free.pop().unwrap_or_else(|| {
            self.sockets.push(None);
            self.sockets.len() as u32 - 1
        }));
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), Token(conn.index()), interest)
        {
            self.free.push(conn.0);
            return Err(error);
        }
        // Bytes may have come before the registration; reading once finds out.
        self.sockets[conn.index()] =
            Some(Socket { fd, state, mode: None, readable: true, queued: false, blocked: false });
        self.used += 1;
        Ok(conn)
    }

    fn reserve(&self) -> bool {
        Mailbox(Arc::clone(&self.shared)).reserve()
    }

    fn release(&mut self, conn: ConnId) -> Option<OwnedFd> {
        let socket = self.sockets.get_mut(conn.index())?.take()?;
        self.backlogs.forget(conn);
        self.used -= 1;
        self.events.push_back(Event::Closed { conn });
        Some(socket.fd)
    }

    pub(crate) fn arm(&mut self, conn: ConnId, mode: Mode) {
        let Some(socket) = self.socket(conn) else { return };
        debug_assert!(socket.mode.is_none(), "{conn:?} is armed twice");
        socket.mode = Some(mode);
        if socket.readable && !socket.queued {
            socket.queued = true;
            self.to_read.push_back(conn);
        }
    }

    pub(crate) fn connect(&mut self, from: Option<SocketAddr>, to: SocketAddr) -> io::Result<ConnId> {
        if !self.reserve() {
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let begun =
            socket::outgoing(from, to, SocketFlags::NONBLOCK).and_then(|fd| match rustix::net::connect(&fd, &to) {
                Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(fd),
                Err(error) => Err(error.into()),
            });
        let inserted = begun.and_then(|fd| self.insert(fd, State::Connecting));
        if inserted.is_err() {
            self.shared.release();
        }
        inserted
    }

    pub(crate) fn close(&mut self, conn: ConnId, abort: bool) {
        let waits = self.backlogs.contains(conn) && !abort;
        let Some(socket) = self.socket(conn) else { return };
        socket.mode = None;
        if waits {
            socket.state = State::Closing;
            return;
        }
        if abort {
            socket::reset_on_close(&socket.fd);
        }
        drop(self.release(conn));
    }

    pub(crate) fn transfer(&mut self, conn: ConnId, to: &Mailbox, token: u64) {
        if !to.reserve() {
            return self.events.push_back(Event::TransferFailed { token, conn, errno: libc::ENFILE });
        }
        let Some(fd) = self.release(conn) else { return };
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd.as_raw_fd()));
        to.post(token, fd);
    }

    pub(crate) fn flush(&mut self, arena: &[u8], sends: &[Outgoing]) {
        for send in sends.iter().filter(|send| send.end > send.start) {
            let bytes = &arena[send.start as usize..send.end as usize];
            self.counters.sends += 1;
            let Some(socket) = self.sockets.get(send.conn.index()).and_then(Option::as_ref) else { continue };
            let sent = if self.backlogs.contains(send.conn) {
                0
            } else {
                match rustix::net::send(&socket.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                    Ok(n) => n,
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => 0,
                    Err(error) => {
                        self.events.push_back(Event::Failed { conn: send.conn, errno: errno(error) });
                        continue;
                    }
                }
            };
            if sent < bytes.len() {
                self.keep(send.conn, &bytes[sent..]);
            }
        }
    }

    fn keep(&mut self, conn: ConnId, rest: &[u8]) {
        self.counters.short_sends += 1;
        if !self.backlogs.keep(conn, rest) {
            return self.events.push_back(Event::Failed { conn, errno: libc::ENOBUFS });
        }
        self.counters.backlog_bytes = self.backlogs.total_bytes;
        if let Some(socket) = self.socket(conn)
            && !std::mem::replace(&mut socket.blocked, true)
        {
            self.events.push_back(Event::Blocked { conn, bytes: 0 });
        }
    }

    pub(crate) fn poll(
        &mut self,
        wait: Wait,
        has_work: &mut dyn FnMut() -> bool,
        on: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<usize> {
        self.resume_accepts();
        let reads = !self.paused && !self.to_read.is_empty();
        let accepts = !self.accepts_paused && !self.to_accept.is_empty();
        let idle = self.events.is_empty() && !reads && !accepts;
        let mut timeout = match wait {
            Wait::Until(time) if idle => time,
            _ => Duration::ZERO,
        };
        if self.listeners.iter().flatten().any(|l| l.paused_until.is_some()) {
            timeout = timeout.min(Duration::from_millis(limits::ACCEPT_BACKOFF_MS));
        }
        if timeout > Duration::ZERO {
            self.shared.fall_asleep();
            if has_work() || self.shared.has_mail() {
                timeout = Duration::ZERO;
            }
        }
        self.counters.enters += 1;
        let polled = self.poll.poll(&mut self.ready, Some(timeout));
        self.shared.wake_up();
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut ready = std::mem::replace(&mut self.ready, mio::Events::with_capacity(0));
        for event in &ready {
            self.counters.completions += 1;
            self.readiness(event);
        }
        ready.clear();
        self.ready = ready;
        self.arrivals();
        self.accept_all();
        let mut count = self.deliver(on);
        count += self.read_all(on);
        count += self.deliver(on);
        Ok(count)
    }

    fn deliver(&mut self, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut count = 0;
        while let Some(event) = self.events.pop_front() {
            if let Event::Closed { conn } = event {
                // Only now: the number must not have a new life before the end of the old one is told.
                self.free.push(conn.0);
                self.shared.release();
            }
            on(self.backlogs.counted(event));
            count += 1;
        }
        count
    }

    fn readiness(&mut self, event: &mio::event::Event) {
        match event.token() {
            WAKER => {
                let _ = rustix::io::read(self.shared.eventfd(), &mut [0u8; 8]);
                self.events.push_back(Event::Woken);
            }
            Token(at) if at > LISTENERS - self.listeners.len() => self.queue_accept(LISTENERS - at),
            Token(at) => self.socket_readiness(ConnId(at as u32), event),
        }
    }

    fn socket_readiness(&mut self, conn: ConnId, event: &mio::event::Event) {
        let Some(socket) = self.socket(conn) else { return };
        if socket.state == State::Connecting {
            if event.is_writable() || event.is_error() {
                self.connected(conn);
            }
            return;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            socket.readable = true;
            if socket.mode.is_some() && !socket.queued {
                socket.queued = true;
                self.to_read.push_back(conn);
            }
        }
        if event.is_writable() && self.backlogs.contains(conn) && !self.paused {
            self.send_backlog(conn);
        }
    }

    fn connected(&mut self, conn: ConnId) {
        let Some(socket) = self.socket(conn) else { return };
        match rustix::net::sockopt::socket_error(&socket.fd) {
            Ok(Ok(())) => {
                socket.state = State::Open;
                self.events.push_back(Event::Connected { conn });
            }
            Ok(Err(error)) | Err(error) => {
                self.events.push_back(Event::ConnectFailed { conn, errno: errno(error) });
                drop(self.release(conn));
            }
        }
    }

    fn send_backlog(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get(conn.index()).and_then(Option::as_ref) else { return };
        match rustix::net::send(&socket.fd, self.backlogs.unsent(conn), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => {
                let is_done = self.backlogs.sent(conn, n);
                self.counters.backlog_bytes = self.backlogs.total_bytes;
                if is_done {
                    self.unblocked(conn);
                } else {
                    // Edge-triggered: only a full socket will tell again.
                    self.send_backlog(conn);
                }
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => {
                self.backlogs.forget(conn);
                if self.socket(conn).is_some_and(|s| s.state == State::Closing) {
                    drop(self.release(conn));
                } else {
                    self.events.push_back(Event::Failed { conn, errno: errno(error) });
                }
            }
        }
    }

    fn unblocked(&mut self, conn: ConnId) {
        let Some(socket) = self.socket(conn) else { return };
        socket.blocked = false;
        if socket.state == State::Closing {
            drop(self.release(conn));
        } else {
            self.events.push_back(Event::Drained { conn });
        }
    }

    fn arrivals(&mut self) {
        for (token, fd) in self.shared.take_mail() {
            match self.insert(fd, State::Open) {
                Ok(conn) => self.events.push_back(Event::Arrived { token, conn }),
                Err(_) => {
                    self.shared.release();
                }
            }
        }
    }

    fn queue_accept(&mut self, at: usize) {
        if let Some(Some(listener)) = self.listeners.get_mut(at)
            && listener.paused_until.is_none()
            && !std::mem::replace(&mut listener.queued, true)
        {
            self.to_accept.push_back(at);
        }
    }

    fn resume_accepts(&mut self) {
        if self.listeners.iter().flatten().all(|l| l.paused_until.is_none()) {
            return;
        }
        let now = Instant::now();
        for at in 0..self.listeners.len() {
            if let Some(listener) = &mut self.listeners[at]
                && listener.paused_until.is_some_and(|until| until <= now)
            {
                listener.paused_until = None;
                self.events.push_back(Event::AcceptResumed { listener: ListenerId(at as u16) });
                self.queue_accept(at);
            }
        }
    }

    fn accept_all(&mut self) {
        let turn = if self.accepts_paused { 0 } else { self.to_accept.len() };
        for _ in 0..turn {
            let Some(at) = self.to_accept.pop_front() else { return };
            if let Some(listener) = self.listeners[at].as_mut() {
                listener.queued = false;
            }
            for _ in 0..limits::ACCEPTS_PER_TURN {
                if !self.accept_one(at) {
                    break;
                }
            }
        }
    }

    /// Accept one connection; true if there may be more right now.
    fn accept_one(&mut self, at: usize) -> bool {
        let Some(Some(listener)) = self.listeners.get_mut(at) else { return false };
        let id = ListenerId(at as u16);
        let reserved = self.used + self.capacity / limits::ARRIVAL_SHARE as usize;
        if reserved >= self.capacity || !Mailbox(Arc::clone(&self.shared)).reserve() {
            self.pause(at, 0);
            return false;
        }
        let accepted = rustix::net::acceptfrom_with(&listener.fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC);
        let result = accepted.and_then(|(fd, peer)| {
            let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(rustix::io::Errno::CONNABORTED)?;
            let conn = self.insert(fd, State::Open).map_err(|_| rustix::io::Errno::NOMEM)?;
            Ok((conn, peer))
        });
        if result.is_err() {
            self.shared.release();
        }
        match result {
            Ok((conn, peer)) => {
                self.counters.accepts += 1;
                self.events.push_back(Event::Accepted { conn, listener: id, peer });
                true
            }
            Err(rustix::io::Errno::AGAIN) => false,
            Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => true,
            Err(error) => {
                self.pause(at, errno(error));
                false
            }
        }
    }

    fn pause(&mut self, at: usize, errno: i32) {
        if let Some(Some(listener)) = self.listeners.get_mut(at) {
            listener.paused_until = Some(Instant::now() + Duration::from_millis(limits::ACCEPT_BACKOFF_MS));
            self.counters.accept_pauses += 1;
            self.events.push_back(Event::AcceptPaused { listener: ListenerId(at as u16), errno });
        }
    }

    /// One read for every socket that has something, in turn.
    fn read_all(&mut self, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let turn = if self.paused { 0 } else { self.to_read.len() };
        for _ in 0..turn {
            let Some(conn) = self.to_read.pop_front() else { break };
            self.read_one(conn, on);
        }
        turn
    }

    fn read_one(&mut self, conn: ConnId, on: &mut dyn FnMut(Event<'_>)) {
        let Some(socket) = self.sockets.get_mut(conn.index()).and_then(Option::as_mut) else { return };
        socket.queued = false;
        let Some(mode) = socket.mode else { return };
        match rustix::net::recv(&socket.fd, &mut *self.buffer, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => {
                socket.mode = None;
                on(Event::EndOfStream { conn });
            }
            Ok((_, n)) => {
                if mode == Mode::Once {
                    socket.mode = None;
                } else {
                    socket.queued = true;
                    self.to_read.push_back(conn);
                }
                on(Event::Received { conn, bytes: &mut self.buffer[..n] });
            }
            Err(rustix::io::Errno::AGAIN) => socket.readable = false,
            Err(rustix::io::Errno::INTR) => {
                socket.queued = true;
                self.to_read.push_back(conn);
            }
            Err(error) => {
                socket.mode = None;
                on(Event::Failed { conn, errno: errno(error) });
            }
        }
    }

    /// Accept nothing more until [`Portable::resume`].
    pub(crate) fn pause_accepts(&mut self) {
        self.accepts_paused = true;
    }

    /// Receive nothing more, and send nothing that waits, until [`Portable::resume`].
    pub(crate) fn stand(&mut self) {
        (self.accepts_paused, self.paused) = (true, true);
    }

    /// Nothing is in flight by itself: only what is to be reported and what closes.
    pub(crate) fn is_still(&self) -> bool {
        self.events.is_empty() && self.sockets.iter().flatten().all(|socket| socket.state != State::Connecting)
    }

    /// Go on.
    pub(crate) fn resume(&mut self) {
        (self.accepts_paused, self.paused) = (false, false);
        for listener in self.listeners.iter().flatten() {
            // Another process may have needed it otherwise.
            let _ = socket::set_blocking(&listener.fd, false);
        }
        for at in 0..self.sockets.len() {
            let conn = ConnId(at as u32);
            if self.backlogs.contains(conn) {
                self.send_backlog(conn);
            }
        }
        for at in 0..self.listeners.len() {
            self.queue_accept(at);
        }
    }

    /// A second descriptor of each connection.
    pub(crate) fn export(&self, conns: &[ConnId]) -> Vec<io::Result<OwnedFd>> {
        let one = |conn: &ConnId| match self.sockets.get(conn.index()).and_then(Option::as_ref) {
            Some(socket) => socket.fd.try_clone(),
            None => Err(io::Error::from_raw_os_error(libc::EBADF)),
        };
        conns.iter().map(one).collect()
    }

    /// What the socket has not taken.
    pub(crate) fn unsent(&self, conn: ConnId) -> &[u8] {
        self.backlogs.unsent(conn)
    }

    /// Take over a connection of another process, with what its socket had not taken. Only while paused.
    pub(crate) fn adopt(&mut self, fd: OwnedFd, unsent: &[u8]) -> io::Result<ConnId> {
        if !self.reserve() {
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let conn = self.insert(fd, State::Open).inspect_err(|_| self.shared.release())?;
        if !unsent.is_empty() && self.backlogs.keep(conn, unsent) {
            self.counters.backlog_bytes = self.backlogs.total_bytes;
            if let Some(socket) = self.socket(conn) {
                socket.blocked = true;
            }
            self.events.push_back(Event::Blocked { conn, bytes: unsent.len() });
        }
        Ok(conn)
    }

    /// Second descriptors of the listeners, in their order; `None`: it listens no more.
    pub(crate) fn listeners(&self) -> io::Result<Vec<Option<OwnedFd>>> {
        self.listeners.iter().map(|slot| slot.as_ref().map(|listener| listener.fd.try_clone()).transpose()).collect()
    }

    /// Listen with a listener of another process.
    pub(crate) fn adopt_listener(&mut self, fd: OwnedFd) -> io::Result<(ListenerId, SocketAddr)> {
        socket::set_blocking(&fd, false)?;
        let bound = socket::local_address(&fd)?;
        Ok((self.add_listener(fd)?, bound))
    }
}

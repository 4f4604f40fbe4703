//! io_uring by hand, with what measured best: multishot accept, multishot receive into shared buffers, SINGLE_ISSUER with
//! deferred task work, one send a connection and tick, all of a tick's sends in the enter that waits next. An idle
//! connection holds its [`Conversation`] and a place in the table, no buffer.

mod buffers;

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use crate::conversation::Conversation;
use buffers::{Buffers, GROUP};

/// Submission and completion queue, entries.
const SUBMISSIONS: u32 = 4_096;
const COMPLETIONS: u32 = 16_384;
/// Completions that a tick takes at most.
const TICK: usize = 256;
/// Taken whole or refused at once, so that the bytes need not outlive the enter.
const SEND_FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_WAITALL | libc::MSG_NOSIGNAL;

const ACCEPT: u64 = 1 << 32;
const RECEIVE: u64 = 2 << 32;
const SEND: u64 = 3 << 32;

struct Send {
    fd: i32,
    start: usize,
    end: usize,
}

struct Server {
    // Dropped before the buffers that its operations point to.
    ring: IoUring,
    buffers: Buffers,
    listener: i32,
    table: Vec<Option<(OwnedFd, Conversation)>>,
    /// Answers of this tick; untouched until the enter that submits their sends has returned.
    arena: Vec<u8>,
    sends: Vec<Send>,
}

/// Serve until an error.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_coop_taskrun().setup_defer_taskrun().setup_taskrun_flag();
    let ring = builder.setup_no_sqarray().setup_cqsize(COMPLETIONS).setup_clamp().build(SUBMISSIONS)?;
    let buffers = Buffers::register(&ring)?;
    let (arena, sends) = (Vec::with_capacity(64 * 1024), Vec::with_capacity(TICK));
    let mut server = Server { ring, buffers, listener: listener.as_raw_fd(), table: Vec::new(), arena, sends };
    server.accept_more()?;
    let mut ready = Vec::with_capacity(TICK);
    loop {
        server.wait(&mut ready)?;
        server.arena.clear();
        for completion in ready.drain(..) {
            server.complete(&completion)?;
        }
        server.send_all()?;
    }
}

impl Server {
    /// Submit, wait for a completion, and take what else is there: an enter runs 20 deferred completions at most.
    fn wait(&mut self, ready: &mut Vec<cqueue::Entry>) -> io::Result<()> {
        self.enter(1)?;
        loop {
            let before = ready.len();
            ready.extend(self.ring.completion());
            let has_more = ready.len() > before && self.ring.submission().taskrun();
            if !has_more || ready.len() >= TICK {
                return Ok(());
            }
            self.enter(0)?;
        }
    }

    fn enter(&self, want: usize) -> io::Result<()> {
        match self.ring.submit_and_wait(want) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what entries point to is the registered buffers, which outlive the ring, and the arena, which is
            // not touched before the enter that submits them has returned.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.enter(0)?;
        }
    }

    fn accept_more(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(types::Fd(self.listener)).flags(libc::SOCK_CLOEXEC);
        self.push(&accept.build().user_data(ACCEPT))
    }

    fn receive(&mut self, fd: i32) -> io::Result<()> {
        let receive = opcode::RecvMulti::new(types::Fd(fd), GROUP);
        self.push(&receive.build().user_data(RECEIVE | fd as u64))
    }

    fn complete(&mut self, completion: &cqueue::Entry) -> io::Result<()> {
        let (word, result) = (completion.user_data(), completion.result());
        let (operation, fd) = (word & !0xFFFF_FFFF, word as u32 as i32);
        let has_ended = !cqueue::more(completion.flags());
        match operation {
            ACCEPT => {
                if result >= 0 {
                    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
                    let owned = unsafe { OwnedFd::from_raw_fd(result) };
                    self.open(owned)?;
                }
                if has_ended { self.accept_more() } else { Ok(()) }
            }
            RECEIVE => self.received(completion, fd, has_ended),
            // Only failed sends complete.
            _ => {
                self.close(fd);
                Ok(())
            }
        }
    }

    fn open(&mut self, owned: OwnedFd) -> io::Result<()> {
        let fd = owned.as_raw_fd();
        if self.table.len() <= fd as usize {
            self.table.resize_with(fd as usize + 1, || None);
        }
        self.table[fd as usize] = Some((owned, Conversation::default()));
        self.receive(fd)
    }

    fn received(&mut self, completion: &cqueue::Entry, fd: i32, has_ended: bool) -> io::Result<()> {
        let result = completion.result();
        let mut goes_on = result > 0 || result == -libc::ENOBUFS;
        if let Some(id) = cqueue::buffer_select(completion.flags()) {
            if result > 0
                && let Some((_, conversation)) = &mut self.table[fd as usize]
            {
                let start = self.arena.len();
                goes_on = conversation.take(self.buffers.bytes(id, result as usize), &mut self.arena);
                let end = self.arena.len();
                match self.sends.last_mut() {
                    Some(last) if last.fd == fd => last.end = end,
                    _ if end > start => self.sends.push(Send { fd, start, end }),
                    _ => {}
                }
            }
            self.buffers.give_back(id);
        }
        if !goes_on {
            self.close(fd);
        } else if has_ended && self.table[fd as usize].is_some() {
            self.receive(fd)?;
        }
        Ok(())
    }

    /// Wakes its receive, which completes with 0 and is of nobody's then.
    fn close(&mut self, fd: i32) {
        if let Some((owned, _)) = self.table[fd as usize].take() {
            let _ = rustix::net::shutdown(&owned, rustix::net::Shutdown::Both);
        }
    }

    /// Queue the sends; the enter of the next wait submits them.
    fn send_all(&mut self) -> io::Result<()> {
        for at in 0..self.sends.len() {
            let Send { fd, start, end } = self.sends[at];
            let bytes = &self.arena[start..end];
            let send = opcode::Send::new(types::Fd(fd), bytes.as_ptr(), bytes.len() as u32).flags(SEND_FLAGS);
            let entry = send.build().flags(squeue::Flags::SKIP_SUCCESS).user_data(SEND | fd as u64);
            self.push(&entry)?;
        }
        self.sends.clear();
        Ok(())
    }
}

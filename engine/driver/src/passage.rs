//! The socket between two processes: bytes, with descriptors beside them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use crate::limits::PASSAGE_DESCRIPTORS;

/// One end. Sending and receiving block, at most as long as [`Passage::set_timeout`] says.
#[derive(Debug)]
pub struct Passage {
    stream: UnixStream,
}

impl Passage {
    /// Both ends. The second is for another process: as its standard input it survives the start of a program.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Self { stream: ours }, theirs.into()))
    }

    /// The end that is this process's standard input, which becomes /dev/null.
    ///
    /// # Errors
    /// It is no socket.
    pub fn of_stdin() -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        rustix::net::sockopt::socket_type(stdin)?;
        let fd = stdin.try_clone_to_owned()?;
        let null = std::fs::File::open("/dev/null")?;
        rustix::stdio::dup2_stdin(&null)?;
        Ok(Self { stream: fd.into() })
    }

    /// A call takes no longer than this; `None`: as long as it takes.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn set_timeout(&self, within: Option<Duration>) -> io::Result<()> {
        self.stream.set_read_timeout(within)?;
        self.stream.set_write_timeout(within)
    }

    /// Send all of `bytes`, and beside the first of them these descriptors, at most [`PASSAGE_DESCRIPTORS`].
    ///
    /// # Errors
    /// The other end is closed, or does not read in time: what was sent may have come in part.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSAGE_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        let mut at = 0;
        while at < bytes.len() {
            let slice = [IoSlice::new(&bytes[at..])];
            match rustix::net::sendmsg(&self.stream, &slice, &mut control, SendFlags::NOSIGNAL) {
                Ok(sent) => at += sent,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            control.clear();
        }
        Ok(())
    }

    /// Receive some bytes into `buffer`, and append the descriptors that came beside them. 0: the other end is closed.
    ///
    /// # Errors
    /// Nothing came in time; descriptors came that this process has no room for.
    pub fn receive(&self, buffer: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSAGE_DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slice = [IoSliceMut::new(buffer)];
        let received = rustix::net::recvmsg(&self.stream, &mut slice, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(came) = message {
                descriptors.extend(came);
            }
        }
        if received.flags.contains(rustix::net::ReturnFlags::CTRUNC) {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        Ok(received.bytes)
    }

    /// Has the other end said something, or gone? Waits at most this long.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn has_something(&self, within: Duration) -> io::Result<bool> {
        let mut polled = [rustix::event::PollFd::new(&self.stream, rustix::event::PollFlags::IN)];
        let time =
            rustix::event::Timespec { tv_sec: within.as_secs() as i64, tv_nsec: i64::from(within.subsec_nanos()) };
        match rustix::event::poll(&mut polled, Some(&time)) {
            Ok(count) => Ok(count > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl From<OwnedFd> for Passage {
    /// The other end, in the same process.
    fn from(fd: OwnedFd) -> Self {
        Self { stream: fd.into() }
    }
}

impl AsFd for Passage {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

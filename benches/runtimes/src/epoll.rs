//! epoll by hand: level-triggered, so that a read that did not fill the buffer is the only one; one buffer and one list of
//! answers for all connections. An idle connection holds its [`Conversation`] and a place in the table.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::{SendFlags, SocketFlags};

use crate::conversation::Conversation;

const LISTENER: u64 = u64::MAX;

/// Serve until an error.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&queue, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut table: Vec<Option<(OwnedFd, Conversation)>> = Vec::new();
    let (mut buffer, mut out) = (vec![0; 16 * 1024], Vec::with_capacity(16 * 1024));
    let mut events = vec![MaybeUninit::uninit(); 256];
    loop {
        let (ready, _) = match epoll::wait(&queue, &mut events, None) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for event in ready {
            if event.data.u64() == LISTENER {
                accept_all(&queue, listener, &mut table)?;
                continue;
            }
            let at = event.data.u64() as usize;
            let Some((fd, conversation)) = table[at].as_mut() else { continue };
            let goes_on = match rustix::io::read(&*fd, &mut buffer) {
                Ok(0) => false,
                Ok(count) => {
                    out.clear();
                    conversation.take(&buffer[..count], &mut out) && send(fd, &out)
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => true,
                Err(_) => false,
            };
            if !goes_on {
                table[at] = None;
            }
        }
    }
}

/// True if all was taken. A peer that reads so slowly is of no interest here.
fn send(fd: &OwnedFd, out: &[u8]) -> bool {
    out.is_empty() || rustix::net::send(fd, out, SendFlags::NOSIGNAL).is_ok_and(|sent| sent == out.len())
}

fn accept_all(
    queue: &OwnedFd,
    listener: &TcpListener,
    table: &mut Vec<Option<(OwnedFd, Conversation)>>,
) -> io::Result<()> {
    loop {
        match rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(fd) => {
                let at = fd.as_raw_fd() as usize;
                if table.len() <= at {
                    table.resize_with(at + 1, || None);
                }
                epoll::add(queue, &fd, EventData::new_u64(at as u64), EventFlags::IN)?;
                table[at] = Some((fd, Conversation::default()));
            }
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

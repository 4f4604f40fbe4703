//! Outgoing connections: for the load generator and the fleet.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, IntoRawFd};

use io_uring::{opcode, types};
use rustix::net::SocketFlags;

use super::slots::{SlotState, flag};
use super::tag::{Op, Tag};
use super::{Ring, on_descriptor};
use crate::socket::{self, RawAddress};
use crate::{ConnId, Event, Mailbox, limits};

/// IORING_FILE_INDEX_ALLOC: any free slot of the table.
const ANY_SLOT: i32 = -1;

impl Ring {
    pub(crate) fn connect(&mut self, from: Option<SocketAddr>, to: SocketAddr) -> io::Result<ConnId> {
        if !Mailbox(self.shared()).reserve() {
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let fd = socket::outgoing(from, to, SocketFlags::empty()).inspect_err(|_| self.shared.release())?;
        let conn = if self.direct {
            let index = self.install(fd.as_raw_fd()).inspect_err(|_| self.shared.release())?;
            // The table has its own reference now.
            drop(fd);
            self.slots.take_at(index, -1, SlotState::Connecting)
        } else {
            self.slots.take(fd.into_raw_fd(), SlotState::Connecting)
        };
        let address = Box::new(RawAddress::encode(to));
        let (pointer, len) = ((&raw const address.bytes).cast(), address.len);
        self.addresses.insert(conn, address);
        let entry = on_descriptor!(self, conn, fd => opcode::Connect::new(fd, pointer, len).build());
        let word = self.tag(Op::Connect, conn);
        self.push(&entry.user_data(word));
        Ok(conn)
    }

    /// Put a descriptor into a slot of the table that is free here too: the kernel may have closed a connection whose
    /// completion has not been looked at, and its number belongs to it until then.
    pub(super) fn install(&mut self, fd: i32) -> io::Result<u32> {
        let mut taken = Vec::new();
        let found = loop {
            match self.install_anywhere(fd) {
                Ok(index) if self.slots.get(ConnId(index)).state == SlotState::Free => break Ok(index),
                Ok(index) if taken.len() < limits::INSTALL_TRIES => taken.push(index),
                Ok(index) => {
                    taken.push(index);
                    break Err(io::Error::from_raw_os_error(libc::ENFILE));
                }
                Err(error) => break Err(error),
            }
        };
        for index in taken {
            let close = opcode::Close::new(types::Fixed(index)).build();
            self.push(&close.user_data(Tag::new(Op::Ignore, 0, 0).encode()));
        }
        found
    }

    /// Put a descriptor into any slot that is free in the kernel.
    fn install_anywhere(&mut self, fd: i32) -> io::Result<u32> {
        let mut slot = Box::new(fd);
        let word = Tag::new(Op::Install, 0, 0).encode();
        let update = opcode::FilesUpdate::new(&raw const *slot, 1).offset(ANY_SLOT);
        self.push(&update.build().user_data(word));
        let result = self.wait_for(word);
        if result < 0 {
            return Err(io::Error::from_raw_os_error(-result));
        }
        // The kernel wrote the slot's number over the descriptor's.
        // SAFETY: the box lives and is aligned; a volatile read, since the compiler did not see the kernel write.
        let index = unsafe { (&raw mut *slot).read_volatile() };
        u32::try_from(index).map_err(|_| io::Error::from_raw_os_error(libc::ENFILE))
    }

    pub(super) fn connected(&mut self, conn: ConnId, result: i32) {
        self.addresses.remove(&conn);
        let slot = self.slots.get_mut(conn);
        slot.state = SlotState::Open;
        if slot.has(flag::CLOSE) {
            return self.close_if_quiet(conn);
        }
        if result == 0 {
            return self.events.push_back(Event::Connected { conn });
        }
        self.events.push_back(Event::ConnectFailed { conn, errno: -result });
        self.close(conn, true);
    }
}

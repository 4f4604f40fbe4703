//! Waiting with a poll, which holds 256 bytes of kernel memory where an armed receive holds 864.

use io_uring::opcode;

use super::slots::flag;
use super::tag::Op;
use super::{Ring, on_descriptor};
use crate::ConnId;

impl Ring {
    /// Wait until the connection has bytes, an end or an error. Any of these is told by the receive that follows.
    pub(super) fn await_readable(&mut self, conn: ConnId) {
        self.slots.get_mut(conn).flags |= flag::AWAITING;
        let entry = on_descriptor!(self, conn, fd => opcode::PollAdd::new(fd, libc::POLLIN as u32).build());
        let word = self.tag(Op::Readable, conn);
        self.push(&entry.user_data(word));
    }

    /// The poll is over, whatever it says.
    pub(super) fn readable(&mut self, conn: ConnId) {
        let slot = self.slots.get_mut(conn);
        slot.flags &= !flag::AWAITING;
        if slot.has(flag::CLOSE) {
            return self.close_if_quiet(conn);
        }
        self.takes = true;
        self.receive_now(conn);
    }
}

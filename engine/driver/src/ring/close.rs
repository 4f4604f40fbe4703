//! Closing: cancel, wait for what is in flight, close, and only then free the number.

use io_uring::{opcode, squeue, types};

use super::slots::{SlotState, flag};
use super::tag::{Op, Tag};
use super::{Ring, on_descriptor};
use crate::socket;
use crate::{ConnId, Event};

/// A linger of zero: the close resets the connection. The kernel reads it when the entry is submitted.
static LINGER_ZERO: libc::linger = libc::linger { l_onoff: 1, l_linger: 0 };

impl Ring {
    pub(crate) fn close(&mut self, conn: ConnId, abort: bool) {
        let slot = self.slots.get_mut(conn);
        if slot.state != SlotState::Open && slot.state != SlotState::Connecting {
            return;
        }
        // What was flushed leaves first, or is known to wait.
        self.settle();
        let slot = self.slots.get_mut(conn);
        slot.flags |= flag::CLOSE;
        if abort {
            slot.flags |= flag::ABORT;
        }
        let slot = *slot;
        if abort {
            self.backlogs.forget(conn);
            self.counters.backlog_bytes = self.backlogs.total_bytes;
        }
        if slot.has(flag::RECEIVING) {
            self.cancel(conn, Op::Receive);
        }
        if slot.has(flag::AWAITING) {
            self.cancel(conn, Op::Readable);
        }
        if slot.has(flag::POLLING) && abort {
            self.cancel(conn, Op::Writable);
        }
        if slot.state == SlotState::Connecting {
            self.cancel(conn, Op::Connect);
        }
        self.close_if_quiet(conn);
    }

    fn cancel(&mut self, conn: ConnId, op: Op) {
        let cancel = opcode::AsyncCancel::new(self.tag(op, conn)).build();
        self.push(&cancel.user_data(Tag::new(Op::Ignore, 0, 0).encode()));
    }

    /// Submit the close once no operation of the connection is in flight.
    pub(super) fn close_if_quiet(&mut self, conn: ConnId) {
        let slot = self.slots.get_mut(conn);
        if !slot.is_quiet() || slot.state == SlotState::Connecting || slot.state == SlotState::Closing {
            return;
        }
        slot.state = SlotState::Closing;
        if slot.has(flag::ABORT) {
            self.reset_on_close(conn);
        }
        let entry = on_descriptor!(self, conn, fd => opcode::Close::new(fd).build());
        let word = self.tag(Op::Close, conn);
        self.push(&entry.user_data(word));
    }

    fn reset_on_close(&mut self, conn: ConnId) {
        if !self.direct {
            return socket::reset_on_close(self.borrow(conn));
        }
        let (level, name) = (libc::SOL_SOCKET as u32, libc::SO_LINGER as u32);
        let value = (&raw const LINGER_ZERO).cast();
        let option =
            opcode::SetSockOpt::new(types::Fixed(conn.0), level, name, value, size_of::<libc::linger>() as u32);
        let entry = option.build().flags(squeue::Flags::SKIP_SUCCESS);
        self.push(&entry.user_data(Tag::new(Op::Ignore, 0, 0).encode()));
    }

    /// Close a connection that was never reported.
    pub(super) fn close_unseen(&mut self, conn: ConnId) {
        let slot = self.slots.get_mut(conn);
        slot.state = SlotState::Leaving;
        let entry = on_descriptor!(self, conn, fd => opcode::Close::new(fd).build());
        let word = self.tag(Op::Close, conn);
        self.push(&entry.user_data(word));
    }

    pub(super) fn closed(&mut self, conn: ConnId) {
        let was_seen = self.slots.get(conn).state == SlotState::Closing;
        self.free(conn);
        if was_seen {
            self.events.push_back(Event::Closed { conn });
        }
    }

    /// The number may be used again.
    pub(super) fn free(&mut self, conn: ConnId) {
        self.backlogs.forget(conn);
        self.counters.backlog_bytes = self.backlogs.total_bytes;
        self.slots.give_back(conn, !self.direct);
        self.shared.release();
    }
}

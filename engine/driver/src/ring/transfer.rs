//! Moving connections between drivers.

use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};

use io_uring::types::{DestinationSlot, Fd, Fixed};
use io_uring::{opcode, squeue};

use super::Ring;
use super::slots::SlotState;
use super::tag::{Op, Tag};
use crate::{ConnId, Event, Mailbox};

impl Ring {
    pub(crate) fn transfer(&mut self, conn: ConnId, to: &Mailbox, token: u64) {
        self.settle();
        let slot = self.slots.get(conn);
        debug_assert!(slot.state == SlotState::Open && slot.is_quiet());
        if self.direct != to.0.ring.is_some() {
            // Back ends of one process are opened alike.
            return self.events.push_back(Event::TransferFailed { token, conn, errno: libc::EOPNOTSUPP });
        }
        if !to.reserve() {
            return self.events.push_back(Event::TransferFailed { token, conn, errno: libc::ENFILE });
        }
        self.counters.transfers += 1;
        match to.0.ring {
            Some(ring) => self.transfer_direct(conn, to, ring, token),
            None => self.transfer_plain(conn, to, token),
        }
    }

    /// Send the descriptor to the other ring's table, and close it here if that worked. Both in one submission: a
    /// broken link would close it in any case.
    fn transfer_direct(&mut self, conn: ConnId, to: &Mailbox, ring: i32, token: u64) {
        self.slots.get_mut(conn).state = SlotState::Leaving;
        self.leaving.insert(conn, (token, to.clone()));
        let target = DestinationSlot::auto_target();
        let send = opcode::MsgRingSendFd::new(Fd(ring), Fixed(conn.0), target, Tag::arrival(token)).build();
        let send = send.flags(squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS);
        let close = opcode::Close::new(Fixed(conn.0)).build().user_data(self.tag(Op::TransferClose, conn));
        let send = send.user_data(self.tag(Op::Transfer, conn));
        self.push_all(&[send, close]);
    }

    fn transfer_plain(&mut self, conn: ConnId, to: &Mailbox, token: u64) {
        // SAFETY: the slot owned the descriptor and gives it up here; it is freed below.
        let fd = unsafe { OwnedFd::from_raw_fd(self.slots.get(conn).fd) };
        to.post(token, fd);
        self.free(conn);
        self.events.push_back(Event::Closed { conn });
    }

    /// The other ring did not take it: the linked close was cancelled, everything is as before.
    pub(super) fn transfer_refused(&mut self, conn: ConnId, result: i32) {
        let Some((token, to)) = self.leaving.remove(&conn) else { return };
        to.0.release();
        self.slots.get_mut(conn).state = SlotState::Open;
        self.events.push_back(Event::TransferFailed { token, conn, errno: -result });
    }

    pub(super) fn transferred(&mut self, conn: ConnId, result: i32) {
        if result == -libc::ECANCELED {
            // `transfer_refused` tells, before or after.
            return;
        }
        self.leaving.remove(&conn);
        self.free(conn);
        self.events.push_back(Event::Closed { conn });
    }

    /// A direct descriptor has come into the table; its slot was reserved by the sender.
    pub(super) fn arrived(&mut self, token: u64, result: i32) {
        if result >= 0 {
            let conn = self.slots.take_at(result as u32, -1, SlotState::Open);
            self.events.push_back(Event::Arrived { token, conn });
        }
    }

    /// Plain descriptors that came through the mailbox; their slots were reserved by the senders.
    pub(super) fn arrivals(&mut self) {
        for (token, fd) in self.shared.take_mail() {
            let conn = self.slots.take(fd.into_raw_fd(), SlotState::Open);
            self.events.push_back(Event::Arrived { token, conn });
        }
    }
}

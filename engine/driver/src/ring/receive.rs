//! Receiving into provided buffers.

use io_uring::{cqueue, opcode, squeue};

use super::buffers::GROUP;
use super::slots::{RingSlot, SlotState, flag};
use super::tag::Op;
use super::{Ring, on_descriptor};
use crate::{ConnId, Event, IdleReceive, Mode};

/// How a receive that is over goes on; the last two only for connections that wait with a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextReceive {
    /// As it was armed.
    Receive,
    /// At once: there are more bytes.
    Now,
    /// When there are bytes.
    Await,
}

impl Ring {
    pub(crate) fn arm(&mut self, conn: ConnId, mode: Mode) {
        let slot = self.slots.get_mut(conn);
        debug_assert!(!slot.has(flag::RECEIVING | flag::AWAITING | flag::HELD), "{conn:?} is armed twice");
        debug_assert_eq!(slot.state, SlotState::Open);
        match mode {
            Mode::Once => slot.flags &= !flag::STAYS,
            Mode::Multi => slot.flags |= flag::STAYS,
        }
        if self.paused {
            slot.flags |= flag::HELD;
        } else if mode == Mode::Multi && self.idle == IdleReceive::Poll {
            self.await_readable(conn);
        } else {
            self.submit_receive(conn);
        }
    }

    pub(super) fn submit_receive(&mut self, conn: ConnId) {
        let slot = self.slots.get_mut(conn);
        slot.flags |= flag::RECEIVING;
        let stays = slot.has(flag::STAYS);
        let entry = on_descriptor!(self, conn, fd => if stays {
            opcode::RecvMulti::new(fd, GROUP).build()
        } else {
            opcode::Recv::new(fd, std::ptr::null_mut(), 0).buf_group(GROUP).build().flags(squeue::Flags::BUFFER_SELECT)
        });
        let word = self.tag(Op::Receive, conn);
        self.push(&entry.user_data(word));
    }

    /// Receive what is there; it never waits.
    pub(super) fn receive_now(&mut self, conn: ConnId) {
        self.slots.get_mut(conn).flags |= flag::RECEIVING;
        let entry = on_descriptor!(self, conn, fd => {
            opcode::Recv::new(fd, std::ptr::null_mut(), 0).buf_group(GROUP).flags(libc::MSG_DONTWAIT).build()
        });
        let word = self.tag(Op::Receive, conn);
        self.push(&entry.flags(squeue::Flags::BUFFER_SELECT).user_data(word));
    }

    /// Arm again what ended by itself with this completion, once its buffer is back.
    fn go_on(&mut self, conn: ConnId, slot: RingSlot, cqe: &cqueue::Entry) {
        let next = if !slot.has(flag::STAYS) || self.idle == IdleReceive::Armed {
            NextReceive::Receive
        } else if cqueue::sock_nonempty(cqe.flags()) || cqe.result() == -libc::ENOBUFS {
            NextReceive::Now
        } else {
            NextReceive::Await
        };
        self.counters.rearmed += u64::from(next == NextReceive::Receive);
        self.rearm.push((conn, next));
    }

    /// One completion of a receive; returns 1 if it was reported.
    pub(super) fn received(&mut self, conn: ConnId, cqe: &cqueue::Entry, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let result = cqe.result();
        let buffer = cqueue::buffer_select(cqe.flags());
        let slot = self.slots.get_mut(conn);
        if !cqueue::more(cqe.flags()) {
            slot.flags &= !flag::RECEIVING;
        }
        let slot = *slot;
        let is_wanted = slot.state == SlotState::Open && !slot.has(flag::CLOSE);
        if is_wanted {
            match (result, buffer) {
                (1.., Some(id)) => {
                    let bytes = self.buffers.bytes(id, result as usize);
                    on(Event::Received { conn, bytes });
                    if !slot.has(flag::RECEIVING) && slot.has(flag::STAYS) {
                        self.go_on(conn, slot, cqe);
                    }
                }
                (0, _) => on(Event::EndOfStream { conn }),
                _ if -result == libc::ENOBUFS => {
                    self.counters.no_buffers += 1;
                    self.go_on(conn, slot, cqe);
                }
                // Interrupted by a signal or the end of a task: nothing was read.
                _ if matches!(-result, libc::EINTR | libc::EAGAIN | libc::ECANCELED) => {
                    self.go_on(conn, slot, cqe);
                }
                _ => on(Event::Failed { conn, errno: -result }),
            }
        }
        if let Some(id) = buffer {
            self.buffers.give_back(id);
        }
        if slot.has(flag::CLOSE) {
            self.close_if_quiet(conn);
        }
        usize::from(is_wanted)
    }

    /// Give the buffer of a late completion back.
    pub(super) fn return_buffer(&mut self, cqe: &cqueue::Entry) {
        if let Some(id) = cqueue::buffer_select(cqe.flags()) {
            self.buffers.give_back(id);
        }
    }

    /// Arm again what ended by itself, now that its buffers are back.
    pub(super) fn rearm_all(&mut self) {
        for (conn, next) in std::mem::take(&mut self.rearm) {
            let slot = self.slots.get(conn);
            if slot.state != SlotState::Open || slot.has(flag::CLOSE | flag::RECEIVING | flag::AWAITING) {
                continue;
            }
            match next {
                _ if self.paused => self.slots.get_mut(conn).flags |= flag::HELD,
                NextReceive::Receive => self.submit_receive(conn),
                NextReceive::Now => self.receive_now(conn),
                NextReceive::Await => self.await_readable(conn),
            }
        }
    }
}

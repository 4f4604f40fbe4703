//! Receiving into provided buffers.

use io_uring::{cqueue, opcode, squeue};

use super::buffers::GROUP;
use super::slots::{State, flag};
use super::tag::Op;
use super::{Ring, on_descriptor};
use crate::{ConnId, Event, Mode};

impl Ring {
    pub(crate) fn arm(&mut self, conn: ConnId, mode: Mode) {
        let slot = self.slots.get_mut(conn);
        debug_assert!(!slot.has(flag::RECEIVING), "{conn:?} is armed twice");
        debug_assert_eq!(slot.state, State::Open);
        slot.flags |= flag::RECEIVING;
        match mode {
            Mode::Once => slot.flags &= !flag::STAYS,
            Mode::Multi => slot.flags |= flag::STAYS,
        }
        self.submit_receive(conn);
    }

    fn submit_receive(&mut self, conn: ConnId) {
        let stays = self.slots.get(conn).has(flag::STAYS);
        let entry = on_descriptor!(self, conn, fd => if stays {
            opcode::RecvMulti::new(fd, GROUP).build()
        } else {
            opcode::Recv::new(fd, std::ptr::null_mut(), 0).buf_group(GROUP).build().flags(squeue::Flags::BUFFER_SELECT)
        });
        let word = self.tag(Op::Receive, conn);
        self.push(&entry.user_data(word));
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
        let is_wanted = slot.state == State::Open && !slot.has(flag::CLOSE);
        if is_wanted {
            match (result, buffer) {
                (1.., Some(id)) => {
                    let bytes = self.buffers.bytes(id, result as usize);
                    on(Event::Received { conn, bytes });
                    if !slot.has(flag::RECEIVING) && slot.has(flag::STAYS) {
                        self.counters.rearmed += 1;
                        self.rearm.push(conn);
                    }
                }
                (0, _) => on(Event::EndOfStream { conn }),
                _ if -result == libc::ENOBUFS => {
                    self.counters.no_buffers += 1;
                    self.rearm.push(conn);
                }
                // Interrupted by a signal or the end of a task: nothing was read.
                _ if matches!(-result, libc::EINTR | libc::EAGAIN | libc::ECANCELED) => self.rearm.push(conn),
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
        for conn in std::mem::take(&mut self.rearm) {
            let slot = self.slots.get_mut(conn);
            if slot.state == State::Open && !slot.has(flag::CLOSE) && !slot.has(flag::RECEIVING) {
                slot.flags |= flag::RECEIVING;
                self.submit_receive(conn);
            }
        }
    }
}

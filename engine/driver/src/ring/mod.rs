//! The io_uring back end. One file an operation; here the queues and the loop.

mod accept;
mod buffers;
mod close;
mod connect;
mod handover;
mod idle;
mod receive;
#[cfg(test)]
mod scripted;
mod send;
mod setup;
mod slots;
mod tag;
mod transfer;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, squeue};

use crate::backlog::Backlogs;
use crate::socket::RawAddress;
use crate::waker::Shared;
use crate::{ConnId, DriverCounters, Event, Features, IdleReceive, Mailbox, Outgoing, Wait, limits};
use accept::RingListener;
use buffers::Buffers;
use receive::NextReceive;
use slots::{RingSlots, SlotState};
use tag::{Op, Tag};

/// What a ring is put together from.
struct RingParts {
    ring: IoUring,
    buffers: Buffers,
    shared: Arc<Shared>,
    features: Features,
    direct: bool,
    slots: RingSlots,
    idle: IdleReceive,
}

/// Sends that the next enter submits: what their entries point to stays untouched until then.
#[derive(Default)]
struct Later {
    arena: Vec<u8>,
    sends: Vec<Outgoing>,
}

/// One thread's ring. The ring is dropped before the buffers and addresses that its operations point to.
pub(crate) struct Ring {
    ring: IoUring,
    buffers: Buffers,
    slots: RingSlots,
    direct: bool,
    features: Features,
    shared: Arc<Shared>,
    /// Completions that were taken from the queue and not looked at yet.
    ready: VecDeque<cqueue::Entry>,
    /// Sends of the current flush that were not taken whole: place in the flush, result.
    unsent: Vec<(u32, i32)>,
    later: Later,
    events: VecDeque<Event<'static>>,
    /// Receives that ended by themselves, and how they go on.
    rearm: Vec<(ConnId, NextReceive)>,
    /// How connections that stay wait for their next bytes.
    idle: IdleReceive,
    /// Receives that complete at once were queued.
    takes: bool,
    listeners: Vec<RingListener>,
    /// Nothing is accepted for now.
    accepts_paused: bool,
    /// Nothing is received and nothing waits to be sent for now.
    paused: bool,
    /// Addresses that operations in flight read or write.
    addresses: HashMap<ConnId, Box<RawAddress>>,
    /// Transfers in flight: token and target.
    leaving: HashMap<ConnId, (u64, Mailbox)>,
    backlogs: Backlogs,
    /// Where the eventfd is read to.
    wake_count: Box<u64>,
    counters: DriverCounters,
    /// The errno with which the ring stopped working: nothing is submitted any more, and each poll reports it.
    broken: Option<i32>,
}

/// Call an operation's constructor on a slot's descriptor, direct or plain.
macro_rules! on_descriptor {
    ($ring:expr, $conn:expr, $fd:ident => $op:expr) => {
        if $ring.direct {
            let $fd = io_uring::types::Fixed($conn.0);
            $op
        } else {
            let $fd = io_uring::types::Fd($ring.slots.get($conn).fd);
            $op
        }
    };
}
use on_descriptor;

impl Ring {
    pub(crate) fn counters(&self) -> &DriverCounters {
        &self.counters
    }

    pub(crate) fn features(&self) -> Features {
        self.features
    }

    pub(crate) fn is_direct(&self) -> bool {
        self.direct
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity
    }

    /// Put an entry into the submission queue, submitting first if it is full.
    fn push(&mut self, entry: &squeue::Entry) {
        self.push_all(std::slice::from_ref(entry));
    }

    /// Put linked entries into the queue: all in one submission.
    fn push_all(&mut self, entries: &[squeue::Entry]) {
        loop {
            // SAFETY: what the entries point to (addresses, buffers, backlog, arena) lives until their completion was
            // taken: addresses in `self.addresses` and `self.listeners`, buffers in `self.buffers`, an arena until the end of
            // `flush`, or in `self.later` until the entries were submitted.
            if unsafe { self.ring.submission().push_multiple(entries) }.is_ok() {
                return;
            }
            if self.broken.is_some() {
                // Nobody takes the entries that are in the way.
                return;
            }
            self.enter(None);
            self.harvest();
        }
    }

    fn tag(&self, op: Op, conn: ConnId) -> u64 {
        Tag::new(op, self.slots.get(conn).generation, conn.0).encode()
    }

    /// One system call: submit what is queued and let the kernel finish what it has deferred. `wait`: sleep until there is
    /// a completion, at most so long.
    fn enter(&mut self, mut wait: Option<Duration>) {
        while self.broken.is_none() {
            self.counters.enters += 1;
            let time = Timespec::from(wait.unwrap_or_default());
            // A wait of zero is no substitute for no wait: it sets a timer and sleeps until that has fired, 4 us.
            let (want, args) = match wait {
                Some(_) => (1, SubmitArgs::new().timespec(&time)),
                None => (0, SubmitArgs::new()),
            };
            match self.ring.submitter().submit_with_args(want, &args) {
                Ok(_) => return,
                Err(error) => match error.raw_os_error() {
                    // The time is over; or a signal or an arriving descriptor came, which the caller will see.
                    Some(libc::ETIME | libc::EINTR) => {
                        if wait.is_some() || self.ring.submission().is_empty() {
                            return;
                        }
                    }
                    // The completion queue overflowed, or memory is short for a moment: make room and go on.
                    Some(libc::EBUSY | libc::EAGAIN | libc::ENOMEM) => {
                        self.harvest();
                        // Nobody sleeps over what is there by now.
                        wait = wait.filter(|_| self.ready.is_empty());
                        std::thread::yield_now();
                    }
                    // Nothing else can be done about a broken ring. EBADR is one, too: the kernel had no memory for a
                    // completion and dropped it, and whose it was nobody can say.
                    _ => self.broken = Some(error.raw_os_error().unwrap_or(libc::EIO)),
                },
            }
        }
    }

    /// Submit what is queued and collect what has completed by now, up to [`limits::REAP`] and without sleeping. The
    /// kernel finishes 20 operations an enter. That more wait is said by a flag, which may be left over: an enter that
    /// brings nothing is the last.
    fn collect(&mut self) {
        loop {
            let before = self.counters.completions;
            let (is_submitting, has_deferred) = {
                let queue = self.ring.submission();
                (!queue.is_empty(), queue.taskrun())
            };
            if is_submitting || (has_deferred && self.ready.len() < limits::REAP) {
                self.enter(None);
            }
            self.harvest();
            let is_over = !is_submitting && self.counters.completions == before;
            if is_over || self.ready.len() >= limits::REAP || self.broken.is_some() {
                return;
            }
        }
    }

    /// Take all completions from the queue, also those that overflowed into the kernel.
    fn harvest(&mut self) {
        loop {
            let before = self.ready.len() + self.unsent.len();
            let mut queue = self.ring.completion();
            queue.sync();
            for cqe in &mut queue {
                match Tag::decode(cqe.user_data()) {
                    Some(Tag { op: Op::Send, index, .. }) => self.unsent.push((index, cqe.result())),
                    _ => self.ready.push_back(cqe),
                }
            }
            drop(queue);
            self.counters.completions += (self.ready.len() + self.unsent.len() - before) as u64;
            if self.broken.is_some() || !self.ring.submission().cq_overflow() {
                return;
            }
            self.counters.overflows += 1;
            // Only asks the kernel to move what overflowed; its result is what the next round finds.
            let _ = self.ring.submit();
        }
    }

    pub(crate) fn poll(
        &mut self,
        wait: Wait,
        has_work: &mut dyn FnMut() -> bool,
        on: &mut dyn FnMut(Event<'_>),
    ) -> io::Result<usize> {
        self.resume_accepts();
        self.harvest();
        match wait {
            Wait::Until(time) if self.is_quiet() => self.sleep(time, has_work),
            _ => self.collect(),
        }
        self.settle();
        self.arrivals();
        let mut count = self.deliver(on);
        count += self.complete_all(on);
        if std::mem::take(&mut self.takes) {
            // Their bytes are there already: they belong to this tick.
            self.collect();
            count += self.complete_all(on);
        }
        self.rearm_all();
        count += self.deliver(on);
        match self.broken {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(count),
        }
    }

    fn complete_all(&mut self, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut count = 0;
        while let Some(cqe) = self.ready.pop_front() {
            count += self.complete(&cqe, on);
            count += self.deliver(on);
        }
        count
    }

    fn is_quiet(&self) -> bool {
        self.ready.is_empty() && self.events.is_empty() && !self.shared.has_mail()
    }

    /// Submit what is queued and sleep, in one enter, until there is something; then collect it all.
    fn sleep(&mut self, time: Duration, has_work: &mut dyn FnMut() -> bool) {
        self.shared.fall_asleep();
        if !has_work() && !self.shared.has_mail() {
            let time = if self.has_paused_listener() {
                time.min(Duration::from_millis(limits::ACCEPT_BACKOFF_MS))
            } else {
                time
            };
            self.enter(Some(time));
            self.harvest();
        }
        self.shared.wake_up();
        self.collect();
    }

    fn deliver(&mut self, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut count = 0;
        while let Some(event) = self.events.pop_front() {
            on(self.backlogs.counted(event));
            count += 1;
        }
        count
    }

    /// Handle one completion; returns how many events it reported by itself.
    fn complete(&mut self, cqe: &cqueue::Entry, on: &mut dyn FnMut(Event<'_>)) -> usize {
        let word = cqe.user_data();
        let Some(tag) = Tag::decode(word) else { return 0 };
        let (result, conn) = (cqe.result(), ConnId(tag.index));
        match tag.op {
            Op::Accept => self.accepted(tag.index, tag.generation, result),
            Op::Ignore | Op::Send => {}
            Op::Arrive => self.arrived(Tag::token(word), result),
            Op::Wake => {
                self.arm_waker();
                self.events.push_back(Event::Woken);
            }
            _ if !self.is_current(tag) => {
                self.counters.late += 1;
                self.return_buffer(cqe);
            }
            Op::Receive => return self.received(conn, cqe, on),
            Op::Readable => self.readable(conn),
            Op::Writable => self.writable(conn, result),
            // Waited for where they are submitted.
            Op::SendRest | Op::Install => {}
            Op::Connect => self.connected(conn, result),
            Op::Close => self.closed(conn),
            Op::Transfer => self.transfer_refused(conn, result),
            Op::TransferClose => self.transferred(conn, result),
        }
        0
    }

    fn is_current(&self, tag: Tag) -> bool {
        let slot = self.slots.get(ConnId(tag.index));
        slot.state != SlotState::Free && slot.generation == tag.generation
    }
}

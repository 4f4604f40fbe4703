//! Completions as a kernel may give them and hardly ever does: another ring posts them into the queue of the one under test,
//! with any operation, result and flags. EBADR is no completion: it ends the ring (docs/decisions/0118), which
//! `engine/driver/tests/broken.rs` shows with another error of enter.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use io_uring::{IoUring, opcode, types};

use super::Ring;
use super::slots::{SlotState, flag};
use super::tag::{Op, Tag};
use crate::{Choice, ConnId, Event, Mailbox, Mode, Options, Outgoing, Wait};

/// Flags of a completion: it has a buffer, more will follow.
const BUFFER: u32 = 1;
const MORE: u32 = 2;

/// What a test looks at.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Received(Vec<u8>),
    Closed,
    TransferFailed(u64),
    Blocked,
    Other(String),
}

struct Scene {
    ring: Ring,
    kernel: IoUring,
    client: TcpStream,
    conn: ConnId,
    heard: Vec<Heard>,
}

impl Scene {
    /// A ring with one connection, which is not armed.
    fn new(options: Options) -> Self {
        let mut ring = Ring::open(&Options { backend: Choice::IoUring, connections: 8, ..options }).expect("a ring");
        let (_, at) = ring.listen(([127, 0, 0, 1], 0).into()).expect("listens");
        let client = TcpStream::connect(at).expect("connects");
        client.set_nodelay(true).expect("an open socket");
        client.set_read_timeout(Some(Duration::from_secs(20))).expect("an open socket");
        let mut accepted = None;
        while accepted.is_none() {
            let note = &mut |event: Event<'_>| {
                if let Event::Accepted { conn, .. } = event {
                    accepted = Some(conn);
                }
            };
            ring.poll(Wait::Until(Duration::from_millis(20)), &mut || false, note).expect("polls");
        }
        let kernel = IoUring::new(8).expect("another ring");
        Self { ring, kernel, client, conn: accepted.expect("accepted"), heard: Vec::new() }
    }

    fn tag(&self, op: Op) -> Tag {
        Tag::new(op, self.ring.slots.get(self.conn).generation, self.conn.0)
    }

    /// The kernel says this.
    fn post(&mut self, tag: Tag, result: i32, flags: u32) {
        let target = types::Fd(self.ring.ring.as_raw_fd());
        let entry = opcode::MsgRingData::new(target, result, tag.encode(), Some(flags)).build();
        // SAFETY: the entry points to nothing.
        unsafe { self.kernel.submission().push(&entry) }.expect("room");
        self.kernel.submit_and_wait(1).expect("submits");
        let done = self.kernel.completion().next().expect("a completion");
        assert_eq!(done.result(), 0, "the message was not posted");
    }

    /// It seems to be armed, though the kernel knows nothing of it.
    fn pretend_armed(&mut self) {
        self.ring.slots.get_mut(self.conn).flags |= flag::RECEIVING | flag::STAYS;
    }

    fn poll(&mut self) {
        let heard = &mut self.heard;
        let note = &mut |event: Event<'_>| match event {
            Event::Received { bytes, .. } => heard.push(Heard::Received(bytes.to_vec())),
            Event::Closed { .. } => heard.push(Heard::Closed),
            Event::TransferFailed { token, .. } => heard.push(Heard::TransferFailed(token)),
            Event::Blocked { .. } => heard.push(Heard::Blocked),
            Event::Drained { .. } | Event::Woken => {}
            other => heard.push(Heard::Other(format!("{other:?}"))),
        };
        self.ring.poll(Wait::Until(Duration::from_millis(5)), &mut || false, note).expect("polls");
    }

    /// Poll until something was heard that fits, or fail; then a little longer, for what must not come.
    fn poll_until(&mut self, mut done: impl FnMut(&[Heard]) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !done(&self.heard) {
            assert!(Instant::now() < end, "{:?}", self.heard);
            self.poll();
        }
        (0..3).for_each(|_| self.poll());
    }

    fn bytes(&self) -> Vec<u8> {
        let part = |heard: &Heard| if let Heard::Received(bytes) = heard { bytes.clone() } else { Vec::new() };
        self.heard.iter().flat_map(part).collect()
    }

    /// The connection is as any other: bytes go to and fro.
    fn expect_alive(&mut self) {
        self.heard.clear();
        self.ring.arm(self.conn, Mode::Multi);
        self.client.write_all(b"to").expect("the connection stands");
        self.poll_until(|heard| !heard.is_empty());
        assert_eq!(self.heard, [Heard::Received(b"to".to_vec())]);
        self.ring.flush(b"fro", &[Outgoing { conn: self.conn, start: 0, end: 3 }]);
        let mut back = [0; 3];
        self.client.read_exact(&mut back).expect("the connection stands");
        assert_eq!(&back, b"fro");
    }
}

#[test]
fn a_receive_without_a_buffer_is_armed_again() {
    for errno in [libc::ENOBUFS, libc::EINTR, libc::EAGAIN] {
        let mut scene = Scene::new(Options::default());
        scene.pretend_armed();
        scene.post(scene.tag(Op::Receive), -errno, 0);
        scene.poll();
        assert_eq!(scene.heard, [], "after {errno}");
        scene.client.write_all(b"x").expect("the connection stands");
        scene.poll_until(|heard| !heard.is_empty());
        assert_eq!(scene.heard, [Heard::Received(b"x".to_vec())], "after {errno}");
        assert_eq!(scene.ring.counters.no_buffers, u64::from(errno == libc::ENOBUFS));
    }
}

#[test]
fn bytes_that_complete_after_the_close_are_not_reported_and_the_end_is_once() {
    let mut scene = Scene::new(Options::default());
    scene.pretend_armed();
    let (receive, buffers) = (scene.tag(Op::Receive), scene.ring.buffers.entries());
    scene.ring.close(scene.conn, false);
    // The cancel comes too late: the receive had completed, and says so before it ends.
    scene.post(receive, 5, BUFFER | MORE | u32::from(buffers - 1) << 16);
    (0..3).for_each(|_| scene.poll());
    assert_eq!(scene.heard, [], "nothing is closed while something is in flight");
    scene.post(receive, -libc::ECANCELED, 0);
    scene.poll_until(|heard| heard.contains(&Heard::Closed));
    assert_eq!(scene.heard, [Heard::Closed]);
    // What belongs to this life of the slot and comes in its next.
    for (result, flags) in [(3, BUFFER | u32::from(buffers - 1) << 16), (0, 0), (-libc::ECONNRESET, 0)] {
        scene.post(receive, result, flags);
    }
    (0..3).for_each(|_| scene.poll());
    assert_eq!(scene.heard, [Heard::Closed]);
    assert_eq!(scene.ring.counters.late, 3);
}

#[test]
fn a_short_send_and_a_close_in_the_same_tick_leave_the_rest_in_order() {
    let mut scene = Scene::new(Options::default());
    // The place of a send in its flush is its name: this one will have taken 3 bytes.
    scene.post(Tag::new(Op::Send, 0, 0), 3, 0);
    scene.ring.collect();
    assert_eq!(scene.ring.unsent, [(0, 3)]);
    scene.ring.flush(b"123456789", &[Outgoing { conn: scene.conn, start: 0, end: 9 }]);
    scene.ring.close(scene.conn, false);
    scene.poll_until(|heard| heard.contains(&Heard::Closed));
    assert_eq!(scene.heard, [Heard::Blocked, Heard::Closed]);
    let mut got = Vec::new();
    scene.client.read_to_end(&mut got).expect("an orderly end");
    // In truth the kernel had taken all of them: the rest comes behind, whole and once.
    assert_eq!(got, b"123456789456789");
    assert_eq!((scene.ring.counters.short_sends, scene.ring.counters.backlog_bytes), (1, 0));
}

#[test]
fn a_queue_that_overflows_loses_nothing() {
    let mut scene = Scene::new(Options { completions: 64, ..Options::default() });
    let before = scene.ring.counters.completions;
    let nothing = opcode::Nop::new().build().user_data(Tag::new(Op::Ignore, 0, 0).encode());
    for _ in 0..500 {
        // SAFETY: the entry points to nothing.
        unsafe { scene.ring.ring.submission().push(&nothing) }.expect("room");
        scene.ring.ring.submit().expect("submits");
    }
    // At once, and by nothing else than looking: what overflowed may be all that a tick has.
    scene.ring.harvest();
    assert_eq!(scene.ring.counters.completions - before, 500);
    assert!(scene.ring.counters.overflows > 0, "the queue was longer than that");
    (0..3).for_each(|_| scene.poll());
    assert_eq!(scene.ring.counters.completions - before, 500, "nothing twice");
    scene.expect_alive();
}

#[test]
fn a_transfer_that_is_refused_leaves_the_connection_whichever_comes_first() {
    for is_refusal_first in [true, false] {
        let mut scene = Scene::new(Options::default());
        let target = Ring::open(&Options { backend: Choice::IoUring, connections: 1, ..Options::default() });
        let to = Mailbox(target.expect("a ring").shared());
        assert!(to.reserve());
        scene.ring.slots.get_mut(scene.conn).state = SlotState::Leaving;
        scene.ring.leaving.insert(scene.conn, (7, to.clone()));
        let mut said = [(Op::Transfer, -libc::ENFILE), (Op::TransferClose, -libc::ECANCELED)];
        if !is_refusal_first {
            said.reverse();
        }
        for (op, result) in said {
            scene.post(scene.tag(op), result, 0);
        }
        scene.poll_until(|heard| !heard.is_empty());
        assert_eq!(scene.heard, [Heard::TransferFailed(7)]);
        assert!(to.reserve(), "what was reserved at the target is free again");
        scene.expect_alive();
    }
}

/// Buffers are used again and again: what was in one before is never seen by the next peer.
#[test]
fn no_byte_of_a_buffers_earlier_life_is_visible() {
    let mut scene = Scene::new(Options { receive_buffers: 4, ..Options::default() });
    scene.ring.arm(scene.conn, Mode::Multi);
    for round in 0..40_usize {
        let poison = vec![0xaa; 4 * 512];
        scene.client.write_all(&poison).expect("the connection stands");
        let mut seen = 0;
        while seen < poison.len() {
            scene.heard.clear();
            scene.poll();
            let bytes = scene.bytes();
            assert!(bytes.iter().all(|byte| *byte == 0xaa), "round {round}");
            seen += bytes.len();
        }
        let short = vec![0x55; 1 + round % 7];
        scene.heard.clear();
        scene.client.write_all(&short).expect("the connection stands");
        scene.poll_until(|heard| !heard.is_empty());
        assert_eq!(scene.bytes(), short, "round {round}");
    }
}

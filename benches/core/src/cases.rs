//! What is budgeted: each case is set up without being counted, warmed, and counted once.

use std::hint::black_box;

use linchpin_protocol::blynk::codec::{self, device};
use linchpin_protocol::blynk::{Command, Session, Split, split};
use linchpin_protocol::limits::MAX_BODY_BYTES;
use linchpin_protocol::model::{Token, UnixMillis};
use linchpin_protocol::{Action, Status};
use linchpin_shard::{Letter, ShardId};
use linchpin_tls::{Desk, InPlace, Input, Opened, RecordLayer, Session as Secured, Side, Suite};
use rtrb::RingBuffer;

use crate::mqtt_cases;
use crate::world::{PIN, World};

/// Devices of a case.
pub(crate) const MANY: usize = 64;
pub(crate) const VALUE: &[u8] = b"23.500";
/// Times that a case runs before it is counted: buffers have grown and tables are full then.
const WARM: usize = 3;

/// Something to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Stands in `budgets.toml`.
    pub name: &'static str,
    /// Units (messages, devices) of one run.
    pub units: u64,
    /// Set up; what it returns is run.
    make: fn() -> Box<dyn FnMut()>,
}

/// All of them.
pub const CASES: &[Case] = &[
    Case { name: "codec: cut and understand a write", units: MANY as u64, make: understand },
    Case { name: "codec: build a response", units: MANY as u64, make: responses },
    Case { name: "codec: build a write", units: MANY as u64, make: writes },
    Case { name: "session: a login", units: 1, make: login },
    Case { name: "shard: accept and login", units: MANY as u64, make: logins },
    Case { name: "shard: 64 writes of one device", units: MANY as u64, make: writes_of_one },
    Case { name: "shard: a write of each of 64 devices", units: MANY as u64, make: writes_of_many },
    Case { name: "shard: a ping of each of 64 devices", units: MANY as u64, make: pings },
    Case { name: "shard: a write to a device of the same shard", units: MANY as u64, make: bridged_here },
    Case { name: "shard: a write to a device of another shard", units: MANY as u64, make: bridged_there },
    Case { name: "shard: an hour of heartbeats of a device", units: 4_096, make: heartbeats },
    Case { name: "mqtt: cut and decode a publish", units: MANY as u64, make: mqtt_cases::understand },
    Case { name: "mqtt: 64 publishes of one device at QoS 0", units: MANY as u64, make: mqtt_cases::tell },
    Case { name: "mqtt: 64 publishes of one device at QoS 1", units: MANY as u64, make: mqtt_cases::confirm },
    Case { name: "lane: a letter in and out", units: MANY as u64, make: lane },
    Case { name: "tls: open and seal a record, without ring", units: MANY as u64, make: records },
];

/// Named, so that callgrind can be told to count nothing else.
#[inline(never)]
pub fn counted(run: &mut dyn FnMut()) {
    run();
}

impl Case {
    /// Set up, warm up, and run once inside [`counted`].
    pub fn run(&self) {
        let mut run = (self.make)();
        (0..WARM).for_each(|_| run());
        counted(&mut run);
    }

    /// Set up and warmed, for a benchmark that measures time.
    #[must_use]
    pub fn warmed(&self) -> Box<dyn FnMut()> {
        let mut run = (self.make)();
        (0..WARM).for_each(|_| run());
        run
    }
}

fn stream(count: usize, mut each: impl FnMut(&mut Vec<u8>, u16)) -> Vec<u8> {
    let mut bytes = Vec::new();
    (1..=count as u16).for_each(|id| each(&mut bytes, id));
    bytes
}

fn live() -> Session {
    let bytes = login_bytes();
    let mut session = Session::new();
    assert_eq!(understood(&mut session, &bytes), 0);
    session.accept();
    session
}

fn login_bytes() -> Vec<u8> {
    stream(1, |out, id| device::login(out, id, Command::Login, &Token::from_random(&[7; 24])))
}

/// Bytes of the values in all frames.
fn understood(session: &mut Session, mut bytes: &[u8]) -> usize {
    let mut value_bytes = 0;
    while let Ok(Split::Frame { frame, used }) = split(bytes, MAX_BODY_BYTES) {
        bytes = &bytes[used..];
        let event = session.on_frame(UnixMillis(1_700_000_000_000), frame).expect("well formed");
        if let Action::Write { value, .. } = event.action {
            value_bytes += value.as_bytes().len();
        }
    }
    value_bytes
}

fn understand() -> Box<dyn FnMut()> {
    let (mut session, bytes) = (live(), stream(MANY, |out, id| device::write(out, id, PIN, VALUE)));
    Box::new(move || assert_eq!(understood(&mut session, black_box(&bytes)), MANY * VALUE.len()))
}

fn responses() -> Box<dyn FnMut()> {
    let mut out = Vec::with_capacity(4_096);
    Box::new(move || {
        out.clear();
        (1..=MANY as u16).for_each(|id| codec::response(&mut out, black_box(id), Status::Ok));
        black_box(&out);
    })
}

fn writes() -> Box<dyn FnMut()> {
    let mut out = Vec::with_capacity(4_096);
    Box::new(move || {
        out.clear();
        (1..=MANY as u16).for_each(|id| codec::hardware_write(&mut out, id, PIN, black_box(VALUE)));
        black_box(&out);
    })
}

fn login() -> Box<dyn FnMut()> {
    let bytes = login_bytes();
    Box::new(move || {
        let mut session = Session::new();
        assert_eq!(understood(&mut session, black_box(&bytes)), 0);
        session.accept();
        black_box(&session);
    })
}

/// All devices connect again; the connections that they had are taken over.
fn logins() -> Box<dyn FnMut()> {
    let mut world = World::new(0, 1, MANY);
    Box::new(move || {
        world.at_ms += 60_000;
        let at_ms = world.at_ms;
        world.leave_all();
        world.pass(at_ms);
        world.drain();
        (0..MANY).for_each(|at| world.log_in(at));
    })
}

fn writes_of_one() -> Box<dyn FnMut()> {
    let mut world = World::new(0, 1, MANY);
    let bytes = stream(MANY, |out, id| device::write(out, id, PIN, VALUE));
    let mut buffer = bytes.clone();
    Box::new(move || {
        buffer.copy_from_slice(&bytes);
        world.feed(0, &mut buffer);
        black_box(world.drain());
    })
}

/// The same frame of every device, in one tick.
fn each(bytes: Vec<u8>, mut world: World, answer: usize) -> Box<dyn FnMut()> {
    let mut buffer = bytes.clone();
    Box::new(move || {
        for at in 0..MANY {
            buffer.copy_from_slice(&bytes);
            world.feed(at, &mut buffer);
        }
        assert_eq!(world.drain(), answer * MANY);
    })
}

fn writes_of_many() -> Box<dyn FnMut()> {
    // Telemetry is not answered.
    each(stream(1, |out, _| device::write(out, 3, PIN, VALUE)), World::new(0, 1, MANY), 0)
}

fn pings() -> Box<dyn FnMut()> {
    let (bytes, mut world) = (stream(1, |out, _| device::ping(out, 3)), World::new(0, 1, MANY));
    let mut buffer = bytes.clone();
    Box::new(move || {
        // Devices ping seconds apart, not all the time at the same moment.
        world.at_ms += 1_000;
        for at in 0..MANY {
            buffer.copy_from_slice(&bytes);
            world.feed(at, &mut buffer);
        }
        assert_eq!(world.drain(), 5 * MANY);
    })
}

/// Device 0 writes to device 1 over its bridge pin.
fn bridged_here() -> Box<dyn FnMut()> {
    let mut world = World::new(0, 1, 2);
    let mut init = stream(1, |out, _| device::bridge_init(out, 3, 64, &world.tokens[1]));
    world.feed(0, &mut init);
    world.drain();
    let bytes = stream(MANY, |out, id| device::bridge_write(out, id, 64, PIN, VALUE));
    let mut buffer = bytes.clone();
    Box::new(move || {
        buffer.copy_from_slice(&bytes);
        world.feed(0, &mut buffer);
        assert!(world.drain() > MANY * VALUE.len(), "the target is told");
    })
}

/// Two shards, and a lane each way between them.
#[derive(Debug)]
pub struct Pair {
    /// Both shards, with a device each that has a bridge to the other's.
    pub worlds: [World; 2],
    waiting: Vec<(ShardId, ShardId, Letter)>,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// See the type.
    #[must_use]
    pub fn new() -> Self {
        let mut pair = Self { worlds: [World::new(0, 2, 1), World::new(1, 2, 1)], waiting: Vec::new() };
        for at in 0..2 {
            let token = &pair.worlds[1 - at].tokens[0];
            let mut init = stream(1, |out, _| device::bridge_init(out, 3, 64, token));
            pair.worlds[at].feed(0, &mut init);
            pair.settle();
        }
        pair
    }

    /// Carry letters until there is none. Returns the bytes that devices were sent.
    pub fn settle(&mut self) -> usize {
        let mut answered = 0;
        loop {
            for own in 0..2_u16 {
                let waiting = &mut self.waiting;
                let world = &mut self.worlds[usize::from(own)];
                answered += world.drain_to(|to, letter| waiting.push((ShardId(own), to, letter)));
            }
            if self.waiting.is_empty() {
                return answered;
            }
            for (from, to, letter) in self.waiting.drain(..) {
                self.worlds[to.index()].take(from, letter);
            }
        }
    }
}

fn bridged_there() -> Box<dyn FnMut()> {
    let mut pair = Pair::new();
    let bytes = stream(MANY, |out, id| device::bridge_write(out, id, 64, PIN, VALUE));
    let mut buffer = bytes.clone();
    Box::new(move || {
        buffer.copy_from_slice(&bytes);
        pair.worlds[0].feed(0, &mut buffer);
        assert!(pair.settle() > MANY * VALUE.len(), "the target is told");
    })
}

/// Pings are fed before each look at the time, and counted with it.
fn heartbeats() -> Box<dyn FnMut()> {
    const DEVICES: usize = 4_096;
    const HEARTBEAT_MS: u64 = 50_000;
    let mut world = World::new(0, 1, DEVICES);
    let bytes = stream(1, |out, _| device::ping(out, 3));
    let mut buffer = bytes.clone();
    Box::new(move || {
        for _ in 0..3_600_000 / HEARTBEAT_MS {
            for at in 0..DEVICES {
                buffer.copy_from_slice(&bytes);
                world.feed(at, &mut buffer);
            }
            assert_eq!(world.drain(), 5 * DEVICES, "everybody is here");
            for _ in 0..HEARTBEAT_MS / 100 {
                world.pass(world.at_ms + 100);
            }
        }
    })
}

fn lane() -> Box<dyn FnMut()> {
    let (mut producer, mut consumer) = RingBuffer::<Letter>::new(256);
    let mut pair = Pair::new();
    let mut bytes = stream(MANY, |out, id| device::bridge_write(out, id, 64, PIN, VALUE));
    let mut letters = Vec::with_capacity(MANY);
    pair.worlds[0].feed(0, &mut bytes);
    pair.worlds[0].drain_to(|_, letter| letters.push(letter));
    assert_eq!(letters.len(), MANY, "a letter a write");
    Box::new(move || {
        letters.drain(..).for_each(|letter| producer.push(letter).expect("room"));
        while let Ok(letter) = consumer.pop() {
            letters.push(letter);
        }
        assert_eq!(letters.len(), MANY);
    })
}

fn records() -> Box<dyn FnMut()> {
    const PLAIN: &[u8] = b"\x14\0\x01\0\x08vw\x007\x0023.5";
    let make = |side, own: [u8; 16], peer: [u8; 16]| {
        let keys = InPlace::from_keys(side, Suite::Aes128Gcm, (&own, [1; 12], 1), (&peer, [1; 12], 1));
        Secured::InPlace(keys.expect("keys of 16 bytes"))
    };
    let (mut client, mut server) = (make(Side::Client, [1; 16], [2; 16]), make(Side::Server, [2; 16], [1; 16]));
    let (mut desks, mut wire, mut answer) = ([Desk::default(), Desk::default()], Vec::new(), Vec::new());
    Box::new(move || {
        for _ in 0..MANY {
            wire.clear();
            client.seal_slice(&mut desks[0], &mut wire, PLAIN).expect("seals");
            answer.clear();
            let mut input = Input::new(&mut wire);
            while let Opened::Plain(plain) = server.open(&mut desks[1], &mut input, &mut answer).expect("opens") {
                assert_eq!(plain.len(), PLAIN.len());
            }
        }
    })
}

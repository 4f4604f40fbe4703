//! One thread of a fleet: its driver and its devices.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use linchpin_driver::{ConnId, Driver, Event, Mode, Options, Outgoing, Wait, Waker};
use linchpin_protocol::blynk::DeviceOptions;
use linchpin_protocol::model::{Millis, Token};
use linchpin_tls::Desk;

use crate::speech::Speech;
use crate::tls::{Trust, Way};
use crate::{Counts, FleetOptions, LOGIN_TIMEOUT_MS, Order, device_options};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Connects as soon as there is room in flight.
    Waiting,
    Connecting,
    LoggingIn,
    Online,
    /// Comes back at this time, ms.
    Resting(u32),
    Gone,
}

struct Device {
    speech: Speech,
    way: Way,
    conn: Option<ConnId>,
    state: State,
    /// When it began to connect, ms.
    since: u32,
}

struct Ring<'a> {
    driver: Driver,
    devices: Vec<Device>,
    /// Device by connection.
    of_conn: Vec<u32>,
    trust: Option<Trust>,
    desk: Desk,
    target: SocketAddr,
    number: u8,
    tokens: &'a [Token],
    counts: &'a Counts,
    options: DeviceOptions,
    start: Instant,
    in_flight: usize,
    most_in_flight: usize,
    /// Where the search for a device that waits goes on.
    next: usize,
    waiting: usize,
    /// Time in which any device was trying, us, and when that was counted.
    tried_us: u64,
    counted: Instant,
    /// When the next look for devices that wait for too long is due, ms.
    next_look: u32,
    /// What a device says, before it is sealed.
    plain: Vec<u8>,
    arena: Vec<u8>,
    sends: Vec<Outgoing>,
}

const RETRY_MS: u32 = 5_000;

const LOOK_MS: u32 = 100;

pub(crate) fn run(
    number: u8,
    fleet: &FleetOptions,
    tokens: &[Token],
    counts: &Counts,
    orders: &Receiver<Order>,
    tell: &Sender<Waker>,
) {
    let count = tokens.len() as u32;
    let options =
        Options { backend: fleet.driver, connections: count + 64, process_connections: u32::MAX, ..Options::default() };
    let driver = Driver::open(&options).expect("the fleet's own ring opens");
    let new =
        || Device { speech: Speech::new(fleet.wire), way: Way::Plain, conn: None, state: State::Waiting, since: 0 };
    let mut ring = Ring {
        devices: (0..count).map(|_| new()).collect(),
        of_conn: Vec::new(),
        trust: fleet.trust.clone(),
        desk: Desk::default(),
        target: fleet.target,
        number,
        tokens,
        counts,
        options: device_options(),
        start: Instant::now(),
        in_flight: 0,
        most_in_flight: fleet.in_flight,
        next: 0,
        waiting: tokens.len(),
        tried_us: 0,
        counted: Instant::now(),
        next_look: 0,
        plain: Vec::new(),
        arena: Vec::new(),
        sends: Vec::new(),
        driver,
    };
    tell.send(ring.driver.waker()).expect("the fleet waits");
    while ring.tick(orders) {}
}

fn add(which: &AtomicU64) {
    which.fetch_add(1, Ordering::Relaxed);
}

impl Ring<'_> {
    fn now(&self) -> Millis {
        Millis(self.start.elapsed().as_millis() as u64)
    }

    /// False when the fleet leaves.
    fn tick(&mut self, orders: &Receiver<Order>) -> bool {
        while let Ok(order) = orders.try_recv() {
            if order == Order::Leave {
                return false;
            }
            (0..self.devices.len()).for_each(|at| self.obey(at, order));
        }
        self.count_trying();
        self.give_up_some();
        self.connect_some();
        self.flush();
        let mut events: Vec<(ConnId, Option<Vec<u8>>, bool)> = Vec::new();
        let on = &mut |event: Event<'_>| match event {
            Event::Received { conn, bytes } => events.push((conn, Some(bytes.to_vec()), false)),
            Event::Connected { conn } => events.push((conn, None, true)),
            Event::ConnectFailed { conn, .. } | Event::EndOfStream { conn } | Event::Failed { conn, .. } => {
                events.push((conn, None, false));
            }
            _ => {}
        };
        self.driver.poll(Wait::Until(Duration::from_millis(20)), &mut || false, on).expect("the fleet's ring works");
        for (conn, bytes, connected) in events {
            let Some(&at) = self.of_conn.get(conn.index()) else { continue };
            let at = at as usize;
            if self.devices[at].conn != Some(conn) {
                continue;
            }
            match bytes {
                Some(mut bytes) => self.received(at, &mut bytes),
                None if connected => self.connected(at),
                None => self.lost(at),
            }
        }
        true
    }

    fn count_trying(&mut self) {
        let passed = self.counted.elapsed();
        self.counted += passed;
        if self.in_flight > 0 {
            self.tried_us += passed.as_micros() as u64;
            self.counts.tried_us.fetch_max(self.tried_us, Ordering::Relaxed);
        }
    }

    /// Devices that are not logged in in time.
    fn give_up_some(&mut self) {
        let now = self.now().0 as u32;
        if self.in_flight == 0 || now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_MS;
        for at in 0..self.devices.len() {
            let device = &self.devices[at];
            let is_trying = matches!(device.state, State::Connecting | State::LoggingIn);
            if is_trying && now - device.since > LOGIN_TIMEOUT_MS {
                add(&self.counts.timed_out);
                self.lost(at);
            }
        }
    }

    fn connect_some(&mut self) {
        let now = self.now().0 as u32;
        let mut looked = 0;
        while self.waiting > 0 && self.in_flight < self.most_in_flight && looked < self.devices.len() {
            let at = self.next;
            self.next = (at + 1) % self.devices.len();
            looked += 1;
            let is_due = match self.devices[at].state {
                State::Waiting => true,
                State::Resting(until) => until <= now,
                _ => false,
            };
            if is_due && !self.connect(at) {
                return;
            }
        }
    }

    fn connect(&mut self, at: usize) -> bool {
        // Devices have addresses of their own, up to so many a ring; there is all of 127.0.0.0/8 to choose from.
        let home = at % (250 * 250);
        let from = Ipv4Addr::new(127, 1 + self.number, (home / 250) as u8, (home % 250) as u8 + 1);
        let from = SocketAddr::from((from, 0));
        let Ok(conn) = self.driver.connect(Some(from), self.target) else {
            add(&self.counts.failed);
            return false;
        };
        if self.of_conn.len() <= conn.index() {
            self.of_conn.resize(conn.index() + 1, u32::MAX);
        }
        self.of_conn[conn.index()] = at as u32;
        self.devices[at].conn = Some(conn);
        self.devices[at].state = State::Connecting;
        self.devices[at].since = self.now().0 as u32;
        self.in_flight += 1;
        self.waiting -= 1;
        true
    }

    fn connected(&mut self, at: usize) {
        let Some(conn) = self.devices[at].conn else { return };
        self.driver.arm(conn, Mode::Multi);
        self.devices[at].state = State::LoggingIn;
        let from = self.arena.len();
        match &self.trust {
            Some(trust) => {
                self.devices[at].way = Way::begin(trust, &mut self.arena);
                self.send_from(conn, from);
            }
            None => self.log_in(at, conn, from),
        }
    }

    /// `from`: what the connection has to say already begins there in the arena.
    fn log_in(&mut self, at: usize, conn: ConnId, from: usize) {
        let now = self.now();
        self.devices[at].speech.start(now, &self.options, &self.tokens[at], &mut self.plain);
        self.say(at, conn, from);
    }

    /// Send what stands in `plain`, and what the connection has to say already.
    fn say(&mut self, at: usize, conn: ConnId, from: usize) {
        self.devices[at].way.send(&mut self.desk, &self.plain, &mut self.arena);
        self.plain.clear();
        self.send_from(conn, from);
    }

    fn received(&mut self, at: usize, bytes: &mut [u8]) {
        let (now, from) = (self.now(), self.arena.len());
        let mut opened = Vec::new();
        let device = &mut self.devices[at];
        let Some(conn) = device.conn else { return };
        let is_secured = match device.way.receive(&mut self.desk, bytes, &mut opened, &mut self.arena) {
            Ok(is_secured) => is_secured,
            Err(_) => {
                self.arena.truncate(from);
                return self.lost(at);
            }
        };
        if is_secured {
            self.log_in(at, conn, from);
        } else if self.arena.len() > from {
            self.send_from(conn, from);
        }
        let device = &mut self.devices[at];
        let Some(heard) = device.speech.hear(now, &self.options, &opened) else { return self.lost(at) };
        self.counts.answers.fetch_add(heard.answers, Ordering::Relaxed);
        if heard.logged_in && device.state == State::LoggingIn {
            device.state = State::Online;
            self.in_flight -= 1;
            add(&self.counts.logins);
            add(&self.counts.online);
        }
    }

    fn lost(&mut self, at: usize) {
        add(if self.devices[at].state == State::Online { &self.counts.lost } else { &self.counts.failed });
        self.leave(at, RETRY_MS);
    }

    /// Reset the connection and come back later.
    fn leave(&mut self, at: usize, rest_ms: u32) {
        let state = self.devices[at].state;
        match state {
            State::Online => drop(self.counts.online.fetch_sub(1, Ordering::Relaxed)),
            State::Connecting | State::LoggingIn => self.in_flight -= 1,
            _ => return,
        }
        self.devices[at].way = Way::Plain;
        if let Some(conn) = self.devices[at].conn.take() {
            self.driver.abort(conn);
        }
        self.devices[at].state = State::Resting(self.now().0 as u32 + rest_ms);
        self.waiting += 1;
    }

    fn obey(&mut self, at: usize, order: Order) {
        let (State::Online, Some(conn)) = (self.devices[at].state, self.devices[at].conn) else { return };
        let (now, from) = (self.now(), self.arena.len());
        let device = &mut self.devices[at];
        match order {
            Order::Ping => device.speech.ping(now, &mut self.plain),
            Order::Introduce => device.speech.introduce(now, at, &mut self.plain),
            Order::Cut(first) if at < first as usize => return self.leave(at, RETRY_MS),
            Order::Cut(_) => return,
            Order::CutMidFrame => {
                device.speech.write_long(now, &mut self.plain);
                self.devices[at].way.send(&mut self.desk, &self.plain, &mut self.arena);
                self.plain.clear();
                let keep = 1 + (at * 31 + now.0 as usize) % (self.arena.len() - from - 1);
                self.arena.truncate(from + keep);
                self.send_from(conn, from);
                self.flush();
                return self.leave(at, 0);
            }
            Order::Leave => {
                self.devices[at].state = State::Gone;
                return;
            }
        }
        self.say(at, conn, from);
    }

    fn send_from(&mut self, conn: ConnId, from: usize) {
        self.sends.push(Outgoing { conn, start: from as u32, end: self.arena.len() as u32 });
        // One range a connection and flush.
        if self.arena.len() > 1 << 16 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.driver.flush(&self.arena, &self.sends);
        self.arena.clear();
        self.sends.clear();
    }
}

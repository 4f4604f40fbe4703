//! What the tests of this crate share: the back ends to run on, and an echo server on a thread of its own.
#![allow(dead_code, unreachable_pub, clippy::print_stderr, reason = "every test binary uses a part of it")]

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linchpin_driver::{
    Choice, ConnId, Descriptors, Driver, DriverCounters, Event, Features, IdleReceive, Mode, Options, Outgoing, Wait,
};

/// Every way to run the one suite.
pub fn back_ends() -> Vec<(&'static str, Options)> {
    let ring = |descriptors, features| Options {
        backend: Choice::IoUring,
        descriptors,
        features,
        connections: 600,
        ..Options::default()
    };
    let poll = |options| Options { idle: IdleReceive::Poll, ..options };
    vec![
        ("ring, direct", ring(Descriptors::Direct, Features::ALL)),
        ("ring, plain", ring(Descriptors::Plain, Features::ALL)),
        ("ring, Linux 6.1", ring(Descriptors::Auto, Features::LINUX_6_1)),
        ("ring, poll", poll(ring(Descriptors::Direct, Features::ALL))),
        ("ring, poll, Linux 6.1", poll(ring(Descriptors::Auto, Features::LINUX_6_1))),
        ("portable", Options { backend: Choice::Portable, connections: 600, ..Options::default() }),
    ]
}

/// Run a test on every back end, naming it when it fails.
pub fn on_every_back_end(test: impl Fn(&Options)) {
    for (name, options) in back_ends() {
        eprintln!("on {name}");
        test(&options);
    }
}

pub fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub fn client(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the server listens");
    stream.set_nodelay(true).expect("an open socket");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an open socket");
    stream
}

/// Poll until `done` or fail after 20 s.
pub fn poll_until(driver: &mut Driver, mut on: impl FnMut(Event<'_>), mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "nothing came within 20 s: {driver:?}");
        driver.poll(Wait::Until(Duration::from_millis(20)), &mut || false, &mut on).expect("polls");
        driver.flush(&[], &[]);
    }
}

/// One echo server: what it holds between ticks.
pub struct Echo {
    pub driver: Driver,
    /// Every second one leaves its sends to the next poll.
    ticks: u32,
    arena: Vec<u8>,
    sends: Vec<Outgoing>,
    ended: Vec<ConnId>,
    accepted: Vec<ConnId>,
    /// What blocked connections are owed.
    owed: HashMap<ConnId, Vec<u8>>,
    blocked: HashSet<ConnId>,
    pub live: HashSet<ConnId>,
    pub log: Vec<String>,
}

impl Echo {
    pub fn new(driver: Driver) -> Self {
        Self {
            driver,
            ticks: 0,
            arena: Vec::new(),
            sends: Vec::new(),
            ended: Vec::new(),
            accepted: Vec::new(),
            owed: HashMap::new(),
            blocked: HashSet::new(),
            live: HashSet::new(),
            log: Vec::new(),
        }
    }

    /// One tick: everything that came in is sent back.
    pub fn tick(&mut self, wait: Duration) {
        let mut input: Vec<(ConnId, Vec<u8>)> = Vec::new();
        self.ticks = self.ticks.wrapping_add(1);
        let is_lazy = self.ticks.is_multiple_of(2);
        let Self { driver, ended, accepted, blocked, live, log, owed, .. } = self;
        driver
            .poll(Wait::Until(wait), &mut || false, &mut |event| match event {
                Event::Accepted { conn, peer, .. } => {
                    assert!(peer.ip().is_loopback() && peer.port() > 0, "a peer has an address: {peer}");
                    assert!(live.insert(conn), "{conn:?} accepted twice");
                    accepted.push(conn);
                }
                Event::Received { conn, bytes } => {
                    assert!(live.contains(&conn), "bytes for {conn:?} which is not open");
                    assert!(!bytes.is_empty());
                    input.push((conn, bytes.to_vec()));
                }
                Event::EndOfStream { conn } | Event::Failed { conn, .. } => {
                    assert!(live.contains(&conn), "an end of {conn:?} which is not open");
                    ended.push(conn);
                }
                Event::Blocked { conn, bytes } => {
                    assert!(bytes <= linchpin_driver::limits::BACKLOG_BYTES, "{bytes} wait");
                    assert!(blocked.insert(conn), "blocked twice");
                }
                Event::Drained { conn } => assert!(blocked.remove(&conn), "drained but not blocked"),
                Event::Closed { conn } => {
                    assert!(live.remove(&conn), "{conn:?} closed twice");
                    blocked.remove(&conn);
                    owed.remove(&conn);
                }
                other => log.push(format!("{other:?}")),
            })
            .expect("polls");
        for conn in self.accepted.drain(..) {
            self.driver.arm(conn, Mode::Multi);
        }
        for (conn, bytes) in input {
            self.owed.entry(conn).or_default().extend_from_slice(&bytes);
        }
        for (conn, owed) in &mut self.owed {
            if !owed.is_empty() && !self.blocked.contains(conn) {
                let start = self.arena.len() as u32;
                self.arena.append(owed);
                self.sends.push(Outgoing { conn: *conn, start, end: self.arena.len() as u32 });
            }
        }
        if is_lazy {
            self.driver.flush_later(&mut self.arena, &mut self.sends);
            assert!(self.arena.is_empty() && self.sends.is_empty(), "they come back empty");
        } else {
            self.driver.flush(&self.arena, &self.sends);
        }
        self.arena.fill(0xEE);
        self.arena.clear();
        self.sends.clear();
        let (blocked, owed) = (&self.blocked, &self.owed);
        let closing: Vec<_> = self
            .ended
            .iter()
            .copied()
            .filter(|c| !blocked.contains(c) && owed.get(c).is_none_or(Vec::is_empty))
            .collect();
        self.ended.retain(|c| !closing.contains(c));
        for conn in closing {
            if self.live.contains(&conn) {
                self.driver.close(conn);
            }
        }
        if !is_lazy {
            self.driver.flush(&[], &[]);
        }
    }
}

/// An echo server on its own thread.
pub struct EchoThread {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<(DriverCounters, usize, Vec<String>)>>,
}

impl EchoThread {
    pub fn start(options: &Options) -> Self {
        let options = options.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut driver = Driver::open(&options).expect("opens");
            let (_, address) = driver.listen(loopback()).expect("listens");
            tell.send(address).expect("the test waits");
            let mut echo = Echo::new(driver);
            while !stopped.load(Ordering::Relaxed) {
                echo.tick(Duration::from_millis(10));
            }
            // Whatever was closed by the clients is gone after a moment.
            for _ in 0..50 {
                echo.tick(Duration::from_millis(2));
            }
            (*echo.driver.counters(), echo.live.len(), echo.log)
        });
        Self { address: told.recv().expect("the server starts"), stop, thread: Some(thread) }
    }

    /// Stop; returns counters, open connections and other events.
    pub fn stop(mut self) -> (DriverCounters, usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("runs").join().expect("no assertion failed in the server")
    }
}

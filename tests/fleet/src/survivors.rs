//! Devices that live through a storm: they ping at a fixed pace, and their latency counts from the intended time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linchpin_protocol::blynk::{DeviceEvent, DeviceSession};
use linchpin_protocol::model::{Millis, Token};
use linchpin_tls::Desk;

use crate::device_options;
use crate::tls::{Trust, Way};

/// One ping of one of them in this time.
const PACE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);

struct Survivor {
    socket: TcpStream,
    way: Way,
    session: DeviceSession,
}

/// Running survivors.
pub struct Survivors {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

impl Survivors {
    /// Log them in and begin to ping.
    ///
    /// # Panics
    /// When one cannot log in, or is lost later: a storm must not cost anybody who is there.
    #[must_use]
    pub fn start(target: SocketAddr, trust: Option<&Trust>, tokens: &[Token]) -> Self {
        let begun = Instant::now();
        let mut desk = Desk::default();
        let mut all: Vec<_> = tokens.iter().map(|token| Survivor::log_in(target, trust, token, &mut desk)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let run = move || {
            let mut latencies = Vec::new();
            let (mut intended, mut at) = (Instant::now(), 0);
            while !stopped.load(Ordering::Relaxed) {
                intended += PACE;
                std::thread::sleep(intended.saturating_duration_since(Instant::now()));
                let count = all.len();
                all[at % count].ping(Millis(begun.elapsed().as_millis() as u64), &mut desk);
                latencies.push(intended.elapsed());
                at += 1;
            }
            latencies
        };
        Self { stop, thread: std::thread::spawn(run) }
    }

    /// Stop them; their latencies, sorted.
    ///
    /// # Panics
    /// When one was lost.
    #[must_use]
    pub fn stop(self) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let mut latencies = self.thread.join().expect("nobody who was there is lost");
        latencies.sort_unstable();
        latencies
    }
}

impl Survivor {
    fn log_in(target: SocketAddr, trust: Option<&Trust>, token: &Token, desk: &mut Desk) -> Self {
        let socket = TcpStream::connect(target).expect("connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        socket.set_nodelay(true).expect("a socket");
        let mut out = Vec::new();
        let way = trust.map_or(Way::Plain, |trust| Way::begin(trust, &mut out));
        let mut new = Self { socket, way, session: DeviceSession::new() };
        new.socket.write_all(&out).expect("the server is there");
        while !new.way.is_open() {
            new.read(Millis(0), desk);
        }
        let mut plain = Vec::new();
        new.session.start(Millis(0), &device_options(), token, &mut plain);
        new.say(&plain, desk);
        while !new.read(Millis(0), desk) {}
        new
    }

    fn say(&mut self, plain: &[u8], desk: &mut Desk) {
        let mut out = Vec::new();
        self.way.send(desk, plain, &mut out);
        self.socket.write_all(&out).expect("a survivor keeps its connection");
    }

    fn ping(&mut self, now: Millis, desk: &mut Desk) {
        let mut plain = Vec::new();
        self.session.ping(now, &mut plain);
        self.say(&plain, desk);
        while !self.read(now, desk) {}
    }

    /// One read; true: an answer came.
    fn read(&mut self, now: Millis, desk: &mut Desk) -> bool {
        let mut bytes = [0; 4_096];
        let n = self.socket.read(&mut bytes).expect("a survivor is answered in time");
        assert!(n > 0, "a survivor lost its connection");
        let (mut plain, mut out, mut answered) = (Vec::new(), Vec::new(), false);
        self.way.receive(desk, &mut bytes[..n], &mut plain, &mut out).expect("records of the server");
        self.socket.write_all(&out).expect("a survivor keeps its connection");
        let on = &mut |event: DeviceEvent<'_>| {
            answered |= matches!(event, DeviceEvent::LoggedIn | DeviceEvent::Response { .. });
        };
        let (options, mut unasked) = (device_options(), Vec::new());
        self.session.on_bytes(now, &options, &plain, &mut unasked, on).expect("frames of the server");
        answered
    }
}

//! Tens of thousands of simple devices on a few rings: for the memory and scale lines, until the load generator takes
//! over. Devices are the protocol's own device side on the product's driver; each ring is a thread of its own.

pub mod http;
mod ring;
pub mod server;
mod speech;
pub mod survivors;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linchpin_driver::{Choice, Waker};
use linchpin_protocol::blynk::DeviceOptions;
use linchpin_protocol::model::Token;

pub use crate::speech::{FleetWire, mqtt_login, mqtt_message};

use crate::tls::Trust;

/// What the devices of a fleet are told; each ring passes it to all of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ping.
    Ping,
    /// Introduce themselves and write five pins.
    Introduce,
    /// The first so many of each ring reset their connections and come back after 5 s, as the library does.
    Cut(u32),
    /// Send half a frame and reset; come back at once.
    CutMidFrame,
    /// Leave.
    Leave,
}

/// What has happened so far, over all rings.
#[derive(Debug, Default)]
pub struct Counts {
    /// Logins that were accepted.
    pub logins: AtomicU64,
    /// Logged in right now.
    pub online: AtomicU64,
    /// Answers to pings and introductions.
    pub answers: AtomicU64,
    /// Connections that ended although nobody asked for it.
    pub lost: AtomicU64,
    /// Connects that failed.
    pub failed: AtomicU64,
    /// Time in which any device of a ring was connecting or logging in, the longest of the rings, us.
    pub tried_us: AtomicU64,
    /// Of those that failed, the ones that took longer than [`LOGIN_TIMEOUT_MS`].
    pub timed_out: AtomicU64,
}

impl Counts {
    /// Read one of them.
    #[must_use]
    pub fn get(which: &AtomicU64) -> u64 {
        which.load(Ordering::Relaxed)
    }
}

/// How to make a fleet.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The server.
    pub target: SocketAddr,
    /// One device a token.
    pub tokens: Vec<Token>,
    /// Threads with a ring each.
    pub rings: u16,
    /// Back end of the fleet itself.
    pub driver: Choice,
    /// Connects in flight a ring.
    pub in_flight: usize,
    /// With TLS.
    pub trust: Option<Trust>,
    /// What the devices speak.
    pub wire: FleetWire,
}

/// A device that is not logged in by then gives up and comes back later, as the C++ library does.
pub const LOGIN_TIMEOUT_MS: u32 = 6_000;

/// A running fleet; stops when dropped.
pub struct Fleet {
    /// What has happened.
    pub counts: Arc<Counts>,
    devices: u64,
    rings: Vec<(Sender<Order>, Waker, JoinHandle<()>)>,
}

/// What all devices are like. Pings come from orders, so the heartbeat is long.
#[must_use]
pub fn device_options() -> DeviceOptions {
    DeviceOptions { heartbeat_s: 600, board: "fleet".into(), ..DeviceOptions::default() }
}

impl Fleet {
    /// Connect and log in all devices, each ring with at most `in_flight` unanswered.
    ///
    /// # Panics
    /// When a ring cannot be opened.
    #[must_use]
    pub fn start(options: &FleetOptions) -> Self {
        let counts = Arc::new(Counts::default());
        let share = options.tokens.len().div_ceil(usize::from(options.rings.max(1))).max(1);
        let mut rings = Vec::new();
        for (at, tokens) in options.tokens.chunks(share).enumerate() {
            let (order, orders) = channel();
            let (tell, told) = channel();
            let (options, tokens, counts) = (options.clone(), tokens.to_vec(), Arc::clone(&counts));
            let run = move || ring::run(at as u8, &options, &tokens, &counts, &orders, &tell);
            let thread = std::thread::Builder::new().name(format!("fleet-{at}")).spawn(run).expect("a thread");
            rings.push((order, told.recv().expect("the ring opens"), thread));
        }
        Self { counts, devices: options.tokens.len() as u64, rings }
    }

    /// How many devices there are.
    #[must_use]
    pub const fn devices(&self) -> u64 {
        self.devices
    }

    /// Tell all devices.
    pub fn order(&self, order: Order) {
        for (orders, waker, _) in &self.rings {
            // A ring that has ended has no devices to tell.
            let _ = orders.send(order);
            waker.wake();
        }
    }

    /// Time in which any device was connecting or logging in.
    #[must_use]
    pub fn tried(&self) -> Duration {
        Duration::from_micros(Counts::get(&self.counts.tried_us))
    }

    /// Cut so many devices at once, the same share of each ring; says how many they are.
    pub fn cut(&self, devices: u64) -> u64 {
        let rings = self.rings.len() as u64;
        let each = devices.div_ceil(rings.max(1));
        self.order(Order::Cut(each as u32));
        // The last ring may have fewer devices than the others.
        (each * rings).min(self.devices)
    }

    /// Wait until a count has reached `at_least`.
    ///
    /// # Errors
    /// What was reached when the time was over.
    pub fn wait(&self, which: &AtomicU64, at_least: u64, timeout: Duration) -> Result<Duration, u64> {
        let start = Instant::now();
        while Counts::get(which) < at_least {
            if start.elapsed() > timeout {
                return Err(Counts::get(which));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(start.elapsed())
    }

    /// Wait until all devices are logged in.
    ///
    /// # Errors
    /// How many were when the time was over.
    pub fn wait_online(&self, timeout: Duration) -> Result<Duration, u64> {
        self.wait(&self.counts.online, self.devices, timeout)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.order(Order::Leave);
        for (_, _, thread) in self.rings.drain(..) {
            let _ = thread.join();
        }
    }
}

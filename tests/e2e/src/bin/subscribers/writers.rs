//! The devices: each writes a number and a long text once a second, evenly over the second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use linchpin_compat::{Server, Wire, command};

/// The pin that subscribers watch; its value is the number of the write.
pub(super) const PIN: u8 = 1;
/// A pin with long texts, which fill the buffers of one that does not read.
pub(super) const LONG_PIN: u8 = 2;
const LONG_BYTES: usize = 1_000;
const SECOND: Duration = Duration::from_secs(1);

pub(super) struct Writers {
    wires: Vec<Wire>,
    ids: Vec<u32>,
    places: HashMap<u32, usize>,
    begun: Instant,
    /// Writes so far; the next is due at its share of the time since the begin.
    written: u64,
    long: String,
}

impl Writers {
    pub(super) fn new(server: &Server, devices: usize) -> Self {
        let all = server.more_devices();
        assert!(all.len() >= devices, "{} devices", all.len());
        let all = &all[..devices];
        let wires = all.iter().map(|device| Wire::login(server.address(), &device.token)).collect();
        let ids: Vec<u32> = all.iter().map(|device| device.id.parse().expect("a number")).collect();
        let places = ids.iter().enumerate().map(|(at, id)| (*id, at)).collect();
        Self { wires, ids, places, begun: Instant::now(), written: 0, long: "x".repeat(LONG_BYTES) }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The device of this subscriber.
    pub(super) fn id(&self, at: usize) -> u32 {
        self.ids[at % self.ids.len()]
    }

    fn due(&self, write: u64) -> Instant {
        self.begun + SECOND.mul_f64(write as f64 / self.ids.len() as f64)
    }

    /// Go on after a pause of the bench: what was due meanwhile is due from now on, or it would count as the server's delay.
    pub(super) fn resume(&mut self) {
        self.begun += Instant::now().saturating_duration_since(self.due(self.written));
    }

    /// All writes whose time has come.
    pub(super) fn write_due(&mut self) {
        let now = Instant::now();
        while self.due(self.written) <= now {
            let at = (self.written % self.wires.len() as u64) as usize;
            let (round, long) = (self.written / self.wires.len() as u64, &self.long);
            let wire = &mut self.wires[at];
            wire.send_parts(command::HARDWARE, &["vw", &PIN.to_string(), &round.to_string()]);
            wire.send_parts(command::HARDWARE, &["vw", &LONG_PIN.to_string(), &format!("{round} {long}")]);
            self.written += 1;
        }
    }

    pub(super) fn until_next(&self) -> Duration {
        self.due(self.written).saturating_duration_since(Instant::now())
    }

    /// When this device's write of this round was intended.
    pub(super) fn intended(&self, device: u32, round: u64) -> Option<Instant> {
        let at = *self.places.get(&device)? as u64;
        Some(self.due(round * self.ids.len() as u64 + at))
    }
}

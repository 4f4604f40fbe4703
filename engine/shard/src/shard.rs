//! The shard: its state, and which part of it answers which input.

use std::collections::VecDeque;

use linchpin_protocol::model::{Millis, Now};

use crate::connection::address::AddressTable;
use crate::login::arrive::Arrivals;
use crate::device::firmware::Blobs;
use crate::connection::{Connections, Exchange, Phase, Ticks};
use crate::operator::counters::Counters;
use crate::device::Devices;
use crate::operator::diary::Diary;
use crate::operator::drain::Drain;
use crate::login::index::{DigestKey, TokenIndex};
use crate::store::restore::Parked;
use crate::tls::{Secure, Tls, TlsOptions};
use crate::device::templates::Templates;
use crate::operator::tap::Watch;
use crate::connection::wheel::Wheel;
use crate::{Effect, Effects, End, Input, Keeping, Settings, ShardId, Slot, limits};

/// What a shard is told at its start.
#[derive(Debug)]
pub struct ShardOptions {
    /// Which shard this is.
    pub id: ShardId,
    /// How many shards the process has.
    pub shards: u16,
    /// Connections that the driver can hold: the size of the table.
    pub slots: u32,
    /// Random bytes that key the tables whose keys peers choose.
    pub seed: [u8; 16],
    /// Key of the token digests; the same on every shard.
    pub digest_key: [u8; 32],
    /// Limits that the operator set.
    pub settings: Settings,
    /// What the store takes at first.
    pub keeping: Keeping,
    /// Values of the last run are still to come, until [`crate::Command::Replayed`]: reads wait for them.
    pub replaying: bool,
    /// What TLS needs; `None`: it is not spoken.
    pub tls: Option<TlsOptions>,
}

/// One core's world. See the crate's page for the rules.
#[derive(Debug)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) shards: u16,
    pub(crate) settings: Settings,
    pub(crate) key: DigestKey,
    pub(crate) connections: Connections,
    pub(crate) devices: Devices,
    pub(crate) templates: Templates,
    pub(crate) index: TokenIndex,
    pub(crate) blobs: Blobs,
    pub(crate) addresses: AddressTable,
    pub(crate) arrivals: Arrivals,
    pub(crate) wheel: Wheel,
    pub(crate) drain: Option<Drain>,
    pub(crate) counters: Counters,
    pub(crate) diary: Diary,
    /// What the store takes.
    pub(crate) keeping: Keeping,
    /// Positions of devices whose properties or metadata the store has not been given; each once.
    pub(crate) changed: VecDeque<u32>,
    /// Reads that wait for values of the last run; `None`: all have come.
    pub(crate) parked: Option<Vec<Parked>>,
    /// Number of the last entry for the store.
    pub(crate) entries: u32,
    /// TLS, if it is spoken.
    pub(crate) secure: Option<Box<Secure>>,
    /// Devices whose frames somebody looks at.
    pub(crate) watches: Vec<Watch>,
    /// When `handle` last ran, to tell a stall of our own from the silence of a device.
    last_run: Millis,
    /// No device is blamed for silence before this time.
    grace_until: Millis,
    /// Wall time when the monotonic clock was 0, s; follows the wall clock.
    pub(crate) wall_offset_s: u64,
    /// Message id of the last frame that the server itself sent.
    pub(crate) push_id: u16,
    /// Kept over calls: frames that are being built.
    pub(crate) scratch: Vec<u8>,
    /// Kept over ticks: what the wheel gave.
    expired: Vec<Slot>,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(options: ShardOptions, now: Now) -> Self {
        Self {
            id: options.id,
            shards: options.shards,
            settings: options.settings,
            key: DigestKey::new(&options.digest_key),
            connections: Connections::with_capacity(options.slots as usize),
            devices: Devices::default(),
            templates: Templates::default(),
            index: TokenIndex::default(),
            blobs: Blobs::new(options.seed),
            addresses: AddressTable::new(options.seed),
            arrivals: Arrivals::default(),
            wheel: Wheel::new(now.mono, options.slots as usize),
            drain: None,
            counters: Counters::default(),
            diary: Diary::new(options.shards),
            keeping: options.keeping,
            changed: VecDeque::new(),
            parked: options.replaying.then(Vec::new),
            entries: 0,
            secure: options.tls.map(|tls| Box::new(Secure::new(tls, options.seed, now))),
            watches: Vec::new(),
            last_run: now.mono,
            grace_until: Millis(0),
            wall_offset_s: 0,
            push_id: 0,
            scratch: Vec::new(),
            expired: Vec::new(),
        }
    }

    /// Make room for so many devices and token index entries at once: loading then leaves no holes behind.
    pub fn reserve(&mut self, devices: usize) {
        self.devices.reserve(devices);
        self.index.reserve(devices);
    }

    /// One event in, what must be done out. Never blocks, never fails: what goes wrong with a peer ends that peer's
    /// connection with its [`End`].
    pub fn handle(&mut self, now: Now, input: Input<'_>, fx: &mut Effects) {
        self.note_stall(now);
        match input {
            Input::Received { slot, bytes } => self.received(now, slot, bytes, fx),
            Input::Accepted { slot, peer, via } => self.accepted(now, slot, peer, via, fx),
            Input::PeerClosed { slot } => self.peer_gone(now, slot, End::PeerClosed, fx),
            Input::Failed { slot, .. } => self.peer_gone(now, slot, End::PeerReset, fx),
            Input::Blocked { slot } => self.blocked(slot),
            Input::Drained { slot } => self.drained(now, slot, fx),
            Input::Closed { slot } => self.closed(slot),
            Input::Arrived { token, slot } => self.descriptor_arrived(now, token, slot, fx),
            Input::TransferFailed { token, slot } => self.transfer_failed(now, token, slot, fx),
            Input::Letter { from, letter } => self.letter(now, from, letter, fx),
            Input::Undelivered { letter, .. } => self.undelivered(now, &letter, fx),
            Input::Command(command) => self.command(now, command, fx),
            Input::Timer => self.timer(now, fx),
        }
    }

    /// When [`Input::Timer`] is due; `None` while nothing waits for time.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let drain = self.drain.as_ref().map(|d| d.next);
        [self.wheel.next(), self.arrivals.deadline(), drain, self.watch_deadline(), self.handshake_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Connections in any phase.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.used
    }

    /// If this thread stood still (stopped, starved, a slow disk under it), devices could not be heard meanwhile: give
    /// them the time back instead of ending them for our own stall.
    fn note_stall(&mut self, now: Now) {
        let gap = now.mono.since(self.last_run);
        if gap <= limits::STALL_MS {
            self.last_run = now.mono;
            return;
        }
        // A quiet shard is woken for its deadline, so only time beyond it is a stall.
        let expected = self.deadline().map_or(u64::MAX, |d| d.since(self.last_run));
        let late = gap.saturating_sub(expected);
        if late > limits::STALL_MS {
            self.grace_until = Millis(now.mono.0 + late.min(limits::STALL_GRACE_MS));
        }
        self.last_run = now.mono;
    }

    fn timer(&mut self, now: Now, fx: &mut Effects) {
        self.wall_offset_s = now.wall.seconds().saturating_sub(now.mono.0 / 1_000);
        let mut expired = std::mem::take(&mut self.expired);
        expired.clear();
        self.wheel.expire(now.mono, limits::EXPIRE_PER_TICK, &mut expired);
        for &slot in &expired {
            self.expire(now, slot, fx);
        }
        self.expired = expired;
        self.expire_arrivals(now, fx);
        self.expire_watches(now);
        self.drain_some(now, fx);
    }

    /// The wheel's entry of a connection is due: look at the true deadlines, end or set it again.
    fn expire(&mut self, now: Now, slot: Slot, fx: &mut Effects) {
        let Some(connection) = self.connections.get(slot) else { return };
        let due = connection.deadline.millis() <= now.mono;
        match connection.phase {
            Phase::Opening if due => self.end(now, slot, End::LoginTimeout, fx),
            Phase::Handshake if due => self.end(now, slot, End::HandshakeTimeout, fx),
            Phase::Resolving { .. } if due => self.end(now, slot, End::Busy, fx),
            Phase::Refused(end) if due => self.end(now, slot, end, fx),
            Phase::Live => self.expire_live(now, slot, fx),
            // The driver answers these; nothing to do but wait.
            Phase::Free | Phase::Closing | Phase::Leaving { .. } => {}
            Phase::Http(exchange) if due => self.expire_http(now, slot, exchange, fx),
            Phase::Opening | Phase::Handshake | Phase::Resolving { .. } | Phase::Refused(_) | Phase::Http(_) => {
                self.wheel.set(slot, connection.deadline.millis());
            }
        }
    }

    fn expire_live(&mut self, now: Now, slot: Slot, fx: &mut Effects) {
        let connection = &self.connections[slot];
        let silent_at = Millis(connection.heard.millis().0 + connection.silence_ms());
        if silent_at <= now.mono && self.grace_until <= now.mono {
            return self.end(now, slot, End::HeartbeatMissed, fx);
        }
        self.release_outbound(now, slot, fx);
        self.set_live_timer(slot);
    }

    /// The earliest of heartbeat, paced send and the end of the quiet time after login.
    pub(crate) fn set_live_timer(&mut self, slot: Slot) {
        use crate::connection::gate;
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        let mut at = Millis(connection.heard.millis().0 + connection.silence_ms()).max(self.grace_until);
        if let Some(extra) = connection.extra.as_ref().filter(|e| !e.outbound.is_empty()) {
            if connection.gate & gate::BLOCKED == 0 && connection.gate & gate::PACED != 0 {
                at = at.min(extra.next_paced);
            }
            if connection.gate & gate::QUIET != 0 {
                at = at.min(connection.deadline.millis());
            }
        }
        self.wheel.set(slot, at);
    }

    /// Give the phase until `now + timeout_ms`.
    pub(crate) fn set_deadline(&mut self, now: Now, slot: Slot, timeout_ms: u64) {
        // Ticks round down: one more, so that a deadline is never early.
        let at = Millis(now.mono.0 + timeout_ms + limits::WHEEL_TICK_MS);
        self.connections[slot].deadline = Ticks::at(at);
        self.wheel.set(slot, Ticks::at(at).millis());
    }

    /// End a connection: release what it holds and close it. Idempotent; the slot is free at `Input::Closed`.
    pub(crate) fn end(&mut self, now: Now, slot: Slot, end: End, fx: &mut Effects) {
        use crate::connection::{NO_DEVICE, gate};
        let Some(connection) = self.connections.get(slot) else { return };
        if connection.phase == Phase::Closing {
            return;
        }
        let was_blocked = connection.gate & gate::BLOCKED != 0;
        let position = connection.device;
        let connection_was_live = connection.phase == Phase::Live;
        let device = (position != NO_DEVICE).then(|| self.devices[position].id);
        if connection_was_live {
            self.counters.online -= 1;
        }
        self.write_diary(now, slot, end);
        if connection_was_live {
            self.keep_presence(now, position, Some(end), fx);
        }
        self.leave_device(now, slot, end);
        if !was_blocked && end.is_ours() {
            self.websocket_goodbye(slot, fx);
        }
        self.tls_goodbye(slot, end.is_ours() && !was_blocked, fx);
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.ws = None;
            c.phase = Phase::Closing;
            c.device = NO_DEVICE;
        });
        self.wheel.clear(slot);
        self.counters.ended(end);
        fx.push(Effect::Ended { slot, device, end });
        // A graceful close would wait for a peer that does not read.
        fx.push(if was_blocked { Effect::Abort { slot } } else { Effect::Close { slot } });
    }

    pub(crate) fn peer_gone(&mut self, now: Now, slot: Slot, end: End, fx: &mut Effects) {
        match self.connections.get(slot).map(|c| c.phase) {
            // It has read its refusal.
            Some(Phase::Refused(refusal)) => self.end(now, slot, refusal, fx),
            // The transfer answers; home will see the end of the stream.
            Some(Phase::Leaving { .. }) | None => {}
            Some(Phase::Http(Exchange::Reading { .. })) if end == End::PeerClosed => {
                self.end(now, slot, End::HttpDone, fx);
            }
            Some(_) => self.end(now, slot, end, fx),
        }
    }

    fn closed(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        let ip = connection.peer.ip();
        if matches!(connection.phase, Phase::Leaving { .. }) {
            self.counters.moved_out += 1;
        }
        self.addresses.leave(&ip);
        self.wheel.clear(slot);
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.ws = None;
            c.tls = Tls::Off;
        });
        self.connections.release(slot);
    }

    /// Check what must always hold; for tests and the simulator, not for the hot path.
    ///
    /// # Errors
    /// The first invariant that does not hold, in words.
    pub fn audit(&self) -> Result<(), String> {
        let mut cells = 0;
        let mut online = 0;
        for (slot, connection) in self.connections.iter() {
            cells += connection.cell_bytes();
            if connection.phase == Phase::Live {
                online += 1;
                let device = &self.devices[connection.device];
                if device.connection() != Some(slot) {
                    return Err(format!("{slot:?} is live for device {} which has {:?}", device.id, device.slot));
                }
            }
            let waits = !matches!(connection.phase, Phase::Closing | Phase::Leaving { .. });
            if waits && !self.wheel.is_set(slot) {
                return Err(format!("{slot:?} in {:?} has no timer", connection.phase));
            }
            if connection.phase == Phase::Closing && connection.cell_bytes() > 0 {
                return Err(format!("{slot:?} is closing and still holds {} bytes", connection.cell_bytes()));
            }
        }
        if self.addresses.counted() != self.connections.used as u64 {
            return Err(format!(
                "{} connections, {} counted by address",
                self.connections.used,
                self.addresses.counted()
            ));
        }
        if cells != self.connections.ledger_bytes {
            return Err(format!("cells hold {cells} bytes, the ledger says {}", self.connections.ledger_bytes));
        }
        if online != self.counters.online {
            return Err(format!("{online} live connections, the counter says {}", self.counters.online));
        }
        for (_, device) in self.devices.iter() {
            if let Some(slot) = device.connection()
                && self.connections.get(slot).is_none_or(|c| c.phase != Phase::Live)
            {
                return Err(format!("device {} points at {slot:?} which is not live", device.id));
            }
        }
        Ok(())
    }
}

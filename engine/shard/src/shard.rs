//! The shard: its state, and which part of it answers which input.

use linchpin_protocol::model::{Millis, Now};

use crate::connection::{Connections, Exchange, Phase, Ticks};
use crate::device::Devices;
use crate::device::catalog::Catalog;
use crate::login::arrive::Arrivals;
use crate::operator::Operations;
use crate::operator::counters::Counters;
use crate::store::StoreLink;
use crate::tls::{SharedTls, Tls, TlsOptions};
use crate::{Effect, Effects, End, Input, Intake, Settings, ShardId, Slot, Turn, limits};

/// What a shard needs at its start.
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
    /// Key of the id digests; the same on every shard.
    pub digest_key: [u8; 32],
    /// Limits that the operator set.
    pub settings: Settings,
    /// What the store takes at first.
    pub intake: Intake,
    /// Values of the last run are still to come, until [`crate::Command::Replayed`]: reads wait for them.
    pub replaying: bool,
    /// What TLS needs; `None`: it is not spoken.
    pub tls: Option<TlsOptions>,
}

/// One core's world. See the crate's page for the rules. Fields are grouped by the folder that owns them.
#[derive(Debug)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) shards: u16,
    pub(crate) settings: Settings,
    pub(crate) connections: Connections,
    pub(crate) devices: Devices,
    pub(crate) catalog: Catalog,
    pub(crate) arrivals: Arrivals,
    pub(crate) store: StoreLink,
    /// TLS, if it is spoken.
    pub(crate) tls: Option<Box<SharedTls>>,
    pub(crate) operator: Operations,
    pub(crate) counters: Counters,
    pub(crate) clock: StallClock,
    /// Message id of the last frame that the server itself sent.
    pub(crate) push_id: u16,
    /// Reused by each call: frames that are being built.
    pub(crate) scratch: Vec<u8>,
    /// Reused by each tick: what the wheel gave.
    expired: Vec<Slot>,
}

/// When a shard ran, to tell its own stalls from the silence of devices.
#[derive(Debug)]
pub(crate) struct StallClock {
    /// When `handle` last ran.
    last_run: Millis,
    /// No device is blamed for silence before this time.
    pub(crate) grace_until: Millis,
    /// Wall time when the monotonic clock was 0, s; follows the wall clock.
    pub(crate) wall_offset_s: u64,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(options: ShardOptions, now: Now) -> Self {
        Self {
            id: options.id,
            shards: options.shards,
            settings: options.settings,
            connections: Connections::new(options.slots as usize, options.seed, now.mono),
            devices: Devices::default(),
            catalog: Catalog::new(options.seed, &options.digest_key),
            arrivals: Arrivals::default(),
            store: StoreLink::new(options.intake, options.replaying),
            tls: options.tls.map(|tls| Box::new(SharedTls::new(tls, options.seed, now))),
            operator: Operations::new(options.shards),
            counters: Counters::default(),
            clock: StallClock { last_run: now.mono, grace_until: Millis(0), wall_offset_s: 0 },
            push_id: 0,
            scratch: Vec::new(),
            expired: Vec::new(),
        }
    }

    /// Make room for so many devices and id index entries at once: loading then leaves no holes behind.
    pub fn reserve(&mut self, devices: usize) {
        self.devices.reserve(devices);
        self.catalog.tokens.reserve(devices);
    }

    /// One event in, what must be done out. Never blocks, never fails: what goes wrong with a peer ends that peer's
    /// connection with its [`End`].
    pub fn handle(&mut self, now: Now, input: Input<'_>, fx: &mut Effects) {
        let turn = &mut Turn { now, fx };
        self.note_stall(turn.now);
        match input {
            Input::Received { slot, bytes } => self.received(turn, slot, bytes),
            Input::Accepted { slot, peer, via } => self.accepted(turn, slot, peer, via),
            Input::PeerClosed { slot } => self.peer_gone(turn, slot, End::PeerClosed),
            Input::Failed { slot, .. } => self.peer_gone(turn, slot, End::PeerReset),
            Input::Blocked { slot } => self.blocked(slot),
            Input::Drained { slot } => self.drained(turn, slot),
            Input::Closed { slot } => self.closed(slot),
            Input::Arrived { id, slot } => self.descriptor_arrived(turn, id, slot),
            Input::MoveFailed { id, slot } => self.move_failed(turn, id, slot),
            Input::Letter { from, letter } => self.letter(turn, from, letter),
            Input::Undelivered { letter, .. } => self.undelivered(turn, &letter),
            Input::Command(command) => self.command(turn, command),
            Input::Timer => self.timer(turn),
        }
    }

    /// When [`Input::Timer`] is due; `None` while nothing waits for time.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let drain = self.operator.drain.as_ref().map(|d| d.next);
        [self.connections.wheel.next(), self.arrivals.deadline(), drain, self.tap_deadline(), self.handshake_deadline()]
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
        let gap = now.mono.since(self.clock.last_run);
        if gap <= limits::STALL_MS {
            self.clock.last_run = now.mono;
            return;
        }
        // A quiet shard is woken for its deadline, so only time beyond it is a stall.
        let expected = self.deadline().map_or(u64::MAX, |d| d.since(self.clock.last_run));
        let late = gap.saturating_sub(expected);
        if late > limits::STALL_MS {
            self.clock.grace_until = Millis(now.mono.0 + late.min(limits::STALL_GRACE_MS));
        }
        self.clock.last_run = now.mono;
    }

    fn timer(&mut self, turn: &mut Turn<'_>) {
        self.clock.wall_offset_s = turn.now.wall.seconds().saturating_sub(turn.now.mono.0 / 1_000);
        let mut expired = std::mem::take(&mut self.expired);
        expired.clear();
        self.connections.wheel.expire(turn.now.mono, limits::EXPIRE_PER_TICK, &mut expired);
        for &slot in &expired {
            self.expire(turn, slot);
        }
        self.expired = expired;
        self.expire_arrivals(turn);
        self.expire_taps(turn.now);
        self.drain_some(turn);
    }

    /// The wheel's entry of a connection is due: look at the true deadlines, end or set it again.
    fn expire(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        let due = connection.deadline.millis() <= turn.now.mono;
        match connection.phase {
            Phase::Opening if due => self.end(turn, slot, End::LoginTimeout),
            Phase::Handshake if due => self.end(turn, slot, End::HandshakeTimeout),
            Phase::Resolving { .. } if due => self.end(turn, slot, End::Busy),
            Phase::Refused(end) if due => self.end(turn, slot, end),
            Phase::Live => self.expire_live(turn, slot),
            // The driver answers these; nothing to do but wait.
            Phase::Free | Phase::Closing | Phase::Leaving { .. } => {}
            Phase::Http(exchange) if due => self.expire_http(turn, slot, exchange),
            Phase::Opening | Phase::Handshake | Phase::Resolving { .. } | Phase::Refused(_) | Phase::Http(_) => {
                self.connections.wheel.set(slot, connection.deadline.millis());
            }
        }
    }

    fn expire_live(&mut self, turn: &mut Turn<'_>, slot: Slot) {
        let connection = &self.connections[slot];
        let silent_at = Millis(connection.heard.millis().0 + connection.silence_ms());
        if silent_at <= turn.now.mono && self.clock.grace_until <= turn.now.mono {
            return self.end(turn, slot, End::HeartbeatMissed);
        }
        self.release_outbound(turn, slot);
        self.set_live_timer(slot);
    }

    /// The earliest of heartbeat, paced send and the end of the quiet time after login.
    pub(crate) fn set_live_timer(&mut self, slot: Slot) {
        use crate::connection::gate;
        let Some(connection) = self.connections.get(slot).filter(|c| c.phase == Phase::Live) else { return };
        let mut at = Millis(connection.heard.millis().0 + connection.silence_ms()).max(self.clock.grace_until);
        if let Some(extra) = connection.extra.as_ref().filter(|e| !e.outbound.is_empty()) {
            if connection.gate & gate::BLOCKED == 0 && connection.gate & gate::PACED != 0 {
                at = at.min(extra.next_paced);
            }
            if connection.gate & gate::QUIET != 0 {
                at = at.min(connection.deadline.millis());
            }
        }
        self.connections.wheel.set(slot, at);
    }

    /// Give the phase until `now + timeout_ms`.
    pub(crate) fn set_deadline(&mut self, now: Now, slot: Slot, timeout_ms: u64) {
        // Ticks round down: one more, so that a deadline is never early.
        let at = Millis(now.mono.0 + timeout_ms + limits::WHEEL_TICK_MS);
        self.connections[slot].deadline = Ticks::at(at);
        self.connections.wheel.set(slot, Ticks::at(at).millis());
    }

    /// End a connection: release what it holds and close it. Idempotent; the slot is free at `Input::Closed`.
    pub(crate) fn end(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
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
        self.write_diary(turn.now, slot, end);
        if connection_was_live {
            self.store_presence(turn, position, Some(end));
        }
        self.leave_device(turn.now, slot, end);
        if !was_blocked && end.is_ours() {
            self.websocket_goodbye(turn, slot);
        }
        self.tls_goodbye(turn, slot, end.is_ours() && !was_blocked);
        self.connections.hold(slot, |c| {
            c.carry = None;
            c.extra = None;
            c.ws = None;
            c.phase = Phase::Closing;
            c.device = NO_DEVICE;
        });
        self.connections.wheel.clear(slot);
        self.counters.ended(end);
        turn.fx.push(Effect::Ended { slot, device, end });
        // A graceful close would wait for a peer that does not read.
        turn.fx.push(if was_blocked { Effect::Abort { slot } } else { Effect::Close { slot } });
    }

    pub(crate) fn peer_gone(&mut self, turn: &mut Turn<'_>, slot: Slot, end: End) {
        match self.connections.get(slot).map(|c| c.phase) {
            // It has read its refusal.
            Some(Phase::Refused(refusal)) => self.end(turn, slot, refusal),
            // The transfer answers; home will see the end of the stream.
            Some(Phase::Leaving { .. }) | None => {}
            Some(Phase::Http(Exchange::Reading { .. })) if end == End::PeerClosed => {
                self.end(turn, slot, End::HttpDone);
            }
            Some(_) => self.end(turn, slot, end),
        }
    }

    fn closed(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get(slot) else { return };
        let ip = connection.peer.ip();
        if matches!(connection.phase, Phase::Leaving { .. }) {
            self.counters.moved_out += 1;
        }
        self.connections.addresses.leave(&ip);
        self.connections.wheel.clear(slot);
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
            if waits && !self.connections.wheel.is_set(slot) {
                return Err(format!("{slot:?} in {:?} has no timer", connection.phase));
            }
            if connection.phase == Phase::Closing && connection.cell_bytes() > 0 {
                return Err(format!("{slot:?} is closing and still holds {} bytes", connection.cell_bytes()));
            }
        }
        if self.connections.addresses.counted() != self.connections.used as u64 {
            return Err(format!(
                "{} connections, {} counted by address",
                self.connections.used,
                self.connections.addresses.counted()
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

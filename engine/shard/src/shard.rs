//! The shard: its state, and which part of it answers which input.

use std::sync::Arc;

use linchpin_protocol::model::{Millis, Now};

use crate::connection::Connections;
use crate::connection::failures::LoginFailures;
use crate::device::Devices;
use crate::device::absence::Absences;
use crate::device::catalog::Catalog;
use crate::http::asks::admit::HttpOptions;
use crate::http::asks::table::Asks;
use crate::live::Live;
use crate::login::arrive::Arrivals;
use crate::mqtt::will::Wills;
use crate::operator::Operations;
use crate::operator::counters::Counters;
use crate::store::StoreLink;
use crate::tls::{SharedTls, TlsOptions};
use crate::{Effects, End, Input, Intake, Parcel, Settings, ShardId, Slot, Turn, limits};

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
    /// Failed logins by address; the same on every shard.
    pub failures: Arc<LoginFailures>,
    /// What HTTP needs beside the device APIs.
    pub http: HttpOptions,
}

/// One core's world. See the crate's page for the rules. Fields are grouped by the folder that owns them.
#[derive(Debug)]
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) shards: u16,
    pub(crate) settings: Settings,
    pub(crate) connections: Connections,
    pub(crate) failures: Arc<LoginFailures>,
    pub(crate) devices: Devices,
    pub(crate) catalog: Catalog,
    pub(crate) arrivals: Arrivals,
    pub(crate) store: StoreLink,
    /// Wills of MQTT devices that wait for their delay.
    pub(crate) wills: Wills,
    /// Devices that are away and still shown as online.
    pub(crate) absences: Absences,
    /// TLS, if it is spoken.
    pub(crate) tls: Option<Box<SharedTls>>,
    /// Requests that the control plane answers.
    pub(crate) asks: Asks,
    /// Live sockets, and who watches the devices that live here.
    pub(crate) live: Live,
    /// What HTTP needs beside the device APIs.
    pub(crate) http: HttpOptions,
    pub(crate) operator: Operations,
    pub(crate) counters: Counters,
    /// When addresses with too many connections are looked for again.
    pub(crate) room_due_at: Millis,
    /// When room on a full table is looked for again.
    pub(crate) room_again_at: Option<Millis>,
    /// The device that is being heard has not spoken for a moment: its next PING is free.
    pub(crate) may_ping: bool,
    pub(crate) clock: StallClock,
    /// Message id of the last frame that the server itself sent.
    pub(crate) push_id: u16,
    /// Reused by each call: frames that are being built.
    pub(crate) scratch: Vec<u8>,
    /// Reused by each tick: what the wheel gave.
    pub(crate) expired: Vec<Slot>,
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
            connections: Connections::new(
                options.slots as usize,
                options.settings.ledger_bytes as usize,
                options.seed,
                now.mono,
            ),
            failures: options.failures,
            devices: Devices::default(),
            catalog: Catalog::new(options.seed, &options.digest_key),
            arrivals: Arrivals::default(),
            store: StoreLink::new(options.intake, options.replaying),
            wills: Wills::default(),
            absences: Absences::default(),
            tls: options
                .tls
                .map(|tls| Box::new(SharedTls::new(tls, options.settings.handshake_wait_ms, options.seed, now))),
            asks: Asks::default(),
            live: Live::default(),
            http: options.http,
            operator: Operations::new(options.shards),
            settings: options.settings,
            counters: Counters::default(),
            room_due_at: Millis(0),
            room_again_at: None,
            may_ping: false,
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
            Input::Blocked { slot, bytes } => self.blocked(turn, slot, bytes),
            Input::Drained { slot } => self.drained(turn, slot),
            Input::Closed { slot } => self.closed(slot),
            Input::Arrived { id, slot } => self.descriptor_arrived(turn, id, slot),
            Input::MoveFailed { id, slot } => self.move_failed(turn, id, slot),
            Input::Letter { from, letter } => self.letter(turn, from, letter),
            Input::LocalLetter { letter, .. } => self.local_letter(turn, letter),
            Input::Undelivered { to, parcel: Parcel::Letter(letter) } => self.undelivered(turn, to, letter),
            Input::Undelivered { parcel: Parcel::Local(letter), .. } => self.undelivered_local(turn, &letter),
            Input::Answer { ask, part } => self.answer_part(turn, ask, part),
            Input::Command(command) => self.command(turn, command),
            Input::Timer => self.timer(turn),
        }
        if self.connections.ledger.needs_care() {
            self.settle(turn);
        }
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
}

//! One connection: the state of a socket, in as few bytes as possible.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use linchpin_protocol::model::Millis;

use super::address::AddressTable;
use super::outbound::Outbound;
use super::wheel::Wheel;
use super::wire::{Exchange, Framing, Speech, Wire};
use crate::blynk::bridge::Bridge;
use crate::ledger::ShardLedger;
use crate::tls::Tls;
use crate::{End, Receive, ShardId, Slot};

/// Where a connection stands. Transitions: `Free -> Opening -> Resolving -> (Leaving | Live | Refused) -> Closing ->
/// Free`, and at home `Free -> Live | Refused`. TLS: `Opening -> Handshake -> Opening`. HTTP: `Opening -> Serving ->
/// (Watching | Refused | Closing)`, and back to `Opening` when it becomes a device's WebSocket. What it speaks is in [`Wire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection in this slot.
    Free,
    /// Accepted; what it is has not shown.
    Opening,
    /// TLS is being negotiated.
    Handshake,
    /// The token is being looked up.
    Resolving {
        /// Message id of the login.
        login_id: u16,
    },
    /// On its way home; the descriptor may travel at any moment.
    Leaving {
        /// Where to.
        home: ShardId,
    },
    /// A device, logged in, at home.
    Live,
    /// A client that asks without being a device: HTTP.
    Serving,
    /// A person's live socket.
    Watching,
    /// Answered with a refusal; stays open a moment so that the client reads it.
    Refused {
        /// How it will end.
        end: End,
        /// How it is armed.
        receive: Receive,
    },
    /// Its state was given to the process that takes this one's place, or waits to come back.
    Away,
    /// Ordered to close; nothing is sent or read any more.
    Closing,
}

/// A peer's address in 18 bytes (`SocketAddr` takes 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    ip: [u8; 16],
    port: u16,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self { ip, port: address.port() }
    }

    /// Without the port; IPv4 as such.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        Ipv6Addr::from(self.ip).to_canonical()
    }

    /// With the port; IPv4 as such.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        SocketAddr::new(self.ip(), self.port)
    }
}

/// Time in wheel ticks, 4 bytes: enough for 8 years of uptime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticks(u32);

impl Ticks {
    /// Rounds down.
    pub(crate) fn at(time: Millis) -> Self {
        Self((time.0 / crate::limits::WHEEL_TICK_MS) as u32)
    }

    pub(crate) fn millis(self) -> Millis {
        Millis(u64::from(self.0) * crate::limits::WHEEL_TICK_MS)
    }
}

/// Why frames wait in [`Extra::outbound`] instead of leaving at once: bits of [`Connection::gate`].
pub(crate) mod gate {
    /// The socket is full.
    pub(crate) const BLOCKED: u8 = 1;
    /// One frame a send: a client that parses only the first frame of each read (it logged in with command 2).
    pub(crate) const PACED: u8 = 2;
    /// Logged in, but its INFO is not answered yet: pushes wait.
    pub(crate) const QUIET: u8 = 4;
    /// Every bit that there is.
    pub(crate) const ALL: u8 = BLOCKED | PACED | QUIET;
}

/// State that few connections have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Frames that wait.
    pub(crate) outbound: Outbound,
    /// Earliest time of the next paced send.
    pub(crate) next_paced: Millis,
    /// Targets of bridge pins.
    pub(crate) bridges: Vec<Bridge>,
}

/// No device yet.
pub(crate) const NO_DEVICE: u32 = u32::MAX;

/// One slot of the connection table.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its layers.
    pub(crate) wire: Wire,
    /// Unfinished input.
    #[allow(clippy::box_collection, reason = "8 bytes instead of 24 in a table of idle connections")]
    pub(crate) carry: Option<Box<Vec<u8>>>,
    /// Queue and bridges, if any.
    pub(crate) extra: Option<Box<Extra>>,
    /// When bytes last came; in `Refused`, how many KiB have come since: see [`Self::reads_away`].
    pub(crate) heard: Ticks,
    /// When the current phase must end; in `Live`, when pushes stop waiting for INFO (`heard` decides about silence).
    pub(crate) deadline: Ticks,
    /// When it was accepted, or arrived at home.
    pub(crate) begun: Ticks,
    /// Frames received, for the diary.
    pub(crate) frames: u32,
    /// Distinguishes successive connections in one slot.
    pub(crate) serial: u32,
    /// Position in the device table, or [`NO_DEVICE`].
    pub(crate) device: u32,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// The peer.
    pub(crate) peer: Peer,
    /// Bits of [`gate`].
    pub(crate) gate: u8,
}

// An idle device costs this, its device record and the timer's links: docs/limits.md.
const _: () = assert!(size_of::<Connection>() == crate::limits::CONNECTION_BYTES);

impl Connection {
    pub(crate) fn free() -> Self {
        Self {
            wire: Wire::default(),
            carry: None,
            extra: None,
            begun: Ticks(0),
            frames: 0,
            heard: Ticks(0),
            deadline: Ticks(0),
            serial: 0,
            device: NO_DEVICE,
            phase: Phase::Free,
            peer: Peer { ip: [0; 16], port: 0 },
            gate: 0,
        }
    }

    /// Bytes that this connection holds beyond its fixed structure: its cell of the ledger.
    #[inline]
    pub(crate) fn cell_bytes(&self) -> usize {
        // Most devices: in the clear, with nothing carried and nothing rare.
        if self.carry.is_none()
            && self.extra.is_none()
            && let Wire { tls: Tls::Off, framing: Framing::Stream, speech: Speech::Blynk(..) | Speech::Unknown } =
                &self.wire
        {
            return 0;
        }
        self.rare_cell_bytes()
    }

    #[inline(never)]
    fn rare_cell_bytes(&self) -> usize {
        let carry = self.carry.as_ref().map_or(0, |c| c.capacity() + size_of::<Vec<u8>>());
        let extra = self.extra.as_ref().map_or(0, |e| {
            let bridges = e.bridges.capacity() * size_of::<Bridge>();
            let held: usize = e.bridges.iter().map(Bridge::heap_bytes).sum();
            size_of::<Extra>() + e.outbound.heap_bytes() + bridges + held
        });
        let wire = &self.wire;
        carry + extra + wire.framing.held_bytes() + wire.tls.held_bytes() + wire.speech.held_bytes()
    }

    /// It was refused, and what it sends from now on is read away.
    pub(crate) fn refuse(&mut self, end: End, receive: Receive) {
        self.phase = Phase::Refused { end, receive };
        self.heard = Ticks(0);
    }

    /// So many bytes came after the refusal: is more read away?
    pub(crate) fn reads_away(&mut self, bytes: usize) -> bool {
        self.heard.0 += bytes.div_ceil(1_024) as u32;
        self.heard.0 < crate::limits::REFUSED_KIB
    }

    /// Is a device logged in?
    pub(crate) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Where it stands, if it is served over HTTP.
    pub(crate) fn exchange(&self) -> Option<Exchange> {
        self.wire.speech.exchange().filter(|_| self.phase == Phase::Serving)
    }

    /// It speaks HTTP and stands here now.
    pub(crate) fn serve(&mut self, exchange: Exchange) {
        self.phase = Phase::Serving;
        self.wire.speech = Speech::Http(exchange);
    }

    /// The extra, made on first use.
    pub(crate) fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Silence after which the device counts as gone: one and a half of the keep alive that MQTT asks for.
    pub(crate) fn silence_ms(&self) -> u64 {
        use crate::limits::{HEARTBEAT_DENOMINATOR, HEARTBEAT_NUMERATOR, KEEP_ALIVE_PERCENT};
        if let Speech::Mqtt(session) = &self.wire.speech {
            return u64::from(session.keep_alive_s()) * 10 * KEEP_ALIVE_PERCENT;
        }
        u64::from(self.wire.speech.announced().heartbeat_s) * 1_000 * HEARTBEAT_NUMERATOR / HEARTBEAT_DENOMINATOR
    }
}

/// The connection table of a shard, by slot, with the ledger over it.
#[derive(Debug)]
pub(crate) struct Connections {
    table: Vec<Connection>,
    /// Connections in any phase but `Free`.
    pub(crate) used: usize,
    /// Those of them that were ordered to close.
    pub(crate) closing: usize,
    /// What they hold, and who pays for it.
    pub(crate) ledger: ShardLedger,
    slots: usize,
    /// One timer a connection.
    pub(crate) wheel: Wheel,
    /// Connections and failed logins by address.
    pub(crate) addresses: AddressTable,
    next_serial: u32,
}

impl Connections {
    /// Room for `slots` without moving; memory is used as slots are used.
    pub(crate) fn new(slots: usize, ledger_bytes: usize, seed: [u8; 16], now: Millis) -> Self {
        Self {
            table: Vec::with_capacity(slots),
            used: 0,
            closing: 0,
            ledger: ShardLedger::new(ledger_bytes),
            slots,
            wheel: Wheel::new(now, slots),
            addresses: AddressTable::new(seed),
            next_serial: 0,
        }
    }

    /// Put a new connection in a free slot.
    pub(crate) fn open(&mut self, slot: Slot, peer: SocketAddr, now: Millis) -> &mut Connection {
        while self.table.len() <= slot.index() {
            self.table.push(Connection::free());
        }
        self.next_serial = self.next_serial.wrapping_add(1);
        self.used += 1;
        let connection = &mut self.table[slot.index()];
        debug_assert_eq!(connection.phase, Phase::Free, "the driver gave {slot:?} twice");
        *connection = Connection::free();
        connection.serial = self.next_serial;
        connection.peer = Peer::new(peer);
        connection.phase = Phase::Opening;
        connection.heard = Ticks::at(now);
        connection.begun = Ticks::at(now);
        connection
    }

    /// Forget a closed connection. Its cell must be empty already.
    pub(crate) fn release(&mut self, slot: Slot) {
        debug_assert_eq!(self[slot].cell_bytes(), 0);
        if self[slot].phase != Phase::Free {
            self.used -= 1;
        }
        self[slot].phase = Phase::Free;
        self[slot].device = NO_DEVICE;
    }

    /// The connection in `slot`, if there is one.
    pub(crate) fn get(&self, slot: Slot) -> Option<&Connection> {
        self.table.get(slot.index()).filter(|c| c.phase != Phase::Free)
    }

    /// The same, to change it; what it holds is changed by [`Self::hold`] only.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.table.get_mut(slot.index()).filter(|c| c.phase != Phase::Free)
    }

    /// Change what a connection holds and adjust the ledger.
    pub(crate) fn hold<R>(&mut self, slot: Slot, change: impl FnOnce(&mut Connection) -> R) -> R {
        let connection = &mut self.table[slot.index()];
        let before = connection.cell_bytes();
        let result = change(connection);
        let after = connection.cell_bytes();
        if self.ledger.cell_changed(before, after) {
            let payer = connection.payer(self.ledger.token(slot));
            self.ledger.charge(slot, connection.ledger_class(), payer, after);
        }
        result
    }

    /// The class or the payer of a connection is another one from now on.
    pub(crate) fn recharge(&mut self, slot: Slot) {
        let connection = &self.table[slot.index()];
        if self.ledger.is_charged(slot) {
            let payer = connection.payer(self.ledger.token(slot));
            self.ledger.charge(slot, connection.ledger_class(), payer, connection.cell_bytes());
        }
    }

    /// Who must give back next, and why; see [`ShardLedger::who_ends`].
    pub(crate) fn who_ends(&mut self) -> Vec<(Slot, End)> {
        let table = &self.table;
        self.ledger.who_ends(|slot| table.get(slot.index()).is_some_and(Connection::awaits_peer))
    }

    /// Size of the table.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Slots that were ever used.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// All connections with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &Connection)> {
        self.table.iter().enumerate().filter(|(_, c)| c.phase != Phase::Free).map(|(ix, c)| (Slot(ix as u32), c))
    }
}

impl std::ops::Index<Slot> for Connections {
    type Output = Connection;
    fn index(&self, slot: Slot) -> &Connection {
        &self.table[slot.index()]
    }
}

impl std::ops::IndexMut<Slot> for Connections {
    fn index_mut(&mut self, slot: Slot) -> &mut Connection {
        &mut self.table[slot.index()]
    }
}

//! The driver's contract, simulated: slots, armed receives, short sends, closes that take time.

use std::collections::VecDeque;

use linchpin_shard::{MoveId, Receive, Slot};

/// A connection of the network: its number, the same at both ends and on every shard.
pub type Conn = usize;

/// What a shard's driver knows of one socket.
#[derive(Debug)]
pub struct Socket {
    /// Which connection.
    pub conn: Conn,
    /// How it is armed.
    pub armed: Option<Receive>,
    /// Bytes that have come and were not received.
    pub unread: VecDeque<u8>,
    /// The peer has ended its stream behind them.
    pub ended: bool,
    /// The peer has reset the connection.
    pub reset: bool,
    /// The end was reported.
    pub told: bool,
    /// The rest of a short send.
    pub backlog: Vec<u8>,
    /// Close when the backlog has left.
    pub closing: bool,
}

impl Socket {
    /// A new one.
    #[must_use]
    pub fn new(conn: Conn) -> Self {
        Self {
            conn,
            armed: None,
            unread: VecDeque::new(),
            ended: false,
            reset: false,
            told: false,
            backlog: Vec::new(),
            closing: false,
        }
    }
}

/// What a shard will be told at one of its next ticks.
#[derive(Debug)]
pub enum Completion {
    /// See `Input` of the same name.
    Accepted(Slot),
    /// See `Input`.
    Blocked(Slot),
    /// See `Input`.
    Drained(Slot),
    /// A send broke: see `Input`.
    Failed(Slot),
    /// See `Input`.
    Closed(Slot),
    /// See `Input`.
    Arrived(MoveId, Slot),
    /// See `Input`.
    MoveFailed(MoveId, Slot),
}

/// One shard's sockets.
#[derive(Debug, Default)]
pub struct SimDriver {
    slots: Vec<Option<Socket>>,
    capacity: usize,
    /// Slots whose `Closed` was not delivered yet: they must not be used.
    resting: usize,
    /// What waits to be told.
    pub completions: VecDeque<Completion>,
}

impl SimDriver {
    /// With room for so many connections.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Is there a free slot?
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.used() + self.resting < self.capacity
    }

    /// Put a socket into a free slot.
    ///
    /// # Errors
    /// The table is full; the socket is given back.
    pub fn insert(&mut self, socket: Socket) -> Result<Slot, Socket> {
        if !self.has_room() {
            return Err(socket);
        }
        let busy: Vec<Slot> = self
            .completions
            .iter()
            .filter_map(|c| if let Completion::Closed(slot) = c { Some(*slot) } else { None })
            .collect();
        let free = (0..self.slots.len()).find(|at| self.slots[*at].is_none() && !busy.contains(&Slot(*at as u32)));
        let at = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[at] = Some(socket);
        Ok(Slot(at as u32))
    }

    /// Sockets in slots.
    #[must_use]
    pub fn used(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// The socket of a slot.
    pub fn get(&mut self, slot: Slot) -> Option<&mut Socket> {
        self.slots.get_mut(slot.index()).and_then(Option::as_mut)
    }

    /// Take a socket out; `Closed` will be told.
    pub fn remove(&mut self, slot: Slot) -> Option<Socket> {
        let socket = self.slots.get_mut(slot.index()).and_then(Option::take)?;
        self.resting += 1;
        self.completions.push_back(Completion::Closed(slot));
        Some(socket)
    }

    /// Put a socket back where it was: it did not leave after all.
    pub fn restore(&mut self, slot: Slot, socket: Socket) {
        let told = self.completions.pop_back();
        debug_assert!(matches!(told, Some(Completion::Closed(at)) if at == slot));
        self.resting -= 1;
        self.slots[slot.index()] = Some(socket);
    }

    /// `Closed` was delivered.
    pub fn rested(&mut self) {
        self.resting -= 1;
    }

    /// Slots with something to receive.
    #[must_use]
    pub fn readable(&self) -> Vec<Slot> {
        let has = |socket: &Socket| {
            let has_end = !socket.told && (socket.ended || socket.reset);
            socket.armed.is_some() && (!socket.unread.is_empty() || has_end)
        };
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, s)| s.as_ref().is_some_and(has)).map(|(at, _)| Slot(at as u32)).collect()
    }
}

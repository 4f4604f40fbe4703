//! What a shard wants done: an out-parameter, filled by `handle` and carried out by the tick, in order.

use std::collections::BTreeMap;

use linchpin_protocol::http::History;
use linchpin_protocol::model::{DeviceId, OrgId, Pin};

use crate::{
    AwaitedAnswer, Cargo, ConnRef, DeviceChange, End, FieldAsk, Letter, LocalLetter, MoveId, Peer, Points, Receive,
    Report, RequestId, ShardId, Slot,
};

/// Bytes `start..end` of [`Effects::arena`] for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRange {
    /// The connection.
    pub slot: Slot,
    /// First byte in the arena.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// One thing to do besides sending. To be carried out in the order of [`Effects::list`], closes after the sends of the
/// same tick.
#[derive(Debug)]
pub enum Effect {
    /// Start receiving. Never given while the same slot is armed.
    Arm {
        /// The connection.
        slot: Slot,
        /// Once or until closed.
        receive: Receive,
    },
    /// Close after the bytes of this tick's send were handed to the kernel; `Input::Closed` follows.
    Close {
        /// The connection.
        slot: Slot,
    },
    /// Close with a reset, unsent bytes are dropped; `Input::Closed` follows.
    Abort {
        /// The connection.
        slot: Slot,
    },
    /// Move a connection to another shard. Nothing is armed. The tick delivers `LocalLetter::Moving { id, cargo }` first
    /// and, if the lane refuses it, gives it back as `Input::Undelivered` and moves nothing; then the descriptor
    /// travels. `Input::Closed` follows here on success, `Input::MoveFailed` otherwise.
    Move {
        /// The connection, here.
        slot: Slot,
        /// Its home.
        to: ShardId,
        /// Names the move there.
        id: MoveId,
        /// Its state.
        cargo: Box<Cargo>,
    },
    /// Deliver a letter to another shard, never to the shard itself.
    Letter {
        /// The addressee.
        to: ShardId,
        /// What it says.
        letter: Letter,
    },
    /// Deliver a letter to another shard of this process.
    LocalLetter {
        /// The addressee.
        to: ShardId,
        /// What it says.
        letter: LocalLetter,
    },
    /// Answer a [`crate::Command`].
    Report {
        /// The asker's number.
        to: RequestId,
        /// The answer.
        report: Report,
    },
    /// Store this. What must not be lost is acknowledged with [`Effect::AnswerStored`] behind it.
    Store(Box<DeviceChange>),
    /// Commit all changes that were handed over before, also those of [`crate::Shard::next_changed`], then give this back
    /// to the asker's shard as `Command::Stored`.
    AnswerStored(AwaitedAnswer),
    /// Read history, and answer with `Command::HistoryAnswer` to the asker's shard.
    History {
        /// The connection that waits.
        asker: ConnRef,
        /// The device's organization.
        org: OrgId,
        /// The device.
        device: DeviceId,
        /// What is asked.
        ask: Box<History>,
        /// Of which pins.
        pins: Box<[Pin]>,
        /// The asker speaks TLS: so do links.
        over_tls: bool,
    },
    /// Look a field of the device up, and answer with `Command::FieldAnswer` to the asker's shard.
    Field(FieldAsk),
    /// A device has logged in: for the log, which looks with [`crate::Shard::presented`]. Only after
    /// [`crate::Shard::show_logins`], as the next.
    LoggedIn {
        /// Its connection.
        slot: Slot,
    },
    /// The firmware of a device has said what it is: for the log.
    Introduced {
        /// Its connection.
        slot: Slot,
    },
    /// A connection ended: for the log. The slot may still be closing.
    Ended {
        /// The connection.
        slot: Slot,
        /// The device, once it is known.
        device: Option<DeviceId>,
        /// Why.
        end: End,
        /// Who was at the other end.
        peer: Peer,
        /// How long the connection of a device that was logged in has lasted; `None`: it was not, or its login was taken back.
        online_ms: Option<u64>,
    },
}

/// The out-parameter of `handle`. DeviceChange over ticks so that a warm shard allocates nothing; [`Effects::clear`] empties it
/// after the tick has carried everything out.
#[derive(Debug)]
pub struct Effects {
    /// Bytes of all sends of the tick.
    pub arena: Vec<u8>,
    /// At most one entry a connection: answers are merged, so the driver never has two sends of one socket in flight.
    pub sends: Vec<SendRange>,
    /// Values for the journal.
    pub points: Points,
    /// Everything else, in order.
    pub list: Vec<Effect>,
    /// Sealed bytes by connection, to go before what `send` gathers for it: `Shard::seal` merges both.
    pub(crate) sealed: BTreeMap<u32, Vec<u8>>,
    /// By slot: position in `sends` + 1, or 0. Only entries of `sends` are non-zero.
    send_of_slot: Vec<u32>,
    /// Bytes that the arena takes: `limits::ARENA_BYTES`, less in a test.
    pub(crate) arena_bytes: usize,
    /// Connections whose bytes it did not take: what they got is incomplete, so `Shard::seal` ends them.
    pub(crate) overfull: Vec<Slot>,
}

impl Default for Effects {
    fn default() -> Self {
        Self {
            arena: Vec::new(),
            sends: Vec::new(),
            points: Points::default(),
            list: Vec::new(),
            sealed: BTreeMap::new(),
            send_of_slot: Vec::new(),
            arena_bytes: crate::limits::ARENA_BYTES,
            overfull: Vec::new(),
        }
    }
}

impl Effects {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For tests of what happens when the arena is full.
    #[cfg(test)]
    pub(crate) fn with_arena_bytes(arena_bytes: usize) -> Self {
        Self { arena_bytes, ..Self::default() }
    }

    /// Append bytes for `slot` to this tick's send. `write` appends to the buffer that it is given and must not touch
    /// what stands there already. Returns how many bytes it appended: none if the arena is full, and then the connection ends.
    pub fn send(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) -> usize {
        let ix = slot.index();
        if self.send_of_slot.len() <= ix {
            self.send_of_slot.resize(ix + 1, 0);
        }
        let known = self.send_of_slot[ix] as usize;
        let arena_end = self.arena.len() as u32;
        if known == 0 {
            self.sends.push(SendRange { slot, start: arena_end, end: arena_end });
            self.send_of_slot[ix] = self.sends.len() as u32;
        } else if self.sends[known - 1].end != arena_end {
            // Others wrote in between: move what this connection has to the end, so that its bytes stay one range.
            let range = self.sends[known - 1];
            if self.arena.len() + (range.end - range.start) as usize > self.arena_bytes {
                return self.overflow(slot, known - 1);
            }
            self.arena.extend_from_within(range.start as usize..range.end as usize);
            self.sends[known - 1] = SendRange { slot, start: arena_end, end: arena_end + (range.end - range.start) };
        }
        let at = self.send_of_slot[ix] as usize - 1;
        let before = self.arena.len();
        write(&mut self.arena);
        if self.arena.len() > self.arena_bytes {
            return self.overflow(slot, at);
        }
        self.sends[at].end = self.arena.len() as u32;
        self.arena.len() - before
    }

    /// Offsets have 32 bits: beyond them a connection would get the bytes of another. Nothing of its bytes is sent.
    #[cold]
    fn overflow(&mut self, slot: Slot, at: usize) -> usize {
        self.sends[at].end = self.sends[at].start;
        let used = self.sends.iter().map(|range| range.end as usize).max();
        self.arena.truncate(used.unwrap_or(0));
        // An empty range must lie within the arena, too.
        self.sends[at] = SendRange { slot, start: 0, end: 0 };
        if self.overfull.last() != Some(&slot) {
            self.overfull.push(slot);
        }
        0
    }

    /// Bytes that wait for `slot` in this tick.
    #[must_use]
    pub fn pending_bytes(&self, slot: Slot) -> usize {
        self.pending(slot).len()
    }

    /// Take back what waits for `slot` (its connection is aborted).
    pub fn drop_sends(&mut self, slot: Slot) {
        if let Some(&at) = self.send_of_slot.get(slot.index())
            && at > 0
        {
            let range = &mut self.sends[at as usize - 1];
            range.end = range.start;
        }
        self.sealed.remove(&slot.0);
    }

    /// Append bytes of a TLS connection that are sealed already, or need no seal.
    pub(crate) fn send_sealed(&mut self, slot: Slot, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.sealed.entry(slot.0).or_default().extend_from_slice(bytes);
        }
    }

    /// What waits for `slot` in this tick.
    pub(crate) fn pending(&self, slot: Slot) -> &[u8] {
        match self.send_of_slot.get(slot.index()) {
            Some(&at) if at > 0 => {
                let range = self.sends[at as usize - 1];
                &self.arena[range.start as usize..range.end as usize]
            }
            _ => &[],
        }
    }

    /// Take back what waits for `slot` to send it elsewhere.
    pub(crate) fn take_sends(&mut self, slot: Slot) -> Vec<u8> {
        let mut bytes = self.sealed.remove(&slot.0).unwrap_or_default();
        bytes.extend_from_slice(self.pending(slot));
        self.drop_sends(slot);
        bytes
    }

    /// Push one effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sends.is_empty() && self.list.is_empty() && self.sealed.is_empty() && self.points.is_empty()
    }

    /// Forget what was carried out; retains memory up to `limits::EFFECTS_RETAINED_BYTES`.
    pub fn clear(&mut self) {
        for range in &self.sends {
            self.send_of_slot[range.slot.index()] = 0;
        }
        self.sends.clear();
        self.sealed.clear();
        self.overfull.clear();
        self.list.clear();
        self.points.clear();
        self.arena.clear();
        if self.arena.capacity() > crate::limits::EFFECTS_RETAINED_BYTES {
            self.arena.shrink_to(crate::limits::EFFECTS_RETAINED_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_one_connection_are_one_range_even_when_others_write_between() {
        let mut fx = Effects::new();
        fx.send(Slot(3), |b| b.extend_from_slice(b"abc"));
        fx.send(Slot(9), |b| b.extend_from_slice(b"xy"));
        fx.send(Slot(3), |b| b.extend_from_slice(b"def"));
        fx.send(Slot(3), |b| b.extend_from_slice(b"g"));
        let of = |slot| {
            let r = fx.sends.iter().find(|r| r.slot == slot).expect("has a send");
            &fx.arena[r.start as usize..r.end as usize]
        };
        assert_eq!(fx.sends.len(), 2);
        assert_eq!(of(Slot(3)), b"abcdefg");
        assert_eq!(of(Slot(9)), b"xy");
        assert_eq!(fx.pending_bytes(Slot(3)), 7);
        fx.clear();
        assert!(fx.is_empty());
        assert_eq!(fx.pending_bytes(Slot(3)), 0);
    }

    #[test]
    fn a_full_arena_takes_no_more_and_mixes_nothing() {
        let mut fx = Effects::with_arena_bytes(100);
        fx.send(Slot(1), |b| b.extend_from_slice(&[1; 60]));
        fx.send(Slot(2), |b| b.extend_from_slice(&[2; 30]));
        assert_eq!(fx.send(Slot(3), |b| b.extend_from_slice(&[3; 30])), 0);
        // It would have to move behind the others, for which there is no room.
        assert_eq!(fx.send(Slot(1), |b| b.push(1)), 0);
        assert_eq!(fx.send(Slot(3), |b| b.extend_from_slice(&[3; 40])), 0);
        assert_eq!((fx.pending(Slot(1)), fx.pending(Slot(2)), fx.pending(Slot(3))), (&[][..], &[2; 30][..], &[][..]));
        assert!([Slot(1), Slot(3)].iter().all(|slot| fx.overfull.contains(slot)));
        fx.clear();
        assert_eq!(fx.send(Slot(3), |b| b.extend_from_slice(&[3; 100])), 100, "the next tick has room");
        assert!(fx.overfull.is_empty());
    }
}

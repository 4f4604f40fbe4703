//! One slot a connection, 8 bytes.

use crate::ConnId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SlotState {
    /// Not in use.
    #[default]
    Free,
    /// An outgoing connection that does not stand yet.
    Connecting,
    /// In use.
    Open,
    /// On its way to another driver.
    Leaving,
    /// The close was submitted.
    Closing,
}

/// Bits of [`RingSlot::flags`].
pub(super) mod flag {
    /// A receive is in flight.
    pub(crate) const RECEIVING: u8 = 1;
    /// It is to be armed again whenever it ends by itself.
    pub(crate) const STAYS: u8 = 2;
    /// A poll for writability is in flight.
    pub(crate) const POLLING: u8 = 4;
    /// Close as soon as nothing is in flight.
    pub(crate) const CLOSE: u8 = 8;
    /// Close with a reset.
    pub(crate) const ABORT: u8 = 16;
    /// Told `Blocked`.
    pub(crate) const BLOCKED: u8 = 32;
    /// A poll for readability is in flight.
    pub(crate) const AWAITING: u8 = 64;
    /// A receive is due once the ring goes on.
    pub(crate) const HELD: u8 = 128;
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RingSlot {
    /// The descriptor; for a direct one the slot's own number is it.
    pub(super) fd: i32,
    /// Counts the lives of the slot: a late completion of an earlier life is recognised.
    pub(super) generation: u16,
    pub(super) state: SlotState,
    pub(super) flags: u8,
}

const _: () = assert!(size_of::<RingSlot>() == crate::limits::SLOT_BYTES);

impl RingSlot {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Is nothing of it in flight?
    pub(super) fn is_quiet(&self) -> bool {
        !self.has(flag::RECEIVING | flag::AWAITING | flag::POLLING)
    }
}

/// All slots of a ring.
#[derive(Debug)]
pub(super) struct RingSlots {
    table: Vec<RingSlot>,
    free: Vec<u32>,
    pub(super) capacity: usize,
}

impl RingSlots {
    pub(super) fn new(capacity: usize) -> Self {
        Self { table: Vec::with_capacity(capacity), free: Vec::new(), capacity }
    }

    /// A free slot for a plain descriptor.
    pub(super) fn take(&mut self, fd: i32, state: SlotState) -> ConnId {
        let index = self.free.pop().unwrap_or(self.table.len() as u32);
        self.take_at(index, fd, state)
    }

    /// The slot that the kernel chose for a direct descriptor.
    pub(super) fn take_at(&mut self, index: u32, fd: i32, state: SlotState) -> ConnId {
        if self.table.len() <= index as usize {
            self.table.resize(index as usize + 1, RingSlot::default());
        }
        let slot = &mut self.table[index as usize];
        debug_assert_eq!(slot.state, SlotState::Free, "slot {index} is in use");
        *slot = RingSlot { fd, generation: slot.generation, state, flags: 0 };
        ConnId(index)
    }

    /// End of a life. `plain` slots are handed out again by this table, direct ones by the kernel.
    pub(super) fn give_back(&mut self, conn: ConnId, plain: bool) {
        let slot = &mut self.table[conn.index()];
        slot.state = SlotState::Free;
        slot.flags = 0;
        slot.generation = slot.generation.wrapping_add(1);
        if plain {
            self.free.push(conn.0);
        }
    }

    /// Slots that were ever used.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Is nothing of any connection in flight, and none half open? One that closes may wait for a peer that does not read.
    pub(super) fn all_still(&self) -> bool {
        self.table.iter().all(|slot| match slot.state {
            SlotState::Free => true,
            SlotState::Open => {
                slot.is_quiet() || (slot.has(flag::CLOSE) && !slot.has(flag::RECEIVING | flag::AWAITING))
            }
            SlotState::Connecting | SlotState::Leaving | SlotState::Closing => false,
        })
    }

    pub(super) fn get(&self, conn: ConnId) -> RingSlot {
        self.table.get(conn.index()).copied().unwrap_or_default()
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> &mut RingSlot {
        &mut self.table[conn.index()]
    }

    /// Slots that accepted connections may not use, kept for arrivals.
    pub(super) fn kept(&self) -> usize {
        self.capacity / crate::limits::ARRIVAL_SHARE as usize
    }
}

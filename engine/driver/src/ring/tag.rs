//! What travels in `user_data`: which operation, of whom, and of which life of that slot.

use crate::limits::TOKEN_BITS;

/// The operations of this driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    /// Accept; the index is the listener, the generation its place among the listener's addresses.
    Accept = 1,
    /// Receive.
    Receive,
    /// A connection that sends rarely has bytes, or an end.
    Readable,
    /// A send of a flush; the index is its place in the flush.
    Send,
    /// The socket of a backlog can take more.
    Writable,
    /// A send of a backlog.
    SendRest,
    /// Connect.
    Connect,
    /// Put a descriptor into the table.
    Install,
    /// Close.
    Close,
    /// Send a descriptor to another ring; its failure.
    Transfer,
    /// The close that is linked to it.
    TransferClose,
    /// The eventfd.
    Wake,
    /// A descriptor from another ring; the rest of the word is the sender's token.
    Arrive,
    /// Operations whose result nobody needs.
    Ignore,
}

const OPS: [Op; 14] = [
    Op::Accept,
    Op::Receive,
    Op::Readable,
    Op::Send,
    Op::Writable,
    Op::SendRest,
    Op::Connect,
    Op::Install,
    Op::Close,
    Op::Transfer,
    Op::TransferClose,
    Op::Wake,
    Op::Arrive,
    Op::Ignore,
];

/// A decoded `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) op: Op,
    pub(super) generation: u16,
    pub(super) index: u32,
}

impl Tag {
    pub(super) const fn new(op: Op, generation: u16, index: u32) -> Self {
        Self { op, generation, index }
    }

    pub(super) const fn encode(self) -> u64 {
        (self.op as u64) << TOKEN_BITS | (self.generation as u64) << 32 | self.index as u64
    }

    /// `user_data` with which a transferred descriptor arrives at its target.
    pub(super) const fn arrival(token: u64) -> u64 {
        (Op::Arrive as u64) << TOKEN_BITS | token
    }

    pub(super) fn decode(word: u64) -> Option<Self> {
        let op = *OPS.get(usize::from((word >> TOKEN_BITS) as u8).checked_sub(1)?)?;
        Some(Self { op, generation: (word >> 32) as u16, index: word as u32 })
    }

    /// The sender's token of an arrival.
    pub(super) const fn token(word: u64) -> u64 {
        word & ((1 << TOKEN_BITS) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_kernel() {
        for op in OPS {
            let tag = Tag::new(op, 0xbeef, 0xdead_cafe);
            assert_eq!(Tag::decode(tag.encode()), Some(tag));
        }
        let word = Tag::arrival((1 << TOKEN_BITS) - 7);
        assert_eq!(Tag::decode(word).map(|tag| tag.op), Some(Op::Arrive));
        assert_eq!(Tag::token(word), (1 << TOKEN_BITS) - 7);
        assert_eq!(Tag::decode(0), None);
        assert_eq!(Tag::decode(u64::MAX), None);
    }
}

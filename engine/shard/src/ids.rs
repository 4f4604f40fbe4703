//! Names of things inside the process: shards, connection slots, token digests.

use linchpin_protocol::model::DeviceId;
use serde::{Deserialize, Serialize};

/// A shard of this process: `0..shards`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShardId(pub u16);

impl ShardId {
    /// Position in tables that have one entry a shard.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A connection's place in its shard's table: the index of the driver's own slot.
///
/// A slot is used again only after the driver reported it closed ([`crate::Input::Closed`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(pub u32);

impl Slot {
    /// Position in the connection table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One connection, for letters that may arrive after it ended: `serial` tells it from a later
/// connection in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnRef {
    /// The shard that holds the connection now.
    pub shard: ShardId,
    /// Its slot there.
    pub slot: Slot,
    /// Number of the connection within its shard; wraps after 2^32 connections.
    pub serial: u32,
}

/// Names one move of a connection to its home, for the two halves that travel apart: the letter with its state and the
/// descriptor. Unique among the moves under way; below 2^56, the bits that a driver carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoveId(pub u64);

/// Keyed digest of a token: the first 128 bits of HMAC-SHA-256 under the process's digest key.
/// Shards compare digests and never store tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Its first bytes: enough to tell owners apart.
    pub(crate) fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the key a digest tells nothing about the token, but it identifies a device: 4 bytes are enough to
        // follow one in a trace.
        write!(f, "Digest({:02x}{:02x}{:02x}{:02x}..)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// The shard that owns all state of `device`: a fixed function of the id, so every shard agrees without asking.
/// Device ids never change; tokens do.
#[must_use]
pub fn home_of(device: DeviceId, shards: u16) -> ShardId {
    // splitmix64's finalizer: consecutive ids spread evenly over any number of shards.
    let mut x = u64::from(device.get()).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    ShardId((x % u64::from(shards.max(1))) as u16)
}

/// The shard that owns the index entry of a token digest. Digests are uniform, so their head decides.
#[must_use]
pub fn index_owner_of(digest: &Digest, shards: u16) -> ShardId {
    let head = u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]);
    ShardId((head % u32::from(shards.max(1))) as u16)
}

/// What a token stands for. It travels with everything that was allowed by the token, so that home can refuse it once the
/// token was replaced, however long the letter was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRight {
    /// The device.
    pub device: DeviceId,
    /// Which of its tokens; home takes no older ones.
    pub epoch: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_spread_evenly_over_the_shards() {
        for shards in [1u16, 2, 3, 4, 7, 16] {
            let mut count = vec![0u32; usize::from(shards)];
            for id in 1..=20_000u32 {
                count[home_of(DeviceId::new(id).expect("not zero"), shards).index()] += 1;
            }
            let mean = 20_000.0 / f64::from(shards);
            for (shard, n) in count.iter().enumerate() {
                let ratio = f64::from(*n) / mean;
                assert!((0.85..1.15).contains(&ratio), "shard {shard} of {shards} holds {n}, mean {mean}");
            }
        }
    }
}

//! Peers by address: how many connections. Fixed memory, whatever the peers do.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use crate::limits::ADDRESS_BUCKETS;

/// A table of [`ADDRESS_BUCKETS`]. Addresses that share a bucket are counted together, so a cap can only be too
/// strict, and by a keyed hash nobody outside can choose whom to share with.
pub(crate) struct AddressTable {
    seed: [u8; 16],
    connections: Box<[u32]>,
}

impl std::fmt::Debug for AddressTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressTable")
    }
}

impl AddressTable {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self { seed, connections: vec![0; ADDRESS_BUCKETS].into() }
    }

    fn bucket(&self, ip: &IpAddr) -> usize {
        // SipHash with the secret seed as its first input.
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        owner_bytes(ip).hash(&mut hasher);
        hasher.finish() as usize % ADDRESS_BUCKETS
    }

    /// Count one more connection; false if that is over `cap` (it is counted all the same until [`Self::leave`]).
    pub(crate) fn enter(&mut self, ip: &IpAddr, cap: u32) -> bool {
        let count = &mut self.connections[self.bucket(ip)];
        *count += 1;
        *count <= cap
    }

    /// Count one less.
    pub(crate) fn leave(&mut self, ip: &IpAddr) {
        let count = &mut self.connections[self.bucket(ip)];
        debug_assert!(*count > 0, "an address left that had not entered");
        *count = count.saturating_sub(1);
    }

    /// Connections that are counted, for audits.
    pub(crate) fn counted(&self) -> u64 {
        self.connections.iter().map(|n| u64::from(*n)).sum()
    }
}

/// Who owns an address: a v4 address is one owner, a v6 address shares with its /64.
pub(super) fn owner_bytes(ip: &IpAddr) -> ([u8; 8], bool) {
    let mut bytes = [0; 8];
    let canonical = ip.to_canonical();
    match canonical {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes.copy_from_slice(&v6.octets()[..8]),
    }
    (bytes, canonical.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn counts_v4_apart_and_v6_by_prefix() {
        let mut table = AddressTable::new([3; 16]);
        assert!(table.enter(&ip("192.0.2.1"), 2));
        assert!(table.enter(&ip("::ffff:192.0.2.1"), 2));
        assert!(!table.enter(&ip("192.0.2.1"), 2), "the mapped form is the same address");
        assert!(table.enter(&ip("192.0.2.2"), 2));
        table.leave(&ip("192.0.2.1"));
        table.leave(&ip("192.0.2.1"));
        assert!(table.enter(&ip("192.0.2.1"), 2));
        assert!(table.enter(&ip("2001:db8::1"), 1));
        assert!(!table.enter(&ip("2001:db8::2"), 1), "one /64 is one owner");
        assert!(table.enter(&ip("2001:db8:0:1::1"), 1));
        assert_eq!(table.counted(), 6);
    }
}

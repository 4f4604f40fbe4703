//! Peers by address: how many connections, how many failed logins. Fixed memory, whatever the peers do.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use linchpin_protocol::model::Millis;

use crate::device::quota::Bucket;
use crate::limits::{ADDRESS_BUCKETS, LOGIN_FAILURE_BURST, LOGIN_FAILURES_PER_SECOND};

/// Two tables of [`ADDRESS_BUCKETS`]. Addresses that share a bucket are counted together, so a cap can only be too
/// strict, and by a keyed hash nobody outside can choose whom to share with.
pub(crate) struct AddressTable {
    seed: [u8; 16],
    connections: Box<[u32]>,
    /// Made at the first failure.
    failures: Option<Box<[Bucket]>>,
}

impl std::fmt::Debug for AddressTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddressTable")
    }
}

impl AddressTable {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self { seed, connections: vec![0; ADDRESS_BUCKETS].into(), failures: None }
    }

    /// Who owns an address: a v4 address is one owner, a v6 address shares with its /64.
    fn bucket(&self, ip: &IpAddr) -> usize {
        // SipHash with the secret seed as its first input.
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        match ip.to_canonical() {
            IpAddr::V4(v4) => v4.octets().hash(&mut hasher),
            IpAddr::V6(v6) => v6.octets()[..8].hash(&mut hasher),
        }
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

    /// A login failed; true if this address has failed too often lately.
    pub(crate) fn failed_too_often(&mut self, ip: &IpAddr, now: Millis) -> bool {
        let at = self.bucket(ip);
        let failures =
            self.failures.get_or_insert_with(|| vec![Bucket::full(LOGIN_FAILURE_BURST, now); ADDRESS_BUCKETS].into());
        !failures[at].take(now, LOGIN_FAILURES_PER_SECOND, LOGIN_FAILURE_BURST)
    }

    /// Connections that are counted, for audits.
    pub(crate) fn counted(&self) -> u64 {
        self.connections.iter().map(|n| u64::from(*n)).sum()
    }
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

    #[test]
    fn failures_are_forgiven_over_time() {
        let mut table = AddressTable::new([4; 16]);
        let bad = ip("198.51.100.9");
        for n in 0..LOGIN_FAILURE_BURST {
            assert!(!table.failed_too_often(&bad, Millis(1_000)), "failure {n} is within the burst");
        }
        assert!(table.failed_too_often(&bad, Millis(1_000)));
        assert!(!table.failed_too_often(&ip("198.51.100.10"), Millis(1_000)), "others are not affected");
        assert!(!table.failed_too_often(&bad, Millis(3_000)), "a second earns one back");
    }
}

//! Failed logins by address, of the whole process.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use linchpin_protocol::model::Millis;

use super::address::owner_bytes;
use crate::device::quota::Bucket;
use crate::limits::{ADDRESS_BUCKETS, LOGIN_FAILURE_BURST, LOGIN_FAILURES_PER_SECOND};

/// How often each address failed to log in lately. One table for all shards of a process: the kernel spreads the
/// connections of an address over the shards, so a table of each would allow it as many times more as there are shards.
/// Besides what TLS shares it is the only memory that shards have in common; it is touched at failures only.
///
/// Addresses that share a bucket are counted together, so the limit can only be too strict, and by a keyed hash nobody
/// outside can choose whom to share with.
pub struct LoginFailures {
    seed: [u8; 16],
    /// Made at the first failure.
    buckets: OnceLock<Box<[AtomicU64]>>,
}

impl std::fmt::Debug for LoginFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginFailures")
    }
}

impl LoginFailures {
    /// Nobody has failed yet. `seed`: random bytes that key the table.
    #[must_use]
    pub const fn new(seed: [u8; 16]) -> Self {
        Self { seed, buckets: OnceLock::new() }
    }

    /// A login failed; true if this address has failed too often lately.
    pub(crate) fn failed_too_often(&self, ip: &IpAddr, now: Millis) -> bool {
        let full = || (0..ADDRESS_BUCKETS).map(|_| AtomicU64::new(Bucket::full(LOGIN_FAILURE_BURST, now).to_u64()));
        let buckets = self.buckets.get_or_init(|| full().collect());
        // SipHash with the secret seed as its first input.
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        owner_bytes(ip).hash(&mut hasher);
        let bucket = &buckets[hasher.finish() as usize % ADDRESS_BUCKETS];
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let mut next = Bucket::from_u64(seen);
            // Another shard may have read its clock a moment later.
            let has = next.take(next.later(now), LOGIN_FAILURES_PER_SECOND, LOGIN_FAILURE_BURST);
            match bucket.compare_exchange_weak(seen, next.to_u64(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return !has,
                Err(other) => seen = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn failures_are_forgiven_over_time() {
        let table = LoginFailures::new([4; 16]);
        let bad = ip("198.51.100.9");
        for n in 0..LOGIN_FAILURE_BURST {
            assert!(!table.failed_too_often(&bad, Millis(1_000)), "failure {n} is within the burst");
        }
        assert!(table.failed_too_often(&bad, Millis(1_000)));
        assert!(table.failed_too_often(&ip("::ffff:198.51.100.9"), Millis(1_000)), "the mapped form is the same");
        assert!(!table.failed_too_often(&ip("198.51.100.10"), Millis(1_000)), "others are not affected");
        assert!(table.failed_too_often(&bad, Millis(990)), "the clock of another shard, a moment behind");
        assert!(!table.failed_too_often(&bad, Millis(3_000)), "a second earns one back");
    }

    #[test]
    fn shards_that_count_at_once_lose_nothing() {
        // Begun together and often: four threads that start one after the other hardly meet.
        let (tables, together) = ([const { LoginFailures::new([5; 16]) }; 50], std::sync::Barrier::new(4));
        let bad = ip("198.51.100.9");
        let shard = || -> Vec<usize> {
            let count = |table: &LoginFailures| {
                together.wait();
                (0..200).filter(|_| !table.failed_too_often(&bad, Millis(1_000))).count()
            };
            tables.iter().map(count).collect()
        };
        let passed: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let shards: Vec<_> = (0..4).map(|_| scope.spawn(shard)).collect();
            shards.into_iter().map(|shard| shard.join().expect("counts")).collect()
        });
        for round in 0..tables.len() {
            let passed: usize = passed.iter().map(|shard| shard[round]).sum();
            assert_eq!(passed, LOGIN_FAILURE_BURST as usize, "of 800 failures of four shards, round {round}");
        }
    }
}

//! What the greatest payers hold on other shards, as these report it.

use std::collections::{BTreeMap, HashMap};

use linchpin_protocol::model::Millis;
use serde::{Deserialize, Serialize};

use super::class::LedgerClass;
use super::owner::PayerPrefix;
use crate::ShardId;
use crate::limits::HOLDINGS_STALE_MS;

/// One line of a report: what a prefix holds on one shard, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldingRow {
    /// Of which kind.
    pub class: LedgerClass,
    /// Who.
    pub prefix: PayerPrefix,
    /// How much.
    pub bytes: u64,
}

/// See the module's page. A shard that reports nothing for a while counts as one where nobody holds much.
#[derive(Debug, Default)]
pub(crate) struct Elsewhere {
    reports: BTreeMap<ShardId, (Millis, Box<[HoldingRow]>)>,
    sums: HashMap<(LedgerClass, PayerPrefix), u64>,
}

impl Elsewhere {
    /// Another shard reports; its earlier report is void.
    pub(crate) fn replace(&mut self, now: Millis, from: ShardId, rows: Box<[HoldingRow]>) {
        if rows.is_empty() {
            self.reports.remove(&from);
        } else {
            self.reports.insert(from, (now, rows));
        }
        self.reports.retain(|_, (at, _)| now.since(*at) < HOLDINGS_STALE_MS);
        self.sums.clear();
        for row in self.reports.values().flat_map(|(_, rows)| rows) {
            *self.sums.entry((row.class, row.prefix)).or_default() += row.bytes;
        }
    }

    /// What an account holds elsewhere shrinks there as it does here, to this part: until the next report says more.
    pub(crate) fn shrink(&mut self, class: LedgerClass, prefix: PayerPrefix, share: u64, all: u64) {
        let shrunk = |bytes: u64| (u128::from(bytes) * u128::from(share) / u128::from(all.max(1))) as u64;
        for row in self.reports.values_mut().flat_map(|(_, rows)| rows) {
            if (row.class, row.prefix) == (class, prefix) {
                row.bytes = shrunk(row.bytes);
            }
        }
        if let Some(sum) = self.sums.get_mut(&(class, prefix)) {
            *sum = shrunk(*sum);
        }
    }

    /// Bytes of a prefix on all other shards.
    pub(crate) fn bytes(&self, class: LedgerClass, prefix: PayerPrefix) -> u64 {
        if self.sums.is_empty() { 0 } else { self.sums.get(&(class, prefix)).copied().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_summed_replaced_and_forgotten() {
        let mut elsewhere = Elsewhere::default();
        let (class, prefix) = (LedgerClass::Http, PayerPrefix::Token(5));
        let row = |bytes| Box::from([HoldingRow { class, prefix, bytes }]);
        elsewhere.replace(Millis(0), ShardId(1), row(10));
        elsewhere.replace(Millis(0), ShardId(2), row(5));
        assert_eq!(elsewhere.bytes(class, prefix), 15);
        assert_eq!(elsewhere.bytes(LedgerClass::Opening, prefix), 0);
        elsewhere.replace(Millis(0), ShardId(1), row(1));
        assert_eq!(elsewhere.bytes(class, prefix), 6);
        elsewhere.shrink(class, prefix, 1, 2);
        assert_eq!(elsewhere.bytes(class, prefix), 3);
        elsewhere.replace(Millis(0), ShardId(2), row(5));
        elsewhere.replace(Millis(10), ShardId(1), Box::default());
        assert_eq!(elsewhere.bytes(class, prefix), 5);
        elsewhere.replace(Millis(HOLDINGS_STALE_MS), ShardId(3), row(2));
        assert_eq!(elsewhere.bytes(class, prefix), 2, "shard 2 has not reported for long");
    }
}

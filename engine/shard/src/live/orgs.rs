//! What the live sockets of a shard want of whole organizations, together: what every shard is to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use linchpin_protocol::limits::LIVE_RING;
use linchpin_protocol::model::{Millis, OrgId};

use super::letter::{AttemptRow, OrgWanted};
use crate::ids::{ShardId, Slot};

/// One organization: how many watches want what.
#[derive(Debug, Default)]
struct OrgRow {
    presence: u32,
    events: u32,
    members: u32,
    slots: BTreeMap<Slot, u32>,
}

impl OrgRow {
    const fn wanted(&self) -> OrgWanted {
        OrgWanted { presence: self.presence > 0, events: self.events > 0, members: self.members > 0 }
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct WatchedOrgs {
    rows: BTreeMap<OrgId, OrgRow>,
    /// Watches that want logins that failed.
    attempts: u32,
    /// What homes have said of those.
    heard: VecDeque<(ShardId, AttemptRow)>,
    /// Shards that have not been told what is wanted now.
    owed: BTreeSet<ShardId>,
    /// A lane was full: not before then.
    not_before: Millis,
}

impl WatchedOrgs {
    /// A watch wants this of organizations, or does not any more (`by` -1).
    pub(super) fn change(&mut self, slot: Slot, orgs: &[OrgId], wanted: OrgWanted, by: i32, shards: u16) {
        let mut is_changed = false;
        for org in orgs {
            let row = self.rows.entry(*org).or_default();
            let before = row.wanted();
            let add =
                |count: &mut u32, is_wanted: bool| *count = count.saturating_add_signed(by * i32::from(is_wanted));
            add(&mut row.presence, wanted.presence);
            add(&mut row.events, wanted.events);
            add(&mut row.members, wanted.members);
            let count = row.slots.entry(slot).or_default();
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                row.slots.remove(&slot);
            }
            is_changed |= row.wanted() != before;
            if row.slots.is_empty() {
                self.rows.remove(org);
            }
        }
        if is_changed {
            self.owe_all(shards);
        }
    }

    /// A watch that stands wants more of its organizations.
    pub(super) fn add_to(&mut self, orgs: &[OrgId], wanted: OrgWanted, shards: u16) {
        for org in orgs {
            if let Some(row) = self.rows.get_mut(org) {
                row.presence += u32::from(wanted.presence);
                row.events += u32::from(wanted.events);
                row.members += u32::from(wanted.members);
            }
        }
        self.owe_all(shards);
    }

    /// A watch wants logins that failed, or does not any more.
    pub(super) fn want_attempts(&mut self, by: i32, shards: u16) {
        let before = self.attempts;
        self.attempts = before.saturating_add_signed(by);
        if (before == 0) != (self.attempts == 0) {
            self.heard.clear();
            self.owe_all(shards);
        }
    }

    fn owe_all(&mut self, shards: u16) {
        self.owed.extend((0..shards).map(ShardId));
    }

    /// A letter did not leave.
    pub(super) fn owe(&mut self, shard: ShardId, retry_at: Millis) {
        self.owed.insert(shard);
        self.not_before = retry_at;
    }

    pub(super) fn due_at(&self, now: Millis) -> Option<Millis> {
        (!self.owed.is_empty()).then(|| self.not_before.max(now))
    }

    /// The next shard that is to be told.
    pub(super) fn next_owed(&mut self, now: Millis) -> Option<ShardId> {
        if self.not_before > now {
            return None;
        }
        self.owed.pop_first()
    }

    /// What is wanted now.
    pub(super) fn wanted(&self) -> (Vec<(OrgId, OrgWanted)>, bool) {
        (self.rows.iter().map(|(org, row)| (*org, row.wanted())).collect(), self.attempts > 0)
    }

    /// Sockets with a watch of an organization.
    pub(super) fn slots(&self, org: OrgId) -> Vec<Slot> {
        self.rows.get(&org).map(|row| row.slots.keys().copied().collect()).unwrap_or_default()
    }

    /// A home says that a login failed; what all homes together have counted.
    pub(super) fn hear(&mut self, home: ShardId, row: AttemptRow) -> AttemptRow {
        let is_same = |other: &AttemptRow| (other.address, other.code) == (row.address, row.code);
        self.heard.retain(|(shard, other)| *shard != home || !is_same(other));
        if self.heard.len() >= LIVE_RING {
            self.heard.pop_front();
        }
        self.heard.push_back((home, row));
        self.whole(row.address, row.code).unwrap_or(row)
    }

    fn whole(&self, address: IpAddr, code: u16) -> Option<AttemptRow> {
        let rows = self.heard.iter().map(|(_, row)| row).filter(|row| (row.address, row.code) == (address, code));
        rows.copied().reduce(|all, row| AttemptRow {
            at_ms: all.at_ms.max(row.at_ms),
            count: all.count.saturating_add(row.count),
            ..row
        })
    }

    /// All logins that failed lately, for a new watch.
    pub(super) fn attempts(&self) -> Vec<AttemptRow> {
        let keys: BTreeSet<(IpAddr, u16)> = self.heard.iter().map(|(_, row)| (row.address, row.code)).collect();
        keys.into_iter().filter_map(|(address, code)| self.whole(address, code)).collect()
    }
}

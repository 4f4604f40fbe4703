//! Has anything changed that a session's rights were made from? Counters in memory, compared with each request.
//!
//! A loaded standing remembers the counters of its person, its organizations and their roles as they were *before* the
//! store was read. Whoever changes one of those writes the store first, then counts up, then answers: from that answer on
//! no request goes by the old rights. Things share counters; a change of another one costs a load, nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use linchpin_shard::WhoseRights;
use linchpin_storage::schema::OrgId;

use super::ended::{EndedRights, live_user};
use crate::limits;

/// What may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A person: their state, their factor, their grants.
    Person(OrgId, u32),
    /// A key.
    Key(OrgId, u32),
    /// The roles of an organization.
    Roles(OrgId),
}

impl Changed {
    fn slot(self) -> usize {
        let (kind, org, number) = match self {
            Self::Person(org, user) => (1u64, org.get(), user),
            Self::Key(org, client) => (2, org.get(), client),
            Self::Roles(org) => (3, org.get(), 0),
        };
        let mixed = (kind << 62 ^ u64::from(org) << 32 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize % limits::EPOCH_SLOTS
    }
}

/// The counters that a standing was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Box<[(u16, u32)]>);

/// The counters.
#[derive(Debug)]
pub struct Epochs {
    slots: Box<[AtomicU32]>,
    ended: Arc<EndedRights>,
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Epochs {
    /// That tell `ended` of each change.
    #[must_use]
    pub fn new(ended: Arc<EndedRights>) -> Self {
        Self { slots: (0..limits::EPOCH_SLOTS).map(|_| AtomicU32::new(0)).collect(), ended }
    }

    /// Of these things as they are now: take it before the store is read.
    #[must_use]
    pub fn stamp(&self, of: impl IntoIterator<Item = Changed>) -> Stamp {
        let one = |changed: Changed| {
            let slot = changed.slot();
            (slot as u16, self.slots[slot].load(Ordering::Acquire))
        };
        Stamp(of.into_iter().map(one).collect())
    }

    /// Is nothing changed since?
    #[must_use]
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        stamp.0.iter().all(|(slot, seen)| self.slots[usize::from(*slot)].load(Ordering::Acquire) == *seen)
    }

    /// It was changed, and the store says so: standings that were made before are not used any more.
    pub fn bump(&self, changed: Changed) {
        self.slots[changed.slot()].fetch_add(1, Ordering::AcqRel);
        let who = match changed {
            Changed::Person(org, user) => WhoseRights::Person { org, user: live_user(user, false) },
            Changed::Key(org, number) => WhoseRights::Person { org, user: live_user(number, true) },
            Changed::Roles(org) => WhoseRights::Org(org),
        };
        self.ended.tell(who, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threat_15_a_change_makes_older_stamps_stale() {
        let (epochs, home) = (Epochs::default(), OrgId::FIRST);
        let person = Changed::Person(home, 7);
        let stamp = epochs.stamp([person, Changed::Roles(home)]);
        let other = epochs.stamp([Changed::Person(home, 8), Changed::Key(home, 7)]);
        assert!(epochs.is_current(&stamp));
        epochs.bump(Changed::Roles(home));
        assert!(!epochs.is_current(&stamp) && epochs.is_current(&other));
        // Read between the stamp and the store: a change in between is seen, the stamp was older.
        let early = epochs.stamp([person]);
        epochs.bump(person);
        assert!(!epochs.is_current(&early));
    }
}

//! How many asks are under way at once, and whose.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use linchpin_protocol::http::BodyLength;
use linchpin_shard::{AskStart, Held, who_pays};

use super::inbox::Inbox;
use crate::limits::{ASKS_PER_OWNER, ASKS_UNDER_WAY, ASKS_WITH_BODIES, STRANGERS_ASKS};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Somebody who is signed in: the number of the session.
    Session(u64),
    /// Anybody else: an IPv4 address, or the first 64 bits of an IPv6 address.
    Address([u8; 8]),
}

impl Owner {
    /// Of a request without a session.
    #[must_use]
    pub fn of_address(ip: IpAddr) -> Self {
        let mut prefix = [0; 8];
        match ip.to_canonical() {
            IpAddr::V4(v4) => prefix[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => prefix.copy_from_slice(&v6.octets()[..8]),
        }
        Self::Address(prefix)
    }
}

/// An ask under way.
#[derive(Debug)]
struct Entry {
    owner: Owner,
    has_body: bool,
    only_reads: bool,
    inbox: Arc<Inbox>,
}

impl Entry {
    const fn is_stranger(&self) -> bool {
        matches!(self.owner, Owner::Address(_))
    }
}

/// All asks under way, by age.
#[derive(Debug, Default)]
pub(super) struct AskSeats {
    entries: BTreeMap<u64, Entry>,
    next: u64,
    refused: u64,
}

impl AskSeats {
    /// Let an ask in, which may end another one, or not. The number is for [`Self::leave`].
    pub(super) fn enter(&mut self, ask: &AskStart, owner: Owner, inbox: &Arc<Inbox>) -> Option<u64> {
        let key = self.next;
        let has_body = ask.body != BodyLength::Known(0);
        let entry = Entry { owner, has_body, only_reads: ask.only_reads(), inbox: Arc::clone(inbox) };
        let is_stranger = entry.is_stranger();
        self.next += 1;
        self.entries.insert(key, entry);
        let of_owner = self.entries.values().filter(|entry| entry.owner == owner).count();
        let stays = of_owner <= ASKS_PER_OWNER
            && (!has_body || self.makes_room(key, ASKS_WITH_BODIES, |entry| entry.has_body))
            && (!is_stranger || self.makes_room(key, STRANGERS_ASKS, Entry::is_stranger))
            && self.makes_room(key, ASKS_UNDER_WAY, |_| true);
        if !stays {
            self.entries.remove(&key);
            self.refused += 1;
        }
        stays.then_some(key)
    }

    /// Is the newcomer within this bound, at the cost of the owner with most?
    fn makes_room(&mut self, newcomer: u64, most: usize, counts: fn(&Entry) -> bool) -> bool {
        let held = self.entries.iter().filter(|(_, entry)| counts(entry)).map(|(&key, entry)| {
            let may_end = key == newcomer || entry.only_reads && !entry.inbox.has_begun();
            Held { owner: entry.owner, key, may_end }
        });
        if held.clone().count() <= most {
            return true;
        }
        let Some(payer) = who_pays(held).filter(|payer| *payer != newcomer) else { return false };
        // Its answer may have begun this moment.
        if !self.entries.get(&payer).is_some_and(|entry| entry.inbox.evict()) {
            return false;
        }
        self.entries.remove(&payer);
        self.refused += 1;
        true
    }

    /// It is over.
    pub(super) fn leave(&mut self, key: u64) {
        self.entries.remove(&key);
    }

    /// Asks under way, and those that were refused for want of room since the start.
    pub(super) fn figures(&self) -> (usize, u64) {
        (self.entries.len(), self.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_protocol::http::{ListedFields, Method};

    fn ask(method: Method, body: usize) -> AskStart {
        AskStart {
            method,
            target: "/api/v1/ping".into(),
            fields: ListedFields::default(),
            peer: ([127, 0, 0, 1], 1).into(),
            over_tls: false,
            body: BodyLength::Known(body),
            wants_live: false,
        }
    }

    /// One ask of an owner; its number and its inbox.
    fn enter(admission: &mut AskSeats, owner: Owner, body: usize) -> Option<(u64, Arc<Inbox>)> {
        let (ask, inbox) = (ask(Method::Get, body), Inbox::new(BodyLength::Known(body)));
        admission.enter(&ask, owner, &inbox).map(|key| (key, inbox))
    }

    fn stranger(number: u32) -> Owner {
        Owner::of_address(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn an_owner_has_so_many_and_no_more() {
        let mut admission = AskSeats::default();
        let held: Vec<_> = (0..ASKS_PER_OWNER).map(|_| enter(&mut admission, stranger(1), 0).expect("room")).collect();
        assert!(enter(&mut admission, stranger(1), 0).is_none());
        assert!(enter(&mut admission, stranger(2), 0).is_some(), "others are not concerned");
        admission.leave(held[0].0);
        assert!(enter(&mut admission, stranger(1), 0).is_some());
        assert_eq!(admission.figures(), (ASKS_PER_OWNER + 1, 1));
    }

    #[test]
    fn strangers_leave_room_for_those_who_are_signed_in_and_the_greatest_pays() {
        let mut admission = AskSeats::default();
        let mut hoard = Vec::new();
        for number in 0..STRANGERS_ASKS as u32 {
            // The first owner has 8, all others one.
            let owner = if number < 8 { stranger(0) } else { stranger(number) };
            hoard.push(enter(&mut admission, owner, 0).expect("room"));
        }
        assert!(enter(&mut admission, stranger(9_999), 0).is_some(), "never the newcomer");
        let evicted: Vec<_> = hoard.iter().filter(|(_, inbox)| inbox.is_evicted()).map(|(key, _)| *key).collect();
        assert_eq!(evicted, [hoard[7].0], "the newest of the owner with most");
        assert!(enter(&mut admission, stranger(0), 0).is_none(), "its owner pays itself");
        for number in 0..(ASKS_UNDER_WAY - STRANGERS_ASKS) as u64 {
            assert!(enter(&mut admission, Owner::Session(number), 0).is_some(), "{number} has the reserve");
        }
        assert_eq!(admission.figures().0, ASKS_UNDER_WAY);
        assert!(enter(&mut admission, Owner::Session(7_777), 0).is_some(), "strangers pay for it");
        assert_eq!(admission.figures().0, ASKS_UNDER_WAY);
    }

    #[test]
    fn bodies_have_a_share_and_answers_that_began_are_left_alone() {
        let mut admission = AskSeats::default();
        let held: Vec<_> = (0..ASKS_WITH_BODIES as u32)
            .map(|number| enter(&mut admission, stranger(number / 2), 9).expect("room"))
            .collect();
        held.iter().for_each(|(_, inbox)| assert!(inbox.begin_answer()));
        assert!(enter(&mut admission, stranger(9_999), 9).is_none(), "nobody can make room");
        assert!(enter(&mut admission, stranger(9_999), 0).is_some(), "without a body there is room");
        assert!(!held[0].1.is_evicted());
    }
}

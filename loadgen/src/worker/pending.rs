//! Requests without their answer.

use std::collections::{HashMap, VecDeque};

use crate::recorder::Metric;

/// A request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) metric: Metric,
    pub(crate) intended_ns: u64,
    pub(crate) sent_ns: u64,
}

/// Device, and what its answer will be known by.
pub(crate) type Key = (u32, u64);

/// The key of an answer with a message id. `attempt` tells connections of a device apart.
pub(crate) fn by_id(device: u32, attempt: u16, id: u16) -> Key {
    (device, u64::from(attempt) << 16 | u64::from(id))
}

/// The key of an answer that is known by its place among its like on a connection.
pub(crate) fn by_turn(device: u32, attempt: u16, turn: u32) -> Key {
    (device, 1 << 62 | u64::from(attempt) << 32 | u64::from(turn))
}

/// The key of a value that arrives with its intended time.
pub(crate) const fn by_stamp(device: u32, intended_ns: u64) -> Key {
    (device, 1 << 63 | intended_ns)
}

/// All requests on their way. Nothing is kept for devices without any.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: HashMap<Key, Waiting>,
    /// In the order of their sends; what was answered is still in it.
    order: VecDeque<(u64, Key)>,
}

impl Pending {
    pub(crate) fn add(&mut self, key: Key, waiting: Waiting) {
        self.waiting.insert(key, waiting);
        self.order.push_back((waiting.sent_ns, key));
    }

    pub(crate) fn take(&mut self, key: Key) -> Option<Waiting> {
        self.waiting.remove(&key)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Waiting> {
        self.waiting.get(&key)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next one that was sent at `before_ns` or earlier and has no answer.
    pub(crate) fn expired(&mut self, before_ns: u64) -> Option<Waiting> {
        while let Some((sent_ns, key)) = self.order.front().copied().filter(|(sent_ns, _)| *sent_ns <= before_ns) {
            self.order.pop_front();
            // The key may belong to a later request by now.
            if self.waiting.get(&key).is_some_and(|waiting| waiting.sent_ns == sent_ns) {
                return self.waiting.remove(&key);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_no_answer_expires() {
        let mut pending = Pending::default();
        let waiting = |sent_ns| Waiting { metric: Metric::Ping, intended_ns: 0, sent_ns };
        pending.add(by_id(1, 0, 3), waiting(10));
        pending.add(by_id(1, 0, 4), waiting(20));
        pending.add(by_id(1, 1, 3), waiting(30));
        assert_eq!(pending.take(by_id(1, 0, 3)), Some(waiting(10)));
        assert_eq!(pending.expired(9), None);
        assert_eq!(pending.expired(25), Some(waiting(20)));
        assert_eq!((pending.expired(25), pending.len()), (None, 1));
        // The same key again: the old entry of the order does not end it early.
        pending.add(by_id(1, 1, 3), waiting(90));
        assert_eq!((pending.expired(50), pending.expired(90)), (None, Some(waiting(90))));
        assert_ne!(by_stamp(1, 7), by_id(1, 0, 7));
        assert!(by_turn(1, 0, 7) != by_id(1, 0, 7) && by_turn(1, 1, 7) != by_turn(1, 0, 7));
    }
}

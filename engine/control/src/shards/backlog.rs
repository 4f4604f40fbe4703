//! What one shard has yet to acknowledge of who exists. Facts wait in the order in which they became true, each once;
//! the commands are made when they are sent, from what is true then. So a shard ends at the desired state however often a
//! fact is sent again, and whatever happened meanwhile. No clock, no lane: who drives it has these.

use std::collections::{HashSet, VecDeque};

use linchpin_protocol::model::{DeviceId, TemplateId};
use linchpin_shard::Digest;

/// Something that a shard must come to know: is it there or not, and with what?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    /// A template.
    Template(TemplateId),
    /// A device, at its home.
    Device(DeviceId),
    /// An entry of the token index, and the device that it is for.
    Token(Digest, DeviceId),
    /// A token that opens nothing any more.
    NoToken(Digest),
}

/// Counts the facts of a shard; a fact is acknowledged when this number is.
pub(crate) type Mark = u64;

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    waiting: VecDeque<Fact>,
    /// Those of them that were not sent yet.
    queued: HashSet<Fact>,
    /// Facts that were sent and are not acknowledged: they stay in front until they are.
    sent: usize,
    /// Of the last fact that waits.
    last: Mark,
}

impl Backlog {
    /// Facts that are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A fact has become true, or has changed. It is acknowledged when the mark is.
    pub(crate) fn add(&mut self, fact: Fact) -> Mark {
        if self.queued.insert(fact) {
            self.waiting.push_back(fact);
            self.last += 1;
        }
        self.last
    }

    /// The next facts to send, at most so many; the same again until they are acknowledged.
    pub(crate) fn next(&mut self, most: usize) -> Vec<Fact> {
        if self.sent == 0 {
            self.sent = self.waiting.len().min(most);
            // From here on they are read: what changes now must wait again.
            for fact in self.waiting.iter().take(self.sent) {
                self.queued.remove(fact);
            }
        }
        self.waiting.iter().take(self.sent).copied().collect()
    }

    /// What was sent is acknowledged. Returns the mark up to which all is.
    pub(crate) fn acknowledge(&mut self) -> Mark {
        self.waiting.drain(..self.sent);
        self.sent = 0;
        self.last - self.waiting.len() as Mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: u32) -> Fact {
        Fact::Device(DeviceId::new(id).expect("not zero"))
    }

    #[test]
    fn facts_are_sent_in_order_until_they_are_acknowledged() {
        let mut backlog = Backlog::default();
        assert_eq!((1..=3).map(|id| backlog.add(device(id))).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(backlog.next(2), [device(1), device(2)]);
        assert_eq!(backlog.next(9), [device(1), device(2)], "no answer came");
        assert_eq!(backlog.acknowledge(), 2);
        assert_eq!(backlog.next(9), [device(3)]);
        assert_eq!((backlog.acknowledge(), backlog.len()), (3, 0));
        assert_eq!(backlog.next(9), []);
    }

    #[test]
    fn a_fact_waits_once_and_again_if_it_changes_while_it_is_under_way() {
        let mut backlog = Backlog::default();
        backlog.add(device(1));
        assert_eq!(backlog.add(device(1)), 1);
        assert_eq!(backlog.next(9), [device(1)]);
        assert_eq!(backlog.add(device(1)), 2);
        assert_eq!(backlog.add(device(2)), 3);
        assert_eq!(backlog.add(device(1)), 3);
        assert_eq!(backlog.acknowledge(), 1);
        assert_eq!(backlog.add(device(1)), 3, "it waits already");
        assert_eq!(backlog.next(9), [device(1), device(2)]);
        assert_eq!((backlog.acknowledge(), backlog.len()), (3, 0));
    }
}

//! Connections that are written down and read again, as between two processes.

use linchpin_shard::handover::{Freight, Readiness};
use linchpin_tls::Claim;

use super::World;

impl World {
    /// Write down every connection that can travel, on all shards, and go on with what is read: what the shards had in
    /// memory of them is gone. Returns how many travelled, and how many could not.
    ///
    /// # Panics
    /// What was written cannot be read, or is not the same when it is written again.
    pub fn hand_over(&mut self) -> (usize, usize) {
        self.go_away(Claim::Given)
    }

    /// The same, but the other process fails when it has everything: what it has read is dropped, and the shards go on with
    /// what they had put aside.
    ///
    /// # Panics
    /// As with [`Self::hand_over`].
    pub fn take_back(&mut self) -> (usize, usize) {
        self.go_away(Claim::TakenBack)
    }

    fn go_away(&mut self, claim: Claim) -> (usize, usize) {
        let now = self.now();
        let (mut moved, mut left) = (0, 0);
        for shard in 0..self.nodes.len() {
            let node = &mut self.nodes[shard];
            let mut away = Vec::new();
            for slot in node.shard.occupied() {
                let is_ready = node.shard.readiness(slot) == Readiness::Ready;
                match node.shard.depart(now, slot, Vec::new()) {
                    Some(freight) => {
                        assert!(is_ready);
                        let mut bytes = Vec::new();
                        freight.pack(&mut bytes);
                        away.push((slot, freight, bytes));
                    }
                    None => left += 1,
                }
            }
            moved += away.len();
            for (slot, held, bytes) in away {
                let read = Freight::unpack(&bytes).unwrap_or_else(|error| panic!("{error}"));
                let mut again = Vec::new();
                read.pack(&mut again);
                assert_eq!(again, bytes);
                let goes_on = if claim == Claim::Given { read } else { *held };
                assert_eq!(node.shard.would_take(&goes_on), Ok(()));
                node.shard.take_freight(now, slot, goes_on, claim, &mut node.fx);
            }
            self.carry_out(shard);
        }
        self.audit();
        (moved, left)
    }

    /// End whatever cannot travel, on all shards.
    pub fn end_unready(&mut self) -> usize {
        let now = self.now();
        let mut ended = 0;
        for shard in 0..self.nodes.len() {
            let node = &mut self.nodes[shard];
            ended += node.shard.end_unready(now, &mut node.fx);
            self.carry_out(shard);
        }
        ended
    }
}

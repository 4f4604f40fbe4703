//! Who may still write into a shard's lane while the collector or the disk is behind: an organization holds at most
//! [`limits::JOURNAL_SHARE`] times what is free of the lane, so whoever floods loses raw points and nobody else does. One
//! that floods fills four fifths of a lane that stands still, two four ninths each; the rest is free for the others.

use std::collections::VecDeque;

use crate::collect::slots::Slots;
use crate::limits;
use crate::schema::OrgId;

/// What each organization has in a lane, bytes.
#[derive(Default)]
pub(crate) struct LaneShares {
    held: Slots<u32, usize>,
    /// Of the batch that is being filled.
    filling: Slots<u32, usize>,
    /// Of the batches in the lane, in their order.
    handed_over: VecDeque<Vec<(u32, usize)>>,
    /// The organization that wrote last, what of its points is not counted in the maps yet, and what it held before.
    last: Option<(OrgId, usize, usize)>,
}

impl LaneShares {
    /// May an organization add so many bytes, when so many are free?
    pub(crate) fn may_add(&mut self, org: OrgId, len_bytes: usize, free_bytes: usize) -> bool {
        let (before, held) = match self.last {
            Some((last, more, held)) if last == org => (more, held),
            _ => {
                self.settle();
                (0, self.held.get(&org.get()).copied().unwrap_or(0))
            }
        };
        let may = before + held + len_bytes <= limits::JOURNAL_SHARE * free_bytes;
        self.last = Some((org, before + if may { len_bytes } else { 0 }, held));
        may
    }

    /// Count what the organization that wrote last has added.
    fn settle(&mut self) {
        if let Some((org, more, _)) = self.last.take().filter(|(_, more, _)| *more > 0) {
            *self.held.entry(org.get()).or_default() += more;
            *self.filling.entry(org.get()).or_default() += more;
        }
    }

    /// The batch was handed over.
    pub(crate) fn hand_over(&mut self) {
        self.settle();
        self.handed_over.push_back(self.filling.drain().collect());
    }

    /// So many batches are in the lane; the collector has those before.
    pub(crate) fn waiting(&mut self, batches: usize) {
        while self.handed_over.len() > batches {
            for (org, bytes) in self.handed_over.pop_front().into_iter().flatten() {
                if let Some(held) = self.held.get_mut(&org) {
                    *held -= bytes;
                    if *held == 0 {
                        self.held.remove(&org);
                    }
                }
            }
            // It is looked up again: it may hold less.
            self.settle();
        }
    }
}

/// Bytes that a lane still takes: whole batches, and the rest of the one that is being filled.
pub(crate) const fn free_bytes(free_batches: usize, filled_bytes: usize) -> usize {
    free_batches * limits::JOURNAL_BATCH_BYTES + limits::JOURNAL_BATCH_BYTES.saturating_sub(filled_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: u32) -> OrgId {
        OrgId::new(number).expect("not zero")
    }

    /// Write points of 100 bytes, in turn, into a lane that stands still; what each organization has written.
    fn fill(orgs: u32, points: usize) -> Vec<usize> {
        let (mut shares, mut filled, mut free_batches) = (LaneShares::default(), 0, limits::JOURNAL_LANE);
        let mut written = vec![0; orgs as usize];
        for at in 0..points {
            let number = at as u32 % orgs + 1;
            if filled + 100 > limits::JOURNAL_BATCH_BYTES && free_batches > 0 {
                (filled, free_batches) = (0, free_batches - 1);
                shares.hand_over();
            }
            if shares.may_add(org(number), 100, free_bytes(free_batches, filled)) {
                filled += 100;
                written[number as usize - 1] += 100;
            }
        }
        written
    }

    #[test]
    fn whoever_floods_leaves_a_part_of_what_it_has() {
        let whole = (limits::JOURNAL_LANE + 1) * limits::JOURNAL_BATCH_BYTES;
        for orgs in 1..5 {
            let written = fill(orgs, 2_000_000);
            for bytes in written {
                let share = whole * limits::JOURNAL_SHARE / (limits::JOURNAL_SHARE * orgs as usize + 1);
                assert!(bytes.abs_diff(share) < share / 50, "{bytes} bytes of {share}");
            }
        }
    }

    #[test]
    fn what_the_collector_has_taken_is_free_again() {
        let mut shares = LaneShares::default();
        for batch in 0..1_000 {
            let free = 40 / limits::JOURNAL_SHARE;
            assert!(shares.may_add(org(1), 10, free));
            assert!(shares.may_add(org(2), 20, free));
            assert!(shares.may_add(org(1), 10, free));
            assert!(!shares.may_add(org(1), 30, free), "it has 20 of 40");
            shares.hand_over();
            assert!(!shares.may_add(org(2), 30, free), "batch {batch} is not taken yet");
            shares.waiting(0);
            assert!(shares.held.is_empty());
        }
    }
}

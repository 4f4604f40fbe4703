//! Who pays when a shared bound is reached: the greatest, with its oldest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::owner::{Payer, PayerPrefix};

/// Something that a payer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holding<K> {
    /// Which one it is.
    pub(crate) key: K,
    /// Who pays for it.
    pub(crate) payer: Payer,
    /// How much it is: bytes, or 1 a connection.
    pub(crate) amount: u64,
    /// Its age: a smaller number is older.
    pub(crate) since: u64,
    /// It may be ended now. Others only count.
    pub(crate) may_end: bool,
}

/// What all holders of a prefix have.
#[derive(Default)]
struct Node {
    amount: u64,
    /// The narrowest prefix: positions of its holdings, oldest first, and how many of them were looked at.
    holdings: Vec<usize>,
    next: usize,
    /// A network: the prefixes in it, greatest first. What is said of them may be too much: amounts only shrink.
    parts: BinaryHeap<Rank>,
}

/// An amount, the age of its oldest holding that may end, and whose it is.
type Rank = (u64, Reverse<u64>, Reverse<PayerPrefix>);

/// Every prefix's sum is compared as that of one address: a network may have several shares.
const SCALE: u64 = 16;

const fn weight(amount: u64, shares: u64) -> u64 {
    amount.saturating_mul(SCALE) / shares
}

/// All holdings by prefix.
struct Tree<'h, K> {
    holdings: &'h [Holding<K>],
    nodes: BTreeMap<PayerPrefix, Node>,
}

impl<'h, K: Copy + Ord> Tree<'h, K> {
    fn new(holdings: &'h [Holding<K>], elsewhere: impl Fn(PayerPrefix) -> u64) -> Self {
        let mut order: Vec<usize> = (0..holdings.len()).collect();
        order.sort_unstable_by_key(|at| (holdings[*at].since, holdings[*at].key));
        let mut nodes: BTreeMap<PayerPrefix, Node> = BTreeMap::new();
        for at in order {
            let mut part = None;
            for prefix in holdings[at].payer.prefixes() {
                let is_new = !nodes.contains_key(&prefix);
                let node = nodes.entry(prefix).or_insert_with(|| Node { amount: elsewhere(prefix), ..Node::default() });
                node.amount += holdings[at].amount;
                match part {
                    None => node.holdings.push(at),
                    Some((part, true)) => node.parts.push((u64::MAX, Reverse(0), Reverse(part))),
                    Some((_, false)) => {}
                }
                part = Some((prefix, is_new));
            }
        }
        Self { holdings, nodes }
    }

    fn weight(&self, prefix: PayerPrefix) -> u64 {
        self.nodes.get(&prefix).map_or(0, |node| weight(node.amount, prefix.shares()))
    }

    /// The holding that ends next of a prefix: of the part that holds most in it, its oldest. `None`: none may end.
    fn find(&mut self, prefix: PayerPrefix) -> Option<usize> {
        let holdings = self.holdings;
        let node = self.nodes.get_mut(&prefix)?;
        if !node.holdings.is_empty() {
            node.next += node.holdings[node.next..].iter().position(|at| holdings[*at].may_end)?;
            return Some(node.holdings[node.next]);
        }
        loop {
            let (seen, Reverse(age), Reverse(part)) = self.nodes.get_mut(&prefix)?.parts.pop()?;
            let Some(at) = self.find(part) else { continue };
            let now = (self.nodes.get(&part)?.amount, self.holdings[at].since);
            self.nodes.get_mut(&prefix)?.parts.push((now.0, Reverse(now.1), Reverse(part)));
            if now == (seen, age) {
                return Some(at);
            }
        }
    }

    /// It ends.
    fn take(&mut self, at: usize) {
        for (level, prefix) in self.holdings[at].payer.prefixes().enumerate() {
            if let Some(node) = self.nodes.get_mut(&prefix) {
                node.amount -= self.holdings[at].amount;
                node.next += usize::from(level == 0);
            }
        }
    }
}

/// Which of `holdings` are ended, in this order, until `need` is given back or none is left that may end: each time of the
/// prefix that holds most the part that holds most, and of that the oldest. What the payers of a prefix hold elsewhere
/// counts, too.
pub(crate) fn who_gives_back<K: Copy + Ord>(
    holdings: &[Holding<K>],
    elsewhere: impl Fn(PayerPrefix) -> u64,
    need: u64,
) -> Vec<K> {
    let mut tree = Tree::new(holdings, elsewhere);
    let mut greatest: BinaryHeap<(u64, Reverse<PayerPrefix>)> =
        tree.nodes.keys().map(|prefix| (tree.weight(*prefix), Reverse(*prefix))).collect();
    let (mut ended, mut given) = (Vec::new(), 0);
    while given < need {
        let Some((seen, Reverse(prefix))) = greatest.pop() else { break };
        let now = tree.weight(prefix);
        if now < seen {
            // A narrower or wider prefix has paid meanwhile: sums only shrink.
            greatest.push((now, Reverse(prefix)));
            continue;
        }
        let Some(at) = tree.find(prefix) else { continue };
        tree.take(at);
        ended.push(holdings[at].key);
        given += holdings[at].amount;
        greatest.push((tree.weight(prefix), Reverse(prefix)));
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv6Addr};

    fn v4(last: u8) -> Payer {
        Payer::Address(IpAddr::from([192, 0, 2, last]))
    }

    fn holdings(of: &[(Payer, u64)]) -> Vec<Holding<usize>> {
        let each = of.iter().enumerate();
        each.map(|(key, (payer, amount))| Holding {
            key,
            payer: *payer,
            amount: *amount,
            since: key as u64,
            may_end: true,
        })
        .collect()
    }

    #[test]
    fn the_greatest_pays_with_its_oldest_until_another_is_greatest() {
        let held = holdings(&[(v4(1), 5), (v4(2), 6), (Payer::Token(9), 3), (v4(1), 5), (v4(1), 1), (v4(2), 1)]);
        assert_eq!(who_gives_back(&held, |_| 0, 1), [0], "v4(1) has 11, v4(2) 7");
        assert_eq!(who_gives_back(&held, |_| 0, 6), [0, 1], "then v4(2) is greatest");
        assert_eq!(who_gives_back(&held, |_| 0, u64::MAX).len(), 6);
        assert_eq!(who_gives_back(&held, |_| 0, 0), Vec::<usize>::new());
        let mut stuck = held;
        stuck[0].may_end = false;
        assert_eq!(who_gives_back(&stuck, |_| 0, 1), [3], "what may not end counts, and is passed over");
        let token = |prefix| if prefix == PayerPrefix::Token(9) { 100 } else { 0 };
        assert_eq!(who_gives_back(&stuck, token, 1), [2], "what it holds on other shards counts");
    }

    #[test]
    fn a_network_of_many_addresses_is_one_owner() {
        let prefix = |n: u64| Ipv6Addr::from(0x2001_0db8_0000_0000_u128 << 64 | u128::from(n) << 64);
        let mut held: Vec<_> = (0..200).map(|n| (Payer::Address(prefix(n).into()), 1)).collect();
        held.push((v4(77), 10));
        let ended = who_gives_back(&holdings(&held), |_| 0, 40);
        assert_eq!(ended, (0..40).collect::<Vec<_>>(), "200 of one /48 are more than 10 of an address");
        let few: Vec<_> = held.split_off(190);
        assert_eq!(who_gives_back(&holdings(&few), |_| 0, 1), [10], "10 of a /56 are less than 10 of an address");
    }

    fn payer() -> impl Strategy<Value = Payer> {
        prop_oneof![
            (0u32..4).prop_map(Payer::Device),
            (0u64..4).prop_map(Payer::Token),
            (0u8..3, 0u8..6).prop_map(|(net, host)| Payer::Address(IpAddr::from([10, 0, net, host]))),
            (0u128..3, 0u128..40).prop_map(|(site, net)| {
                Payer::Address(Ipv6Addr::from((0x2001_0db8_0000 + site) << 80 | net << 64 | 1).into())
            }),
        ]
    }

    proptest! {
        /// At each step nobody who could pay held more than who pays, and of the payer's the oldest goes.
        #[test]
        fn nobody_pays_for_a_greater(
            of in proptest::collection::vec((payer(), 1u64..1_000, 0u64..50, proptest::bool::weighted(0.9)), 0..80),
            far in proptest::collection::vec((payer(), 1u64..2_000), 0..5),
            need in 0u64..40_000,
        ) {
            let held: Vec<Holding<usize>> = of.iter().enumerate()
                .map(|(key, (payer, amount, since, may_end))| Holding {
                    key, payer: *payer, amount: *amount, since: *since, may_end: *may_end,
                })
                .collect();
            let elsewhere = |prefix: PayerPrefix| -> u64 {
                far.iter().filter(|(payer, _)| prefix.has(*payer)).map(|(_, amount)| amount).sum()
            };
            let mut left = held.clone();
            let mut given = 0;
            for key in who_gives_back(&held, elsewhere, need) {
                prop_assert!(given < need, "nobody pays when nothing is needed");
                let heavy = |prefix: PayerPrefix| {
                    let here: u64 = left.iter().filter(|h| prefix.has(h.payer)).map(|h| h.amount).sum();
                    weight(here + elsewhere(prefix), prefix.shares())
                };
                let ends = left.iter().position(|h| h.key == key).expect("nobody pays twice");
                prop_assert!(left[ends].may_end);
                let most = left.iter().filter(|h| h.may_end).flat_map(|h| h.payer.prefixes()).map(heavy).max();
                let paid_as: Vec<_> = left[ends].payer.prefixes().filter(|p| Some(heavy(*p)) == most).collect();
                prop_assert!(!paid_as.is_empty(), "a greater one was spared");
                // In the greatest prefix no part held more, and in the part nothing is older.
                let ok = paid_as.iter().any(|greatest| {
                    let mut inside: Vec<_> =
                        left.iter().filter(|h| h.may_end && greatest.has(h.payer)).copied().collect();
                    let own: Vec<_> = left[ends].payer.prefixes().collect();
                    let sum = |prefix: PayerPrefix| {
                        let here: u64 = left.iter().filter(|h| prefix.has(h.payer)).map(|h| h.amount).sum();
                        here + elsewhere(prefix)
                    };
                    let depth = own.iter().position(|prefix| prefix == greatest).expect("one of its own");
                    for level in (0..depth).rev() {
                        let part = |h: &Holding<usize>| h.payer.prefixes().nth(level).expect("as many levels");
                        let most = inside.iter().map(|h| sum(part(h))).max();
                        if Some(sum(own[level])) != most {
                            return false;
                        }
                        inside.retain(|h| part(h) == own[level]);
                    }
                    inside.iter().map(|h| (h.since, h.key)).min() == Some((left[ends].since, key))
                });
                prop_assert!(ok, "an older or greater one was spared");
                given += left.remove(ends).amount;
            }
            prop_assert!(given >= need || left.iter().all(|h| !h.may_end));
        }
    }
}

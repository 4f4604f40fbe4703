//! Who pays when a shared bound is reached: the owner that holds most, never a bystander.

use std::collections::BTreeMap;

/// Something that an owner holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<O, K> {
    /// Who holds it.
    pub owner: O,
    /// Which one it is.
    pub key: K,
    /// It may be ended now.
    pub may_end: bool,
}

/// The holder that is to be ended so that there is room: the newest that may be ended of the owner that has most. `held`
/// is ordered by age and ends with the newcomer, which may always be ended; of owners with the same count the newcomer's
/// pays. `None`: nothing is held.
pub fn who_pays<O: Ord + Copy, K: Copy>(held: impl Iterator<Item = Held<O, K>> + Clone) -> Option<K> {
    let newcomer = held.clone().last()?;
    let mut counts: BTreeMap<O, usize> = BTreeMap::new();
    for holder in held.clone() {
        *counts.entry(holder.owner).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    if counts.get(&newcomer.owner) == Some(&most) {
        return Some(newcomer.key);
    }
    let payer = counts.into_iter().find(|(_, count)| *count == most)?.0;
    let newest = held.filter(|holder| holder.owner == payer && holder.may_end).last();
    Some(newest.map_or(newcomer.key, |holder| holder.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pays(owners: &str, may_not_end: &[usize]) -> Option<usize> {
        let held = owners.chars().enumerate();
        who_pays(held.map(|(key, owner)| Held { owner, key, may_end: !may_not_end.contains(&key) }))
    }

    #[test]
    fn the_owner_with_most_pays_with_its_newest() {
        assert_eq!(pays("aabac", &[]), Some(3));
        assert_eq!(pays("aabac", &[3]), Some(1));
        assert_eq!(pays("aabac", &[0, 1, 3]), Some(4), "nothing of it may be ended: the newcomer");
        assert_eq!(pays("abcda", &[]), Some(4), "the newcomer's owner has most");
        assert_eq!(pays("aabb", &[]), Some(3), "the newcomer's has as many");
        assert_eq!(pays("abcd", &[]), Some(3));
        assert_eq!(pays("", &[]), None);
    }
}

//! Organizations in memory: who is above whom, and what each demands.

use std::collections::BTreeMap;
use std::fmt;

use linchpin_storage::schema::{Org, OrgId, OrgPolicy, OrgState};

use crate::limits;

/// What requests need to know of an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgNode {
    /// The one above.
    pub parent: Option<OrgId>,
    /// For people.
    pub name: Box<str>,
    /// May it be used?
    pub state: OrgState,
    /// Grows whenever what its people may do changes as a whole.
    pub epoch: u32,
    /// What it demands of its people and keys.
    pub policy: OrgPolicy,
    /// How many are right below it.
    pub children: u32,
}

/// Why the tree cannot be changed like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// There is no such organization.
    Missing(OrgId),
    /// It would stand below itself.
    Circle,
    /// It would be deeper than allowed.
    TooDeep,
    /// There are organizations below it.
    HasChildren(u32),
    /// The first organization stays where it is.
    First,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(org) => write!(f, "there is no organization {org}"),
            Self::Circle => f.write_str("an organization cannot stand below itself"),
            Self::TooDeep => write!(f, "organizations are at most {} deep", limits::ORG_DEPTH),
            Self::HasChildren(count) => write!(f, "{count} organizations are below it: move or delete them first"),
            Self::First => f.write_str("the first organization stays at the top"),
        }
    }
}

/// All organizations of the store.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<OrgId, OrgNode>,
}

impl Tree {
    /// Of what the store holds. A parent that is missing (it was erased) leaves its children at the top.
    #[must_use]
    pub fn new(orgs: impl IntoIterator<Item = (OrgId, Org)>) -> Self {
        let mut tree = Self::default();
        let mut all: Vec<_> = orgs.into_iter().collect();
        all.sort_by_key(|(_, org)| org.depth);
        for (id, org) in &all {
            tree.nodes.insert(*id, Self::node(org));
        }
        let known: Vec<_> = tree.nodes.keys().copied().collect();
        for node in tree.nodes.values_mut() {
            node.parent = node.parent.filter(|parent| known.binary_search(parent).is_ok());
        }
        let parents: Vec<_> = tree.nodes.values().filter_map(|node| node.parent).collect();
        for parent in parents {
            tree.count(parent, 1);
        }
        tree
    }

    fn node(org: &Org) -> OrgNode {
        OrgNode {
            parent: org.parent,
            name: org.name.clone(),
            state: org.state,
            epoch: org.epoch,
            policy: org.policy.clone(),
            children: 0,
        }
    }

    fn count(&mut self, org: OrgId, by: i32) {
        if let Some(node) = self.nodes.get_mut(&org) {
            node.children = node.children.saturating_add_signed(by);
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, org: OrgId) -> Option<&OrgNode> {
        self.nodes.get(&org)
    }

    /// Those right below one, by number.
    pub fn children(&self, org: OrgId) -> impl Iterator<Item = (OrgId, &OrgNode)> {
        self.nodes.iter().filter(move |(_, node)| node.parent == Some(org)).map(|(id, node)| (*id, node))
    }

    /// Does it have any below it?
    #[must_use]
    pub fn has_children(&self, org: OrgId) -> bool {
        self.get(org).is_some_and(|node| node.children > 0)
    }

    /// The organization and all above it, from below.
    pub fn path(&self, org: OrgId) -> impl Iterator<Item = (OrgId, &OrgNode)> {
        let mut next = self.nodes.get_key_value(&org);
        // Bounded: a circle, which no change makes, would end here all the same.
        (0..=limits::ORG_DEPTH).map_while(move |_| {
            let (id, node) = next?;
            next = node.parent.and_then(|parent| self.nodes.get_key_value(&parent));
            Some((*id, node))
        })
    }

    /// Is the one the other, or somewhere below it?
    #[must_use]
    pub fn is_within(&self, org: OrgId, above: OrgId) -> bool {
        self.path(org).any(|(id, _)| id == above)
    }

    /// How many are above it.
    #[must_use]
    pub fn depth(&self, org: OrgId) -> u8 {
        self.path(org).count().saturating_sub(1) as u8
    }

    /// The highest organization on its path that is suspended.
    #[must_use]
    pub fn suspended_at(&self, org: OrgId) -> Option<OrgId> {
        self.path(org).filter(|(_, node)| node.state == OrgState::Suspended).last().map(|(id, _)| id)
    }

    /// All below it and itself, nearest first.
    #[must_use]
    pub fn below(&self, org: OrgId) -> Vec<OrgId> {
        let mut found = vec![org];
        let mut at = 0;
        while let Some(next) = found.get(at).copied() {
            if self.has_children(next) {
                found.extend(self.children(next).map(|(id, _)| id));
            }
            at += 1;
        }
        found
    }

    /// May one be made below this one?
    ///
    /// # Errors
    /// [`TreeError::Missing`], [`TreeError::TooDeep`].
    pub fn check_add(&self, parent: OrgId) -> Result<u8, TreeError> {
        self.get(parent).ok_or(TreeError::Missing(parent))?;
        match self.depth(parent) + 1 {
            depth if depth < limits::ORG_DEPTH => Ok(depth),
            _ => Err(TreeError::TooDeep),
        }
    }

    /// Put in, or take the place of, one organization as it is stored.
    pub fn put(&mut self, id: OrgId, org: &Org) {
        let mut node = Self::node(org);
        if let Some(before) = self.nodes.get(&id) {
            node.children = before.children;
            if let Some(parent) = before.parent {
                self.count(parent, -1);
            }
        }
        if let Some(parent) = node.parent {
            self.count(parent, 1);
        }
        self.nodes.insert(id, node);
    }

    /// May it be moved below another?
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn check_move(&self, org: OrgId, parent: OrgId) -> Result<u8, TreeError> {
        self.get(org).ok_or(TreeError::Missing(org))?;
        if org == OrgId::FIRST {
            return Err(TreeError::First);
        }
        if self.is_within(parent, org) {
            return Err(TreeError::Circle);
        }
        let depth = self.check_add(parent)?;
        let base = self.depth(org);
        let deepest = self.below(org).into_iter().map(|id| self.depth(id) - base).max().unwrap_or(0);
        if depth + deepest < limits::ORG_DEPTH { Ok(depth) } else { Err(TreeError::TooDeep) }
    }

    /// May it be deleted?
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn check_remove(&self, org: OrgId) -> Result<(), TreeError> {
        let node = self.get(org).ok_or(TreeError::Missing(org))?;
        match node.children {
            _ if org == OrgId::FIRST => Err(TreeError::First),
            0 => Ok(()),
            count => Err(TreeError::HasChildren(count)),
        }
    }

    /// Take one out.
    pub fn remove(&mut self, org: OrgId) {
        if let Some(node) = self.nodes.remove(&org)
            && let Some(parent) = node.parent
        {
            self.count(parent, -1);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn org(number: u32) -> OrgId {
        OrgId::new(number).expect("not zero")
    }

    /// 1 above 2 and 3; 2 above 4; 4 above 5.
    pub(crate) fn small() -> Tree {
        let mut tree = Tree::default();
        tree.put(org(1), &Org::new("Root", None, 1));
        for (id, parent) in [(2, 1), (3, 1), (4, 2), (5, 4)] {
            let depth = tree.depth(org(parent));
            tree.put(org(id), &Org::new("x", Some((org(parent), depth)), 1));
        }
        tree
    }

    #[test]
    fn paths_go_up_and_lists_go_down() {
        let tree = small();
        assert_eq!(tree.path(org(5)).map(|(id, _)| id.get()).collect::<Vec<_>>(), [5, 4, 2, 1]);
        assert!(tree.is_within(org(5), org(2)) && tree.is_within(org(2), org(2)));
        assert!(!tree.is_within(org(3), org(2)) && !tree.is_within(org(2), org(5)));
        assert_eq!(tree.below(org(2)), [org(2), org(4), org(5)]);
        assert_eq!((tree.depth(org(5)), tree.depth(org(1))), (3, 0));
    }

    #[test]
    fn moves_make_no_circle_and_nothing_too_deep() {
        let mut tree = small();
        assert_eq!(tree.check_move(org(2), org(5)), Err(TreeError::Circle));
        assert_eq!(tree.check_move(org(2), org(2)), Err(TreeError::Circle));
        assert_eq!(tree.check_move(org(1), org(3)), Err(TreeError::First));
        assert_eq!(tree.check_move(org(4), org(3)), Ok(2));
        assert_eq!(tree.check_remove(org(4)), Err(TreeError::HasChildren(1)));
        for id in 6..10 {
            let depth = tree.check_add(org(id - 1)).expect("not too deep");
            tree.put(org(id), &Org { depth, ..Org::new("x", Some((org(id - 1), depth - 1)), 1) });
        }
        assert_eq!(tree.depth(org(9)), limits::ORG_DEPTH - 1);
        assert_eq!(tree.check_add(org(9)), Err(TreeError::TooDeep));
        assert_eq!(tree.check_move(org(2), org(3)), Err(TreeError::TooDeep));
        tree.remove(org(9));
        assert_eq!(tree.check_move(org(2), org(3)), Ok(2));
    }

    #[test]
    fn the_highest_suspended_one_counts() {
        let mut tree = small();
        let suspend = |tree: &mut Tree, id: u32, parent: u32| {
            let record = Org { state: OrgState::Suspended, ..Org::new("x", Some((org(parent), 0)), 1) };
            tree.put(org(id), &record);
        };
        assert_eq!(tree.suspended_at(org(5)), None);
        suspend(&mut tree, 4, 2);
        assert_eq!(tree.suspended_at(org(5)), Some(org(4)));
        suspend(&mut tree, 2, 1);
        assert_eq!(tree.suspended_at(org(5)), Some(org(2)));
        assert_eq!(tree.suspended_at(org(3)), None);
        assert!(tree.has_children(org(4)), "a change keeps what is below");
    }
}

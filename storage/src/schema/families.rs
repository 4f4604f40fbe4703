//! Which column families a store has: one that an older program made lacks those that came later.

use super::Family;
use crate::Error;

/// A set of column families that are not partitioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families(u64);

impl Families {
    /// All that this program knows.
    #[must_use]
    pub fn all() -> Self {
        Family::ALL.into_iter().fold(Self::default(), Self::with)
    }

    /// This one too.
    #[must_use]
    pub const fn with(self, family: Family) -> Self {
        Self(self.0 | 1 << family as u8)
    }

    /// Is it there? Partitioned families always are: their partitions are made when they are needed.
    #[must_use]
    pub const fn has(self, family: Family) -> bool {
        family.partition_days() > 0 || self.0 & (1 << family as u8) != 0
    }

    /// Are people possible: accounts, roles, invitations, audit with faces?
    #[must_use]
    pub const fn has_people(self) -> bool {
        self.has(Family::Outbox)
    }

    /// This one is needed.
    pub(crate) fn need(self, family: Family) -> Result<(), Error> {
        if self.has(family) { Ok(()) } else { Err(Error::NotUpgraded { family: family.name() }) }
    }

    /// Those that `linchpin upgrade finalize` would make.
    pub fn missing(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |family| !self.has(*family))
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_store_lacks_what_came_later() {
        let older =
            Family::ALL.into_iter().filter(|family| (*family as u8) < 17).fold(Families::default(), Families::with);
        assert!(older.has(Family::User) && older.has(Family::Raw) && !older.has(Family::Role) && !older.has_people());
        assert_eq!(older.missing().next(), Some(Family::Role));
        assert!(Families::all().has_people() && Families::all().missing().next().is_none());
        assert_eq!(Families::of_bits(older.bits()), older);
    }
}

//! From an older store to this program's: the column families that came later, made once and for good.

use crate::Error;
use crate::disk::inventory::InventoryPhase;
use crate::read::reads::Reads;
use crate::schema::Families;
use crate::store::Store;

/// What an upgrade did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgraded {
    /// Column families that it made, by name.
    pub made: Vec<&'static str>,
}

impl Store {
    /// Make what an older store lacks; from then on older programs cannot go on with it. A crash in between leaves a
    /// store that serves as before, and the same call finishes it.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Poisoned`], [`Error::Full`].
    pub fn finalize(&self) -> Result<Upgraded, Error> {
        let _one = self.inner.long_work.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.inner.poison.check()?;
        self.inner.space.check()?;
        let mut upgraded = Upgraded::default();
        // In the order of their numbers: records of a newer version wait for the last of its kind.
        for family in self.inner.rocks.families().missing() {
            self.inner.poison.guard(self.inner.rocks.make(family).map(drop))?;
            upgraded.made.push(family.name());
            self.inner.settings.steps.reach("upgrade: family made");
        }
        self.inner.update_inventory(InventoryPhase::Running)?;
        self.inner.seals.use_families(self.inner.rocks.families());
        Ok(upgraded)
    }
}

impl Reads {
    /// Which column families there are: a store that an older program made lacks those that came later until
    /// [`Store::finalize`].
    #[must_use]
    pub fn present(&self) -> Families {
        self.inner.seals.families()
    }
}

//! What the store takes at the moment.

use crate::Shard;
use crate::device::verbs::Refused;

/// What the store takes at the moment: what it does not take is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// There is no store: state is gone with the process, and the documentation says so.
    Memory,
    /// Everything.
    All,
    /// Points, which wait in memory while the disk is full or slow. Events, properties and metadata are refused.
    Points,
    /// Nothing: a sync has failed.
    Nothing,
}

impl Shard {
    /// May an event, a property or metadata be acknowledged?
    pub(crate) fn takes_changes(&self) -> Result<(), Refused> {
        match self.store.intake {
            Intake::Memory | Intake::All => Ok(()),
            Intake::Points => Err(Refused::NotStored),
            Intake::Nothing => Err(Refused::StoreFailed),
        }
    }
}

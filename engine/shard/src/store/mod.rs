//! What the store gets of a shard, and what it gives back.

pub(crate) mod change;
pub(crate) mod keeping;
pub(crate) mod points;
pub(crate) mod record;
pub(crate) mod restore;

pub use change::{Change, EventId, Kept, Restored};
pub use keeping::Keeping;
pub use points::Points;

//! One call of a shard: what passes through all of its functions.

use linchpin_protocol::model::Now;

use crate::Effects;

/// The time of a call and what is to be done after it.
pub(crate) struct Turn<'a> {
    /// The time; the same for the whole call.
    pub(crate) now: Now,
    /// Where effects go, in the order in which they must be carried out.
    pub(crate) fx: &'a mut Effects,
}

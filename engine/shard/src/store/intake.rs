//! What the store takes at the moment.

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

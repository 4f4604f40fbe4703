//! The rows of the table, a file a subject.

pub(super) mod fleet;
pub(super) mod operator;
pub(super) mod session;

//! The way of a write: the batch, the queue, the thread that commits, the mark, the bounds that stop it.

pub(crate) mod batch;
pub(crate) mod committer;
pub(crate) mod files;
pub(crate) mod mark;
pub(crate) mod poison;
pub(crate) mod space;
pub(crate) mod writer;

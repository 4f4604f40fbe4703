//! What operators ask of a shard, and see of it.

mod commands;
pub(crate) mod counters;
pub(crate) mod diary;
pub(crate) mod drain;
pub(crate) mod tap;

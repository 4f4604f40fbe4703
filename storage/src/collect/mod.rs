//! Telemetry: lanes from shards, the journal and its replay, devices with points that are not stored yet.

pub(crate) mod ask;
pub(crate) mod collector;
pub(crate) mod flush;
pub(crate) mod lane;
pub(crate) mod open_device;
pub(crate) mod replay;
pub(crate) mod replayed;
pub(crate) mod risk;
pub(crate) mod share;
pub(crate) mod slots;

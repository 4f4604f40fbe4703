//! What operators ask of a shard, and see of it.

pub(crate) mod changed;
mod commands;
pub(crate) mod counters;
mod diary;
mod drain;
mod glance;
pub(crate) mod presented;
mod tap;

use changed::ChangedDevices;
use diary::Diary;
use drain::Drain;
use tap::Tap;

/// What operators have under way, and what they may look up.
#[derive(Debug)]
pub(crate) struct Operations {
    pub(crate) drain: Option<Drain>,
    pub(crate) diary: Diary,
    /// Devices whose frames an operator sees.
    pub(crate) taps: Vec<Tap>,
    /// What lists of devices must look at again.
    pub(crate) changed: ChangedDevices,
}

impl Operations {
    pub(crate) fn new(shards: u16) -> Self {
        Self { drain: None, diary: Diary::new(shards), taps: Vec::new(), changed: ChangedDevices::default() }
    }
}

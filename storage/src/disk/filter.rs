//! What compaction leaves out: events and lines of the diary that are over, whose keys hold their time.

use std::ffi::CStr;
use std::sync::Arc;

use rocksdb::CompactionDecision;
use rocksdb::compaction_filter::CompactionFilter;
use rocksdb::compaction_filter_factory::{CompactionFilterContext, CompactionFilterFactory};

use crate::retire::trusted_clock::TrustedClock;
use crate::schema::Family;
use crate::settings::{Retention, Settings};

/// The time in the key of an event or a line of the diary, behind organization and device.
fn key_ms(key: &[u8]) -> Option<u64> {
    key.get(8..)?.first_chunk().copied().map(u64::from_be_bytes)
}

/// Makes the filter of each compaction of a family.
pub(crate) struct CompactionFilters {
    family: Family,
    clock: Arc<TrustedClock>,
    retention: Retention,
}

impl CompactionFilters {
    /// Events and the diary have them; the others have nothing that compaction may leave out.
    pub(crate) const fn is_for(family: Family) -> bool {
        matches!(family, Family::Event | Family::Diary)
    }

    pub(crate) fn new(family: Family, settings: &Settings, clock: &Arc<TrustedClock>) -> Option<Self> {
        let retention = settings.retention;
        Self::is_for(family).then(|| Self { family, clock: clock.clone(), retention })
    }
}

/// Leaves out what was over when the compaction began, by a clock that can be trusted.
pub(crate) struct Filter {
    oldest_ms: u64,
}

const FILTER: &CStr = c"linchpin-retention";

impl CompactionFilterFactory for CompactionFilters {
    type Filter = Filter;

    fn create(&mut self, _: CompactionFilterContext) -> Filter {
        Filter { oldest_ms: self.retention.oldest_ms(self.family, self.clock.expiry_ms()) }
    }

    fn name(&self) -> &CStr {
        FILTER
    }
}

impl CompactionFilter for Filter {
    fn filter(&mut self, _level: u32, key: &[u8], _value: &[u8]) -> CompactionDecision {
        match key_ms(key) {
            Some(at_ms) if at_ms < self.oldest_ms => CompactionDecision::Remove,
            _ => CompactionDecision::Keep,
        }
    }

    fn name(&self) -> &CStr {
        FILTER
    }
}

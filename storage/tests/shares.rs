//! While the collector stands still one organization floods its lane: what devices of the others write is all in history.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use linchpin_protocol::model::Pin;
use linchpin_storage::{Granularity, LaneFull, Query, Settings, Source, Steps, Store, limits};
use world::{Folder, add_org, child::now_ms, close, device, device_key, org, settings};

/// Organizations that flood, and those that do not.
const FLOODING: [u32; 2] = [1, 2];
const QUIET: [u32; 3] = [11, 12, 13];
const PIN: Pin = Pin::new_virtual(5);

/// A store whose collector takes nothing while the flag is set.
fn store(folder: &Folder) -> (Arc<AtomicBool>, Store) {
    let stands_still = Arc::new(AtomicBool::new(false));
    let flag = stands_still.clone();
    let steps = Steps::new(move |step| {
        while step == "lanes looked at" && flag.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    (stands_still, Store::open(Settings { steps, ..settings(&folder.0) }).expect("opens"))
}

/// A test that fails lets the collector go on: its store waits for it.
struct Release(Arc<AtomicBool>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[test]
fn an_organization_that_floods_costs_no_other_a_point() {
    let folder = Folder::new("shares");
    let (stands_still, store) = store(&folder);
    let _released = Release(stands_still.clone());
    for number in FLOODING.into_iter().chain(QUIET) {
        add_org(&store, number, "Acme");
    }
    let mut lane = store.telemetry_lane().expect("a lane");
    stands_still.store(true, Ordering::Release);
    std::thread::sleep(Duration::from_millis(200));
    let (begin_ms, long) = (now_ms() - 60_000, [b'x'; 900]);
    let mut lost = [0; 2];
    // Five seconds of virtual ticks of a shard: three times as long as a lane has slots for.
    let ticks = 5_000 / limits::JOURNAL_BATCH_MS;
    for tick in 0..ticks {
        let at_ms = begin_ms + tick * limits::JOURNAL_BATCH_MS;
        for (at, number) in FLOODING.into_iter().enumerate() {
            for n in 0..500 {
                let written = lane.write(org(number), device(n % 50 + 1), PIN, at_ms, &long);
                assert_ne!(written, Err(LaneFull::Whole), "tick {tick}: there is always some room");
                lost[at] += u32::from(written.is_err());
            }
        }
        for number in QUIET {
            let value = format!("{tick}");
            let written = lane.write(org(number), device(1), PIN, at_ms, value.as_bytes());
            written.unwrap_or_else(|error| panic!("tick {tick}, organization {number}: {error}"));
        }
        let _ = lane.close_due();
    }
    assert!(lost.iter().all(|lost| *lost > 10_000), "who floods loses what is too much: {lost:?}");
    stands_still.store(false, Ordering::Release);
    while lane.close_batch().is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    store.store_all().expect("stores");
    for number in QUIET {
        let (granularity, source) = (Granularity::Raw, Source::Average);
        let query = Query { key: device_key(number, 1), pin: PIN, from_ms: 0, to_ms: now_ms(), granularity, source };
        let samples = store.history(&query).expect("reads");
        let seen: BTreeSet<u64> = samples.iter().map(|sample| sample.value as u64).collect();
        assert_eq!(seen, (0..ticks).collect(), "organization {number}");
    }
    // What was drained is free again, for those who flooded too.
    lane.write(org(1), device(1), PIN, now_ms(), &long).expect("room");
    lane.close_batch().expect("room");
    close(store);
}

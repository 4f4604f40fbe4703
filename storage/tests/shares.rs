//! While the collector stands still one organization floods its lane: what devices of the others write is all in history. What
//! is in a lane that it has not seen yet is at risk.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::{Granularity, LaneFull, Query, Settings, Source, Steps, Store, limits};
use world::{Folder, add_org, child::now_ms, close, device, device_key, org, settings};

/// Organizations that flood, and those that do not.
const FLOODING: [u32; 2] = [1, 2];
const QUIET: [u32; 3] = [11, 12, 13];
const PIN: Pin = Pin::new_virtual(5);

/// Whether the collector is to stand still, and does. A test that fails lets it go on: its store waits for it.
#[derive(Default)]
struct Hold {
    is_wanted: AtomicBool,
    stands: AtomicBool,
}

impl Hold {
    fn stand_still(&self) {
        self.is_wanted.store(true, Ordering::Release);
        while !self.stands.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn go_on(&self) {
        self.is_wanted.store(false, Ordering::Release);
    }
}

/// Dropped before the store.
struct Release(Arc<Hold>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.go_on();
    }
}

/// A store whose collector takes nothing while it is held.
fn store(folder: &Folder) -> (Arc<Hold>, Store) {
    let hold = Arc::new(Hold::default());
    let known = hold.clone();
    let steps = Steps::new(move |step| {
        while step == "lanes looked at" && hold.is_wanted.load(Ordering::Acquire) {
            hold.stands.store(true, Ordering::Release);
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    (known, Store::open(Settings { steps, ..settings(&folder.0) }).expect("opens"))
}

#[test]
fn what_is_in_a_lane_that_nobody_has_looked_at_is_at_risk() {
    let folder = Folder::new("unseen");
    let (hold, store) = store(&folder);
    let _released = Release(hold.clone());
    add_org(&store, 1, "Acme");
    hold.stand_still();
    let mut lane = store.telemetry_lane().expect("a lane");
    assert_eq!(store.figures().unsynced_ms, 0, "nothing was written");
    lane.write(org(1), device(1), PIN, now_ms(), b"7").expect("room");
    let written = Instant::now();
    std::thread::sleep(Duration::from_millis(30));
    let least_ms = written.elapsed().as_millis() as u64;
    let told_ms = store.figures().unsynced_ms;
    assert!(told_ms >= least_ms, "{told_ms} ms are told, {least_ms} ms are not on the disk");
    lane.close_batch().expect("room");
    assert!(store.figures().unsynced_ms >= least_ms, "handed over, not taken");
    hold.go_on();
    let begun = Instant::now();
    while store.figures().unsynced_ms > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is on the disk at last");
        std::thread::sleep(Duration::from_millis(5));
    }
    close(store);
}

#[test]
fn an_organization_that_floods_costs_no_other_a_point() {
    let folder = Folder::new("shares");
    let (hold, store) = store(&folder);
    let _released = Release(hold.clone());
    for number in FLOODING.into_iter().chain(QUIET) {
        add_org(&store, number, "Acme");
    }
    let mut lane = store.telemetry_lane().expect("a lane");
    hold.stand_still();
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
    hold.go_on();
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

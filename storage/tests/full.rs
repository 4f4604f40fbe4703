//! A disk of 64 MiB runs full, twice: reads go on, writes are refused and not half done, telemetry waits in memory, and
//! writing goes on within 2 s of space. `LINCHPIN_FULLS=20` does it more often.

#![allow(clippy::print_stdout, reason = "the report of a test")]

mod world;

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{Event, EventKey, IndexKind};
use linchpin_storage::{Class, Error, Store};
use world::disk::{Disk, may_mount};
use world::{LATE_MS, add_device, add_org, check_devices, close, device, device_key, org, settings, token};

const PIN: Pin = Pin::new_virtual(3);

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// Somebody else's file: as long as the disk has room, or up to this length.
fn fill(path: &Path, most_bytes: usize) -> usize {
    let mut file = std::fs::File::create(path).expect("a file");
    let block = vec![7; 64 << 10];
    let mut written = 0;
    while written < most_bytes && file.write_all(&block).is_ok() {
        written += block.len();
    }
    let _ = file.sync_all();
    written
}

fn event(store: &Store, number: u32) -> Result<(), Error> {
    let mut batch = store.batch();
    let event = Event::new("hot".into(), "d".repeat(4_000).into());
    batch.put(&EventKey { org: org(1), device: device(1), at_ms: LATE_MS, number }, &event)?;
    store.commit(Class::A, batch)
}

/// What devices do all the time.
fn expect_reads(store: &Store, devices: u32) {
    let begun = Instant::now();
    check_devices(store, 1, devices).expect("records are read");
    let mut tokens = 0;
    store.load_index(IndexKind::Token, |_, _| tokens += 1).expect("the index is read");
    assert_eq!(tokens, devices);
    assert!(store.lookup(&store.token_digest(&token(1))).expect("a login finds its device").is_some());
    assert!(begun.elapsed() < Duration::from_secs(2), "reads stall: {:?}", begun.elapsed());
}

#[test]
fn a_full_disk_stops_writing_only_and_only_as_long_as_it_is_full() {
    if !may_mount("a full disk of the store") {
        return;
    }
    let times: u32 = std::env::var("LINCHPIN_FULLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let disk = Disk::new("full", 64);
    let store = Store::open(settings(&disk.mount)).expect("opens");
    add_org(&store, 1, "Acme");
    for number in 1..=100 {
        add_device(&store, 1, number).expect("commits");
    }
    let mut lane = store.telemetry_lane().expect("a lane");
    let (mut events, mut points, mut slowest) = (0, 0u64, Duration::ZERO);
    let filler = disk.mount.join("filler");
    for round in 0..times {
        fill(&filler, 24 << 20);
        let refused = loop {
            match event(&store, events) {
                Ok(()) => events += 1,
                Err(error) => break error,
            }
            assert!(events < 20_000, "the disk does not run full");
        };
        assert!(matches!(refused, Error::Full { .. }), "round {round}: {refused}");
        // Nothing at all is left for anybody.
        let rest = disk.mount.join("rest");
        fill(&rest, usize::MAX);
        let mut written = Vec::new();
        for n in 0..40 {
            let at_ms = now_ms();
            lane.write(org(1), device(500), PIN, at_ms, points.to_string().as_bytes()).expect("a lane never blocks");
            written.push((at_ms, points as f64));
            points += 1;
            lane.close_batch().expect("the collector goes on taking");
            std::thread::sleep(Duration::from_millis(10));
            if n % 10 == 0 {
                expect_reads(&store, 100);
                assert!(matches!(event(&store, u32::MAX), Err(Error::Full { .. })));
                let begun = Instant::now();
                let latest = store.latest(device_key(1, 500)).expect("latest values are read");
                assert_eq!(&*latest.values[&PIN].value, (points - 1).to_string().as_bytes());
                store.samples(device_key(1, 500), PIN, 0, now_ms()).expect("history is read, as far as it is stored");
                assert!(matches!(store.store_all(), Err(Error::Full { .. })));
                assert!(begun.elapsed() < Duration::from_secs(2), "reads stall: {:?}", begun.elapsed());
            }
        }
        let figures = store.figures();
        assert!(figures.is_full && !figures.is_poisoned, "round {round}: {figures:?}");
        assert!(figures.unsynced_ms >= 300, "the true age of what is not on the disk is told: {figures:?}");
        std::fs::remove_file(&rest).expect("removes");
        std::fs::remove_file(&filler).expect("removes");
        let begun = Instant::now();
        while let Err(error) = event(&store, events) {
            assert!(matches!(error, Error::Full { .. }), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(2), "writing does not go on: {error}");
            std::thread::sleep(Duration::from_millis(10));
        }
        events += 1;
        while store.figures().unsynced_ms > 0 {
            assert!(begun.elapsed() < Duration::from_secs(2), "telemetry is not stored: {:?}", store.figures());
            std::thread::sleep(Duration::from_millis(10));
        }
        slowest = slowest.max(begun.elapsed());
        let samples = store.samples(device_key(1, 500), PIN, written[0].0, now_ms()).expect("reads");
        let found: Vec<(u64, f64)> = samples.iter().map(|sample| (sample.at_ms, sample.value)).collect();
        assert_eq!(found, written, "round {round}: nothing that memory held is lost");
        // Make room for the next round.
        let mut batch = store.batch();
        for number in 0..events {
            batch.delete::<Event>(&EventKey { org: org(1), device: device(1), at_ms: LATE_MS, number }).expect("fits");
        }
        store.commit(Class::A, batch).expect("commits");
    }
    close(store);
    let store = Store::open(settings(&disk.mount)).expect("opens");
    expect_reads(&store, 100);
    store.verify().expect("all is authentic");
    close(store);
    disk.unmount();
    println!("{times} times full: writing went on {slowest:?} after there was space at most");
}

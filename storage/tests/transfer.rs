//! A device that goes to another organization keeps its history, and nothing of it stays with the old one.

mod world;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{DeviceKey, DiaryKey, DiaryKind, DiaryRecord, Event, EventKey, Grain, Latest, Record};
use linchpin_storage::{ChartQuery, Class, Settings, Steps, Store, WallClock};
use world::{Folder, add_org, device, device_key, org, settings};

const BEGIN: u64 = 1_800_000_000_000;
const MINUTE: u64 = 60_000;
const POINTS: u64 = 3_000;
const PIN: Pin = Pin::new_virtual(0);

fn at(folder: &Folder) -> (Arc<AtomicU64>, Settings) {
    let now = Arc::new(AtomicU64::new(BEGIN));
    let mut settings = settings(&folder.0);
    let (wall, uptime) = (now.clone(), now.clone());
    let clock = WallClock::new(move || wall.load(Ordering::Relaxed));
    settings.clock = clock.with_uptime(move || uptime.load(Ordering::Relaxed) - BEGIN);
    (now, settings)
}

fn count_of<R: Record>(store: &Store, key: DeviceKey) -> usize {
    let mut count = 0;
    let scanned = store.scan_device::<R>(key, |_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    scanned.expect("reads");
    count
}

/// A point a second in one organization, and then some in the other, within the same hour.
fn filled(folder: &Folder) -> (Settings, Store) {
    let (now, settings) = at(folder);
    let store = Store::open(settings.clone()).expect("opens");
    (1..=2).for_each(|number| add_org(&store, number, "Acme"));
    let mut lane = store.telemetry_lane().expect("open");
    for n in 0..POINTS {
        now.store(BEGIN + n * 1_000, Ordering::Relaxed);
        let owner = if n < POINTS - 100 { org(1) } else { org(2) };
        lane.write(owner, device(1), PIN, BEGIN + n * 1_000, n.to_string().as_bytes()).expect("room");
        // Another device, which nobody moves.
        lane.write(org(1), device(2), PIN, BEGIN + n * 1_000, b"7").expect("room");
        if n % 500 == 0 {
            lane.close_batch().expect("room");
            store.store_all().expect("stores");
        }
    }
    lane.close_batch().expect("room");
    for number in 0..5 {
        let (org, device, at_ms) = (org(1), device(1), BEGIN + u64::from(number));
        let mut batch = store.batch();
        batch.put(&EventKey { org, device, at_ms, number }, &Event::new("hot".into(), "".into())).expect("fits");
        let line = DiaryRecord { kind: DiaryKind::Online, reason: "".into() };
        batch.put(&DiaryKey { org, device, at_ms, number }, &line).expect("fits");
        store.commit(Class::A, batch).expect("commits");
    }
    (settings, store)
}

fn check_moved(store: &Store) {
    let (old, new, end) = (device_key(1, 1), device_key(2, 1), BEGIN + POINTS * 1_000);
    let values = |key| -> Vec<f64> {
        store.samples(key, PIN, BEGIN, end).expect("reads").iter().map(|sample| sample.value).collect()
    };
    assert_eq!(values(new), (0..POINTS).map(|n| n as f64).collect::<Vec<_>>());
    assert!(values(old).is_empty());
    assert_eq!(values(device_key(1, 2)).len() as u64, POINTS, "another's");
    for grain in Grain::ALL {
        let rows = store.rows(new, PIN, grain, BEGIN - BEGIN % grain.row_ms(), end).expect("reads");
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), POINTS, "{grain:?}");
        assert_eq!(rows.last().map(|row| row.last), Some((POINTS - 1) as f64));
        assert!(store.rows(old, PIN, grain, 0, end).expect("reads").is_empty(), "{grain:?}");
    }
    assert_eq!((count_of::<Event>(store, new), count_of::<Event>(store, old)), (5, 0));
    assert_eq!((count_of::<DiaryRecord>(store, new), count_of::<DiaryRecord>(store, old)), (5, 0));
    assert_eq!(store.get::<Latest>(&old).expect("reads"), None);
}

#[test]
fn history_goes_with_its_device() {
    let folder = Folder::new("transfer");
    let (settings, store) = filled(&folder);
    assert!(store.move_history(device(1), org(1), org(2)).expect("moves") > 10);
    check_moved(&store);
    assert_eq!(store.move_history(device(1), org(1), org(2)).expect("moves"), 0, "there is nothing left");
    check_moved(&store);
    drop(store);
    check_moved(&Store::open(settings).expect("opens"));
}

#[test]
fn a_move_that_was_ended_half_way_is_completed_by_another() {
    let folder = Folder::new("transfer-torn");
    let (settings, store) = filled(&folder);
    drop(store);
    // The process ends after the first batch of it: all that it wrote is there, and nothing more.
    let ended = Settings {
        steps: Steps::new(|step| assert_ne!(step, "move: some history moved", "the test ends it here")),
        ..settings.clone()
    };
    let store = Store::open(ended).expect("opens");
    let torn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.move_history(device(1), org(1), org(2))));
    assert!(torn.is_err());
    drop(store);
    let store = Store::open(settings).expect("opens");
    store.move_history(device(1), org(1), org(2)).expect("moves");
    check_moved(&store);
}

/// Between the move of its record and the moment its home knows of it, a device writes under its old organization.
#[test]
fn what_was_written_on_the_way_is_the_latest_value() {
    let folder = Folder::new("transfer-late");
    let (now, settings) = at(&folder);
    let store = Store::open(settings.clone()).expect("opens");
    (1..=2).for_each(|number| add_org(&store, number, "Acme"));
    let mut lane = store.telemetry_lane().expect("open");
    let (old, new) = (device_key(1, 1), device_key(2, 1));
    now.store(BEGIN + 10, Ordering::Relaxed);
    let pin = Pin::new_virtual;
    let mut write = |owner, n, at_ms, value: &[u8]| {
        lane.write(org(owner), device(1), pin(n), BEGIN + at_ms, value).expect("room");
        lane.close_batch().expect("room");
    };
    write(1, 0, 0, b"1");
    let latest = store.latest(old).expect("reads");
    let mut batch = store.batch();
    batch.put(&new, &Latest { applied: 0, ..latest }).expect("fits");
    batch.delete::<Latest>(&old).expect("fits");
    store.commit(Class::A, batch).expect("commits");
    write(1, 0, 1, b"2");
    write(1, 1, 2, b"on the way");
    write(1, 2, 2, b"3");
    write(2, 2, 3, b"4");
    store.move_history(device(1), org(1), org(2)).expect("moves");
    let values = |store: &Store, key| -> Vec<Box<[u8]>> {
        store.latest(key).expect("reads").values.into_values().map(|latest| latest.value).collect()
    };
    let there: Vec<Box<[u8]>> = vec![b"2"[..].into(), b"on the way"[..].into(), b"4"[..].into()];
    assert_eq!((values(&store, new), values(&store, old)), (there.clone(), Vec::new()));
    let points = |store: &Store, n| -> Vec<f64> {
        let samples = store.samples(new, pin(n), BEGIN, BEGIN + 10).expect("reads");
        samples.iter().map(|sample| sample.value).collect()
    };
    assert_eq!((points(&store, 0), points(&store, 2)), (vec![1.0, 2.0], vec![3.0, 4.0]));
    drop(store);
    let store = Store::open(settings).expect("opens");
    assert_eq!((values(&store, new), values(&store, old)), (there, Vec::new()));
    assert_eq!((points(&store, 0), points(&store, 2)), (vec![1.0, 2.0], vec![3.0, 4.0]));
}

#[test]
fn charts_come_from_points_and_from_roll_ups() {
    let folder = Folder::new("chart");
    let (_settings, store) = filled(&folder);
    store.move_history(device(1), org(1), org(2)).expect("moves");
    let chart = |from_ms, to_ms, points| {
        store.chart(&ChartQuery { key: device_key(2, 1), pin: PIN, from_ms, to_ms, points }).expect("reads")
    };
    // A second a point: raw points.
    let fine = chart(BEGIN, BEGIN + 99_000, 4_000);
    assert_eq!(fine.iter().map(|point| point.last).collect::<Vec<_>>(), (0..100).map(f64::from).collect::<Vec<_>>());
    // Ten minutes a point: rows by minute.
    let end = BEGIN + POINTS * 1_000;
    for points in [5, 50, 500] {
        let line = chart(BEGIN - BEGIN % MINUTE, end, points);
        assert!((2..=points).contains(&line.len()), "{points}: {}", line.len());
        assert_eq!(line.iter().map(|point| point.min).fold(f64::MAX, f64::min), 0.0);
        assert_eq!(line.iter().map(|point| point.max).fold(f64::MIN, f64::max), (POINTS - 1) as f64);
        assert!(line.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms && pair[0].max <= pair[1].min + 1.0));
    }
    // A day counts where it begins.
    assert!(chart(0, BEGIN - 24 * 60 * MINUTE, 10).is_empty());
    assert_eq!(chart(0, u64::MAX / 2, 10).len(), 1, "an open range");
    store.erase_history(device_key(2, 1)).expect("erases");
    assert!(chart(0, end, 10).is_empty());
    assert_eq!(count_of::<Event>(&store, device_key(2, 1)), 0);
    assert_eq!(store.latest(device_key(2, 1)).expect("reads").values.len(), 0);
}

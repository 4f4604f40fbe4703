//! Telemetry: each point is in history exactly once, whatever ended the server; roll-ups add up; old partitions go.

mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{Grain, Row, Sample};
use linchpin_storage::{Store, TelemetryLane};
use world::{Folder, add_org, copy, device, device_key, open, org, settings};

const HOUR: u64 = 3_600_000;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// What history must say: (device, pin) -> time -> value.
type Model = BTreeMap<(u32, u8), BTreeMap<u64, f64>>;

fn write(lane: &mut TelemetryLane, model: &mut Model, number: u32, pin: u8, at_ms: u64, value: f64) {
    let text = format!("{value}");
    lane.write(org(1), device(number), Pin::new_virtual(pin), at_ms, text.as_bytes()).expect("room");
    model.entry((number, pin)).or_default().insert(at_ms, value);
}

fn check(store: &Store, model: &Model) {
    for ((number, pin), points) in model {
        let (key, pin) = (device_key(1, *number), Pin::new_virtual(*pin));
        let samples = store.samples(key, pin, 0, u64::MAX / 2).expect("reads");
        let wanted: Vec<Sample> = points.iter().map(|(at_ms, value)| Sample { at_ms: *at_ms, value: *value }).collect();
        assert_eq!(samples, wanted, "device {number}");
        for grain in Grain::ALL {
            let rows = store.rows(key, pin, grain, 0, u64::MAX / 2).expect("reads");
            let mut expected: BTreeMap<u64, Row> = BTreeMap::new();
            for sample in &wanted {
                let row = Row::of(grain, *sample);
                expected.entry(row.start_ms).and_modify(|known| known.add(&row)).or_insert(row);
            }
            assert_eq!(rows.len(), expected.len(), "{grain:?}");
            for (row, wanted) in rows.iter().zip(expected.values()) {
                assert_eq!(
                    (row.start_ms, row.count, row.min, row.max, row.last),
                    (wanted.start_ms, wanted.count, wanted.min, wanted.max, wanted.last)
                );
                assert!((row.sum - wanted.sum).abs() < 1e-6);
            }
        }
        let (at_ms, value) = points.last_key_value().expect("not empty");
        let latest = store.latest(key).expect("reads").values.get(&pin).cloned().expect("a value");
        assert_eq!((latest.at_ms, &*latest.value), (*at_ms, format!("{value}").as_bytes()));
    }
}

#[test]
fn every_point_is_there_once_after_stops_and_crashes() {
    let mut folder = Folder::new("telemetry");
    let mut model = Model::new();
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    store.close().expect("closes");
    let begin = now_ms() - 30 * HOUR;
    for round in 0..6u64 {
        let store = open(&folder.0).expect("opens");
        let mut lane = store.telemetry_lane().expect("a lane");
        for n in 0..3_000u64 {
            let number = (n % 3 + 1) as u32;
            let at_ms = begin + round * 5 * HOUR + n * 4_001;
            write(&mut lane, &mut model, number, (n % 2) as u8, at_ms, ((n / 30 + round * 7) % 100) as f64 / 10.0);
            if n % 500 == 7 {
                // Late, and out of order.
                write(&mut lane, &mut model, 1, 0, begin + round * HOUR + n, 77.25);
            }
            if n % 700 == 0 {
                lane.close_batch().expect("room");
            }
            if n == 1_500 && round % 2 == 0 {
                lane.close_batch().expect("room");
                store.store_all().expect("stores");
            }
        }
        lane.close_batch().expect("room");
        match round % 3 {
            0 => store.close().expect("closes"),
            1 => drop(store),
            _ => {
                // Killed: what was journaled is there, although nothing was stored.
                std::thread::sleep(Duration::from_millis(1_500));
                let killed = Folder::new("telemetry-killed");
                copy(&folder.0, &killed.0);
                drop(store);
                folder = killed;
            }
        }
        check(&open(&folder.0).expect("opens"), &model);
    }
    open(&folder.0).expect("opens").verify().expect("all records are authentic");
}

#[test]
fn text_has_a_latest_value_and_no_history() {
    let folder = Folder::new("text");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    lane.write(org(1), device(1), Pin::new_virtual(5), now_ms(), b"on\0off").expect("room");
    lane.write(org(2), device(9), Pin::new_virtual(5), now_ms(), b"1")
        .expect("an unknown organization is refused later");
    lane.close_batch().expect("room");
    let latest = store.latest(device_key(1, 1)).expect("reads");
    assert_eq!(&*latest.values[&Pin::new_virtual(5)].value, b"on\0off");
    assert_eq!(store.samples(device_key(1, 1), Pin::new_virtual(5), 0, u64::MAX / 2).expect("reads"), []);
    assert!(store.latest(device_key(2, 9)).expect("reads").values.is_empty());
}

#[test]
fn partitions_that_are_over_are_dropped_whole() {
    let folder = Folder::new("retention");
    let mut keeping = settings(&folder.0);
    keeping.retention.raw_days = 400;
    let store = Store::open(keeping).expect("opens");
    add_org(&store, 1, "Acme");
    let mut model = Model::new();
    let mut lane = store.telemetry_lane().expect("a lane");
    let now = now_ms();
    for days in [300, 60, 1] {
        write(&mut lane, &mut model, 1, 0, now - days * 24 * HOUR, 1.5);
    }
    lane.close_batch().expect("room");
    check(&store, &model);
    store.close().expect("closes");
    let store = open(&folder.0).expect("opens with the usual 30 days");
    let begun = Instant::now();
    store.drop_old().expect("drops");
    assert!(begun.elapsed() < Duration::from_secs(2));
    let pin = Pin::new_virtual(0);
    let samples = store.samples(device_key(1, 1), pin, 0, now).expect("reads");
    assert_eq!(samples.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [now - 24 * HOUR]);
    assert_eq!(store.rows(device_key(1, 1), pin, Grain::Minute, 0, now).expect("reads").len(), 2);
    assert_eq!(store.rows(device_key(1, 1), pin, Grain::Day, 0, now).expect("reads").len(), 3);
    store.close().expect("closes");
    open(&folder.0).expect("opens").verify().expect("nothing is missing");
}

#[test]
fn the_journal_is_trimmed_once_all_is_stored() {
    let folder = Folder::new("trim");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    for n in 0..100 {
        lane.write(org(1), device(1), Pin::new_virtual(0), now_ms() - 1_000 + n, b"7").expect("room");
        lane.close_batch().expect("room");
        std::thread::sleep(Duration::from_millis(1));
    }
    store.store_all().expect("stores");
    let figures = store.figures();
    assert_eq!((figures.telemetry_points, figures.unjournaled_batches), (100, 0));
    assert!(store.journal_is_empty().expect("reads"));
}

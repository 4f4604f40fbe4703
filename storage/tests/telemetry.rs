//! Telemetry: each point is in history exactly once, whatever ended the server; roll-ups add up; old partitions go.

mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::Pin;
use linchpin_storage::limits::JOURNAL_LANE;
use linchpin_storage::schema::{Grain, Row, Sample};
use linchpin_storage::{
    ExportFormat, ExportQuery, Granularity, LaneFull, Period, Query, Source, Store, TelemetryLane, TimeFormat,
};
use world::{Folder, add_org, close, copy, device, device_key, open, org, settings};

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
    close(store);
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
            0 => close(store),
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
    assert_eq!(store.figures().refused_points, 1);
}

#[test]
fn partitions_that_are_over_are_dropped_whole() {
    let folder = Folder::new("retention");
    let mut keeping = settings(&folder.0);
    (keeping.retention.raw_days, keeping.retention.minute_days) = (400, 400);
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
    close(store);
    let store = open(&folder.0).expect("opens with the usual 30 days");
    let begun = Instant::now();
    store.drop_old().expect("drops");
    assert!(begun.elapsed() < Duration::from_secs(2));
    let pin = Pin::new_virtual(0);
    let samples = store.samples(device_key(1, 1), pin, 0, now).expect("reads");
    assert_eq!(samples.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [now - 24 * HOUR]);
    assert_eq!(store.rows(device_key(1, 1), pin, Grain::Minute, 0, now).expect("reads").len(), 2);
    assert_eq!(store.rows(device_key(1, 1), pin, Grain::Day, 0, now).expect("reads").len(), 3);
    close(store);
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

#[test]
fn questions_and_exports_say_the_same() {
    let folder = Folder::new("export");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    let mut model = Model::new();
    let to_ms = now_ms();
    for n in 0..20_000u64 {
        write(&mut lane, &mut model, 1, (n % 2) as u8, to_ms - 6 * 24 * HOUR + n * 20_011, (n % 50) as f64 / 4.0);
    }
    lane.close_batch().expect("room");
    let pins = vec![Pin::new_virtual(0), Pin::new_virtual(7), Pin::new_virtual(1)];
    let query = Query {
        key: device_key(1, 1),
        pin: pins[0],
        from_ms: 0,
        to_ms,
        granularity: Granularity::Raw,
        source: Source::Average,
    };
    for (name, count) in [("RAW_DATA", 10_000), ("HOURLY", 112)] {
        let granularity = Granularity::parse(name).expect("a name");
        let asked = store.history(&Query { granularity, ..query }.last(Period::Week, to_ms)).expect("reads");
        assert!(asked.len().abs_diff(count) <= 1, "{name}: {}", asked.len());
        let export = |format| {
            let export = ExportQuery {
                key: query.key,
                pins: pins.clone(),
                from_ms: 0,
                to_ms,
                granularity,
                source: Source::Average,
                format,
                time: TimeFormat::Ms,
                zone: linchpin_storage::Zone::UTC,
                events: false,
            };
            let pieces: Result<Vec<Vec<u8>>, _> = store.export(export).expect("reads").collect();
            let pieces = pieces.expect("reads");
            assert!(pieces.iter().all(|piece| piece.len() < 256 << 10));
            assert!(name != "RAW_DATA" || pieces.len() > 3, "{} pieces", pieces.len());
            String::from_utf8(pieces.concat()).expect("text")
        };
        let csv = export(ExportFormat::Csv);
        let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
        assert_eq!(lines[0], "time,pin,value");
        let of_first: Vec<String> = asked.iter().map(|s| format!("{},V0,{}", s.at_ms, s.value)).collect();
        assert_eq!(lines[1..=of_first.len()], of_first);
        assert!(lines[of_first.len() + 1..].iter().all(|line| line.contains(",V1,")), "{:?}", lines.last());
        let json = export(ExportFormat::Json);
        assert!(json.starts_with("[{\"time\":") && json.ends_with("}]\n"), "{:?}", &json[..40]);
        assert_eq!(json.matches("\"pin\":\"V0\"").count(), asked.len());
        assert_eq!(json.matches("},\n{").count(), lines.len() - 2);
    }
    let (sender, answer) = std::sync::mpsc::channel();
    store
        .submit(move |reads| sender.send(reads.history(&query).map(|found| found.len())).expect("waits"))
        .expect("room");
    assert_eq!(answer.recv().expect("answers").expect("reads"), 10_000);
    let row = Row { start_ms: 0, count: 4, min: 1.0, max: 3.0, sum: 8.0, last: 2.5, last_ms: 1 };
    let values =
        ["AVG", "MIN", "MAX", "SUM", "COUNT", "LAST"].map(|name| Source::parse(name).expect("a name").of(&row));
    assert_eq!(values, [2.0, 1.0, 3.0, 8.0, 4.0, 2.5]);
}

#[test]
fn points_outside_of_what_is_retained_are_refused() {
    let folder = Folder::new("outside");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    for at_ms in [now_ms() + 25 * HOUR, 1, u64::MAX] {
        lane.write(org(1), device(1), Pin::new_virtual(0), at_ms, b"7").expect("room");
    }
    lane.close_batch().expect("room");
    assert!(store.latest(device_key(1, 1)).expect("reads").values.is_empty());
    assert_eq!(store.figures().refused_points, 3);
    assert!(store.journal_is_empty().expect("reads"));
}

#[test]
fn what_the_journal_knows_is_told_at_start() {
    let folder = Folder::new("load");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    let pin = Pin::new_virtual(0);
    lane.write(org(1), device(1), pin, now_ms(), b"stored").expect("room");
    lane.close_batch().expect("room");
    store.store_all().expect("stores");
    lane.write(org(1), device(1), pin, now_ms(), b"journaled").expect("room");
    lane.close_batch().expect("room");
    std::thread::sleep(Duration::from_millis(1_500));
    let killed = Folder::new("load-killed");
    copy(&folder.0, &killed.0);
    drop(store);
    let store = open(&killed.0).expect("opens");
    let mut told = Vec::new();
    store.load_latest(|key, latest| told.push((key, latest.values[&pin].value.to_vec()))).expect("reads");
    store.load_replayed(|key, latest| told.push((key, latest.values[&pin].value.to_vec()))).expect("reads");
    assert_eq!(told, [(device_key(1, 1), b"stored".to_vec()), (device_key(1, 1), b"journaled".to_vec())]);
}

#[test]
fn a_full_lane_says_so_and_keeps_the_batch() {
    let folder = Folder::new("lane");
    let store = open(&folder.0).expect("opens");
    let mut lane = store.telemetry_lane().expect("a lane");
    // Nobody empties it any more.
    close(store);
    for n in 0..JOURNAL_LANE as u64 {
        lane.write(org(1), device(1), Pin::new_virtual(0), n, b"7").expect("room");
        lane.close_batch().unwrap_or_else(|error| panic!("batch {n}: {error}"));
    }
    lane.write(org(1), device(1), Pin::new_virtual(0), 1, b"7").expect("the open batch has room");
    assert_eq!(lane.close_batch(), Err(LaneFull::Whole));
    let long = [b'x'; 1_024];
    let taken =
        (0..10_000).take_while(|n| lane.write(org(1), device(1), Pin::new_virtual(0), *n, &long).is_ok()).count();
    assert!((580..640).contains(&taken), "{taken} values of one organization fit into the open batch");
    assert_eq!(lane.write(org(1), device(1), Pin::new_virtual(0), 1, &long), Err(LaneFull::Share));
    for other in 2..100 {
        lane.write(org(other), device(1), Pin::new_virtual(0), 1, b"7").expect("room for the others");
    }
}

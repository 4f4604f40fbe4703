//! A wall clock that is wrong destroys nothing: not at a start, not while the store runs, not in compaction.

mod world;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{
    AuditEntry, AuditFace, AuditKey, DiaryKey, DiaryKind, DiaryRecord, Event, EventKey, Grain, Org, Record,
};
use linchpin_storage::{Class, Settings, Store, WallClock};
use world::{Folder, add_org, close, device, device_key, org, settings};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
const BEGIN: u64 = 1_800_000_000_000;
const PIN: Pin = Pin::new_virtual(0);
/// Points, events, lines and audit entries: one a day each.
const DAYS: u64 = 25;

/// Both clocks of a machine, ms.
#[derive(Clone)]
struct Machine {
    wall: Arc<AtomicU64>,
    uptime: Arc<AtomicU64>,
}

impl Machine {
    fn new() -> Self {
        Self { wall: Arc::new(AtomicU64::new(BEGIN)), uptime: Arc::default() }
    }

    fn settings(&self, folder: &Folder) -> Settings {
        let (wall, uptime) = (self.wall.clone(), self.uptime.clone());
        let clock = WallClock::new(move || wall.load(Ordering::Relaxed));
        let clock = clock.with_uptime(move || uptime.load(Ordering::Relaxed));
        Settings { clock, ..settings(&folder.0) }
    }

    fn pass(&self, ms: u64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
        self.uptime.fetch_add(ms, Ordering::Relaxed);
    }

    fn set(&self, wall_ms: u64) {
        self.wall.store(wall_ms, Ordering::Relaxed);
    }
}

fn put<R: Record>(store: &Store, key: &R::Key, record: &R) {
    let mut batch = store.batch();
    batch.put(key, record).expect("fits");
    store.commit(Class::B, batch).expect("commits");
}

fn count<R: Record>(store: &Store) -> u64 {
    let mut count = 0;
    let all = store.scan::<R>(|_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    all.expect("reads");
    count
}

/// A store of all kinds of records that expire, closed.
fn filled(name: &str) -> (Folder, Machine) {
    let (folder, machine) = (Folder::new(name), Machine::new());
    let store = Store::open(machine.settings(&folder)).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    for day in 0..DAYS {
        let (org, device, at_ms) = (org(1), device(1), BEGIN - (DAYS - day) * DAY);
        lane.write(org, device, PIN, at_ms, day.to_string().as_bytes()).expect("room");
        put(&store, &EventKey { org, device, at_ms, number: 0 }, &Event::new("hot".into(), "".into()));
        let line = DiaryRecord { kind: DiaryKind::Online, reason: "".into() };
        put(&store, &DiaryKey { org, device, at_ms, number: 0 }, &line);
        put(&store, &AuditKey::new(org, day), &world::an_audit([0; 32], at_ms, &AuditFace::default()));
    }
    lane.close_batch().expect("room");
    check(&store);
    close(store);
    (folder, machine)
}

/// Nothing is missing.
fn check(store: &Store) {
    let samples = store.samples(device_key(1, 1), PIN, 0, BEGIN).expect("reads");
    let rows = |grain| store.rows(device_key(1, 1), PIN, grain, 0, BEGIN).expect("reads").len() as u64;
    let grains = [Grain::Minute, Grain::Hour, Grain::Day].map(rows);
    assert_eq!((samples.len() as u64, grains), (DAYS, [DAYS; 3]));
    assert_eq!((count::<Event>(store), count::<DiaryRecord>(store), count::<AuditEntry>(store)), (DAYS, DAYS, DAYS));
}

/// All that deletes what is over: at once, and by the thread that looks each second.
fn look_for_old(store: &Store) {
    store.drop_old().expect("looks");
    std::thread::sleep(Duration::from_millis(1_300));
}

#[test]
fn a_start_with_the_clock_years_ahead_or_behind_deletes_nothing() {
    let (folder, machine) = filled("clock-start");
    for wrong in [BEGIN + YEAR, BEGIN + 10 * YEAR, BEGIN - YEAR] {
        machine.set(wrong);
        let store = Store::open(machine.settings(&folder)).expect("opens");
        look_for_old(&store);
        assert_eq!(store.figures().clock_ahead_s > 0, wrong > BEGIN);
        check(&store);
        close(store);
        machine.set(BEGIN + HOUR);
        let store = Store::open(machine.settings(&folder)).expect("opens");
        look_for_old(&store);
        assert_eq!(store.figures().clock_ahead_s, 0);
        check(&store);
        close(store);
    }
}

#[test]
fn a_clock_that_is_set_years_off_while_running_deletes_nothing() {
    let (folder, machine) = filled("clock-run");
    let store = Store::open(machine.settings(&folder)).expect("opens");
    for wrong in [BEGIN + YEAR, BEGIN + 10 * YEAR, BEGIN - YEAR] {
        machine.set(wrong);
        // The thread looks again: an hour has passed.
        machine.pass(HOUR);
        look_for_old(&store);
        check(&store);
        machine.set(BEGIN + 5 * HOUR);
        look_for_old(&store);
        check(&store);
    }
    close(store);
}

#[test]
fn a_store_without_its_clock_file_trusts_its_keyring() {
    let (folder, machine) = filled("clock-missing");
    for damage in [false, true] {
        let path = folder.at("store").join("clock");
        if damage { std::fs::write(&path, b"LPCLOK") } else { std::fs::remove_file(&path) }.expect("is there");
        machine.set(BEGIN + 10 * YEAR);
        let store = Store::open(machine.settings(&folder)).expect("opens");
        look_for_old(&store);
        check(&store);
        close(store);
    }
}

#[test]
fn time_that_passes_and_an_operator_let_records_expire() {
    for by_operator in [true, false] {
        let (folder, machine) = filled("clock-accept");
        // Switched off for 40 days: the clock is right, but nothing proves it.
        machine.set(BEGIN + 40 * DAY);
        let store = Store::open(machine.settings(&folder)).expect("opens");
        look_for_old(&store);
        check(&store);
        if by_operator {
            assert_eq!(store.accept_clock().expect("stores"), BEGIN + 40 * DAY);
        } else {
            for _ in 0..23 {
                machine.pass(HOUR);
                assert_eq!(store.samples(device_key(1, 1), PIN, 0, BEGIN).expect("reads").len() as u64, DAYS);
            }
            machine.pass(HOUR + 1_000);
        }
        store.drop_old().expect("drops");
        assert_eq!(store.samples(device_key(1, 1), PIN, 0, BEGIN).expect("reads").len(), 0);
        assert_eq!(
            (count::<DiaryRecord>(&store), count::<Event>(&store), count::<AuditEntry>(&store)),
            (0, DAYS, DAYS)
        );
        close(store);
        let store = Store::open(machine.settings(&folder)).expect("opens");
        assert_eq!(store.figures().clock_ahead_s, 0, "it is remembered");
        assert_eq!(store.get::<Org>(&org(1)).expect("reads").map(|org| org.name), Some("Acme".into()));
        store.verify().expect("all is authentic");
    }
}

#[test]
fn a_value_that_a_wrong_clock_dated_gives_way_to_the_next() {
    let (folder, machine) = filled("clock-latest");
    let latest = |store: &Store| store.latest(device_key(1, 1)).expect("reads").values[&PIN].value.to_vec();
    let write = |store: &Store, value: &[u8]| {
        let mut lane = store.telemetry_lane().expect("a lane");
        lane.write(org(1), device(1), PIN, machine.wall.load(Ordering::Relaxed), value).expect("room");
        lane.close_batch().expect("room");
    };
    machine.set(BEGIN + 10 * YEAR);
    let store = Store::open(machine.settings(&folder)).expect("opens");
    write(&store, b"of the wrong time");
    assert_eq!(latest(&store), b"of the wrong time");
    close(store);
    machine.set(BEGIN + HOUR);
    let store = Store::open(machine.settings(&folder)).expect("opens");
    write(&store, b"of today");
    assert_eq!(latest(&store), b"of today");
    close(store);
    let store = Store::open(machine.settings(&folder)).expect("opens");
    assert_eq!(latest(&store), b"of today");
}

//! What is over is hidden at once and deleted after a while, in a time that a test turns on.

mod world;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{
    AuditEntry, AuditFace, AuditKey, DiaryKey, DiaryKind, DiaryRecord, Event, EventKey, Grain, Org, Record,
};
use linchpin_storage::{
    Class, ExportFormat, ExportQuery, Granularity, Retention, Settings, Source, Store, TimeFormat, WallClock,
};
use world::{Folder, add_org, an_audit, close, device, device_key, org, settings};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
const BEGIN: u64 = 1_800_000_000_000;
const PIN: Pin = Pin::new_virtual(0);

/// A clock and the settings of a store that goes by it.
fn at(folder: &Folder) -> (Arc<AtomicU64>, Settings) {
    let now = Arc::new(AtomicU64::new(BEGIN));
    let mut settings = settings(&folder.0);
    let (wall, uptime) = (now.clone(), now.clone());
    let clock = WallClock::new(move || wall.load(Ordering::Relaxed));
    // Time passes by both clocks: nobody sets one here.
    settings.clock = clock.with_uptime(move || uptime.load(Ordering::Relaxed) - BEGIN);
    settings.retention = Retention { event_days: 10, diary_days: 5, audit_days: 20, ..Retention::default() };
    (now, settings)
}

fn count<R: Record>(store: &Store) -> usize {
    let mut count = 0;
    let all = store.scan::<R>(|_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    all.expect("reads");
    count
}

/// Records in the tables and logs of a family, hidden or not.
fn kept(store: &Store, name: &str) -> u64 {
    store.families().iter().find(|family| family.name == name).map_or(0, |family| family.records)
}

fn event_key(day: u64) -> EventKey {
    EventKey { org: org(1), device: device(1), at_ms: BEGIN + day * DAY, number: 0 }
}

fn put<R: Record>(store: &Store, key: &R::Key, record: &R) {
    let mut batch = store.batch();
    batch.put(key, record).expect("fits");
    store.commit(Class::B, batch).expect("commits");
}

#[test]
fn events_and_the_diary_end_with_their_days() {
    let folder = Folder::new("events");
    let (now, settings) = at(&folder);
    let store = Store::open(settings.clone()).expect("opens");
    add_org(&store, 1, "Acme");
    for day in 0..20 {
        now.store(BEGIN + day * DAY, Ordering::Relaxed);
        put(&store, &event_key(day), &Event::new("hot".into(), "".into()));
        let EventKey { org, device, at_ms, number } = event_key(day);
        let line = DiaryRecord { kind: DiaryKind::Online, reason: "".into() };
        put(&store, &DiaryKey { org, device, at_ms, number }, &line);
    }
    now.fetch_add(1, Ordering::Relaxed);
    // Days 10 to 19, and 15 to 19; a moment ago it was a day more.
    assert_eq!((count::<Event>(&store), count::<DiaryRecord>(&store)), (10, 5));
    assert_eq!(store.get::<Event>(&event_key(9)).expect("reads"), None);
    assert!(store.get::<Event>(&event_key(10)).expect("reads").is_some());
    let mut first = None;
    let of_device = store.scan_device::<Event>(device_key(1, 1), |key, _| {
        first = Some(key);
        ControlFlow::Break(())
    });
    of_device.expect("reads");
    assert_eq!(first, Some(event_key(10)));
    assert_eq!(kept(&store, "event"), 20, "hidden, and still there");
    store.drop_old().expect("deletes");
    assert_eq!((kept(&store, "event"), kept(&store, "diary")), (10, 5));
    assert_eq!((count::<Event>(&store), count::<DiaryRecord>(&store)), (10, 5));
    store.verify().expect("all is authentic");
    close(store);
    // What compaction has left out does not come back, and a clock that goes back shows nothing that is gone.
    now.store(BEGIN, Ordering::Relaxed);
    let store = Store::open(settings).expect("opens");
    assert_eq!((count::<Event>(&store), count::<DiaryRecord>(&store)), (10, 5));
}

#[test]
fn audit_chains_lose_their_front_and_keep_their_head() {
    let folder = Folder::new("audits");
    let (now, settings) = at(&folder);
    let store = Store::open(settings).expect("opens");
    for number in [1, 2] {
        add_org(&store, number, "Acme");
    }
    for day in 0..40 {
        now.store(BEGIN + day * DAY, Ordering::Relaxed);
        // The second organization does nothing after the first days.
        for number in if day < 3 { 1..=2 } else { 1..=1 } {
            let last = store.last_audit(org(number)).expect("reads");
            let (next, before) = last.map_or((0, [0; 32]), |(key, entry)| (key.number() + 1, entry.digest()));
            assert_eq!(next, day);
            let at_ms = BEGIN + day * DAY;
            let face = AuditFace { at_ms, address: "192.0.2.1".into(), ..AuditFace::default() };
            let key = AuditKey::new(org(number), next);
            put(&store, &key, &face);
            put(&store, &key, &an_audit(before, at_ms, &face));
        }
    }
    assert_eq!(count::<AuditEntry>(&store), 21, "days 19 to 39");
    // By itself, within a second of the test's time of each hour.
    let begun = Instant::now();
    now.fetch_add(HOUR, Ordering::Relaxed);
    while store.verify().expect("all is authentic").records > before_and(&store) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the front is not deleted");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut chain: Vec<(u64, AuditEntry)> = Vec::new();
    let all = store.scan_org::<AuditEntry>(org(1), |key, entry| {
        chain.push((key.number(), entry));
        ControlFlow::Continue(())
    });
    all.expect("reads");
    assert_eq!((chain[0].0, chain.len()), (20, 20));
    let faces = store.scan_org::<AuditFace>(org(1), |key, face| {
        assert_eq!(chain[key.number() as usize - 20].1.face, face.digest());
        ControlFlow::Continue(())
    });
    faces.expect("reads");
    assert!(chain.windows(2).all(|pair| pair[1].1.before == pair[0].1.digest()));
    let (key, _) = store.last_audit(org(2)).expect("reads").expect("the head stays");
    assert_eq!(key.number(), 2);
}

/// Records of the store in that test once nothing is over: two organizations, 20 audit entries and a head, each with its
/// face.
fn before_and(store: &Store) -> u64 {
    count::<Org>(store) as u64 + 2 * (20 + 1)
}

#[test]
fn an_organization_may_keep_raw_points_for_less() {
    let folder = Folder::new("raw-days");
    let (now, settings) = at(&folder);
    let store = Store::open(settings.clone()).expect("opens");
    for (number, raw_days) in [(1, 0), (2, 3), (3, 300)] {
        store.add_org(org(number)).expect("a key");
        put(&store, &org(number), &Org { raw_days, ..Org::new("Acme", None, 1) });
    }
    let mut lane = store.telemetry_lane().expect("a lane");
    for hour in 0..24 * 20 {
        for number in 1..=3 {
            let at_ms = BEGIN - 20 * DAY + hour * HOUR;
            lane.write(org(number), device(number), PIN, at_ms, hour.to_string().as_bytes()).expect("room");
        }
        while lane.close_batch().is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let first = |store: &Store, number| {
        let samples = store.samples(device_key(number, number), PIN, 0, BEGIN).expect("reads");
        samples.first().map_or(0, |sample| BEGIN - sample.at_ms) / HOUR
    };
    assert_eq!([1, 2, 3].map(|number| first(&store, number)), [480, 72, 480]);
    let rows = store.rows(device_key(2, 2), PIN, Grain::Hour, 0, BEGIN).expect("reads");
    assert_eq!(rows.len(), 480, "roll-ups are kept as everybody's");
    let before = kept(&store, "raw");
    store.drop_old().expect("deletes");
    let deleted = before - kept(&store, "raw");
    // One chunk an hour. Partitions have 7 days: of 17 days that are over at least one whole and at most all.
    assert!((7 * 24..=17 * 24).contains(&deleted), "{deleted} of {before}");
    assert_eq!([1, 2, 3].map(|number| first(&store, number)), [480, 72, 480]);
    now.fetch_add(12 * DAY, Ordering::Relaxed);
    // 30 days for everybody, also for who asks for 300.
    assert_eq!([1, 2, 3].map(|number| first(&store, number)), [18 * 24, 0, 18 * 24]);
    let export = ExportQuery {
        key: device_key(1, 1),
        pins: vec![PIN],
        from_ms: 0,
        to_ms: BEGIN,
        granularity: Granularity::Raw,
        source: Source::Last,
        format: ExportFormat::Csv,
        time: TimeFormat::Ms,
        zone: linchpin_storage::Zone::UTC,
        events: false,
    };
    let text: Vec<u8> = store.export(export).expect("reads").flat_map(|piece| piece.expect("reads")).collect();
    assert_eq!(text.split(|byte| *byte == b'\n').count() - 2, 18 * 24, "exports hide it too");
    // Another moment of asking: the days are those of the organization's record now.
    put(&store, &org(1), &Org { raw_days: 14, ..Org::new("Acme", None, 1) });
    assert_eq!(first(&store, 1), 2 * 24);
    close(store);
    let store = Store::open(settings).expect("opens");
    store.drop_old().expect("deletes");
    assert_eq!([1, 2, 3].map(|number| first(&store, number)), [2 * 24, 0, 18 * 24]);
    store.verify().expect("all is authentic");
}

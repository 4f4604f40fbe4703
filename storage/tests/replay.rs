//! A start with a long journal: questions about a device wait for its own part of it, shards write on, values are told
//! piece by piece.

mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::Pin;
use linchpin_storage::{Settings, Steps, Store, limits};
use world::{Folder, add_org, close, copy, device, device_key, open, org, settings};

const PIN: Pin = Pin::new_virtual(0);
/// Batches of the journal, and devices of each batch.
const BATCHES: u32 = 400;
const DEVICES: u32 = 500;
/// The one device of the first batch only, and the one of the last only.
const FIRST: u32 = 1_000_001;
const LAST: u32 = 1_000_002;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// A folder as a kill leaves it: 200,000 points are in the journal and nowhere else. The time of the first batch.
fn killed() -> (Folder, u64) {
    let folder = Folder::new("replay");
    let store = open(&folder.0).expect("opens");
    add_org(&store, 1, "Acme");
    let mut lane = store.telemetry_lane().expect("a lane");
    let begin_ms = now_ms() - u64::from(BATCHES);
    for batch in 0..BATCHES {
        let mut write = |number| {
            let (at_ms, text) = (begin_ms + u64::from(batch), batch.to_string());
            lane.write(org(1), device(number), PIN, at_ms, text.as_bytes()).expect("room");
        };
        (1..=DEVICES).for_each(&mut write);
        if batch == 0 {
            write(FIRST);
        }
        if batch == BATCHES - 1 {
            write(LAST);
        }
        while lane.close_batch().is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    // On the disk, as far as a copy of the folder shows it.
    store.latest(device_key(1, LAST)).expect("reads");
    while store.figures().unsynced_ms > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Folder::new("replay-killed");
    copy(&folder.0, &killed.0);
    drop(store);
    (killed, begin_ms)
}

/// A start whose replay takes its turns only as fast as it is allowed to.
struct Turns {
    settings: Settings,
    taken: Arc<AtomicU32>,
    is_free: Arc<AtomicBool>,
}

fn turns(folder: &Folder) -> Turns {
    let (taken, is_free) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut settings = settings(&folder.0);
    let (count, free) = (taken.clone(), is_free.clone());
    settings.steps = Steps::new(move |step| {
        if step == "journal batch taken" {
            // The first pass has one turn a batch and one more; the second is held up from its middle on.
            let turn = count.fetch_add(1, Ordering::Relaxed);
            if turn > BATCHES + BATCHES / 2 && !free.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    });
    Turns { settings, taken, is_free }
}

fn newest(store: &Store, number: u32) -> String {
    let latest = store.latest(device_key(1, number)).expect("reads");
    latest.values.get(&PIN).map(|latest| String::from_utf8_lossy(&latest.value).into_owned()).unwrap_or_default()
}

#[test]
fn a_question_waits_for_its_own_device_only() {
    let (folder, begin_ms) = killed();
    let Turns { settings, taken, is_free } = turns(&folder);
    let store = Store::open(settings).expect("opens");
    // At least 200 turns of 50 ms are to come: what is answered now has not waited for them.
    assert_eq!(newest(&store, FIRST), "0");
    let samples = store.samples(device_key(1, FIRST), PIN, 0, u64::MAX / 2).expect("reads");
    assert_eq!(samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [0.0]);
    assert_eq!(newest(&store, 77_777), "", "the journal does not know it");
    let mut lane = store.telemetry_lane().expect("a lane");
    lane.write(org(1), device(77_777), PIN, now_ms(), b"fresh").expect("room");
    lane.close_batch().expect("room");
    let written = Instant::now();
    while store.figures().unsynced_ms > 0 {
        assert!(written.elapsed() < Duration::from_secs(2), "shards' points are journaled meanwhile");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!store.is_replayed(), "{} turns", taken.load(Ordering::Relaxed));
    // These are in the last batch, and behind it.
    std::thread::scope(|scope| {
        let last = scope.spawn(|| newest(&store, LAST));
        let fresh = scope.spawn(|| newest(&store, 77_777));
        let all = scope.spawn(|| newest(&store, 1));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!last.is_finished() && !fresh.is_finished() && !all.is_finished());
        is_free.store(true, Ordering::Relaxed);
        let end = (BATCHES - 1).to_string();
        assert_eq!(last.join().expect("reads"), end);
        assert_eq!(all.join().expect("reads"), end);
        assert_eq!(fresh.join().expect("reads"), "fresh");
    });
    let check = |store: &Store| {
        for number in [1, DEVICES] {
            let samples = store.samples(device_key(1, number), PIN, 0, u64::MAX / 2).expect("reads");
            let wanted = (0..BATCHES).map(|batch| (begin_ms + u64::from(batch), f64::from(batch)));
            assert!(samples.iter().map(|sample| (sample.at_ms, sample.value)).eq(wanted), "{}", samples.len());
        }
    };
    check(&store);
    close(store);
    check(&open(&folder.0).expect("opens"));
}

#[test]
fn values_are_told_while_the_replay_goes_on() {
    let (folder, _) = killed();
    let Turns { settings, is_free, .. } = turns(&folder);
    let store = Store::open(settings).expect("opens");
    let mut told = BTreeMap::new();
    let mut first = None;
    let result = store.load_replayed(|key, latest| {
        first.get_or_insert((key.device().get(), store.is_replayed()));
        is_free.store(true, Ordering::Relaxed);
        told.insert(key.device().get(), latest.values[&PIN].value.to_vec());
    });
    result.expect("is told");
    assert_eq!(first, Some((FIRST, false)), "its last batch is the first");
    assert!(store.is_replayed());
    let end = (BATCHES - 1).to_string().into_bytes();
    let wanted: BTreeMap<u32, Vec<u8>> =
        (1..=DEVICES).chain([LAST]).map(|number| (number, end.clone())).chain([(FIRST, b"0".to_vec())]).collect();
    assert_eq!(told, wanted);
    let mut late = 0;
    store.load_replayed(|_, _| late += 1).expect("is told");
    assert_eq!(late, wanted.len(), "who comes late is told all");
}

#[test]
fn closing_does_not_wait_for_the_replay_and_loses_nothing() {
    let (folder, begin_ms) = killed();
    let Turns { settings, taken, .. } = turns(&folder);
    let store = Store::open(settings).expect("opens");
    let mut lane = store.telemetry_lane().expect("a lane");
    lane.write(org(1), device(1), PIN, now_ms(), b"-1").expect("room");
    lane.close_batch().expect("room");
    while taken.load(Ordering::Relaxed) <= BATCHES + BATCHES / 2 + 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    close(store);
    assert!(taken.load(Ordering::Relaxed) < BATCHES * 2, "it was left half-way");
    let store = open(&folder.0).expect("opens");
    let samples = store.samples(device_key(1, 1), PIN, 0, u64::MAX / 2).expect("reads");
    assert_eq!(samples.len(), BATCHES as usize + 1, "each point once");
    assert_eq!((samples[0].at_ms, samples[BATCHES as usize].value), (begin_ms, -1.0));
}

#[test]
fn what_is_held_back_is_bounded() {
    let (folder, _) = killed();
    let Turns { settings, is_free, .. } = turns(&folder);
    let store = Store::open(settings).expect("opens");
    let mut lane = store.telemetry_lane().expect("a lane");
    let long = [b'x'; 1_000];
    let mut written = 0usize;
    let begun = Instant::now();
    // Until the lane is full although the collector is awake: the bound is reached, and a lane besides.
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "{written} bytes are held");
        if lane.write(org(1), device(5), PIN, now_ms(), &long).is_ok() {
            written += long.len();
            continue;
        }
        let full = Instant::now();
        // Full for this organization, which is alone: what it may have of a lane is held there.
        while full.elapsed() < Duration::from_millis(500) {
            let _ = lane.close_batch();
            if lane.write(org(1), device(5), PIN, now_ms(), &long).is_ok() {
                written += long.len();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if full.elapsed() >= Duration::from_millis(500) {
            break;
        }
    }
    let most = limits::HELD_BYTES + (limits::JOURNAL_LANE + 2) * limits::JOURNAL_BATCH_BYTES;
    assert!((limits::HELD_BYTES..most).contains(&written), "{written} bytes");
    assert!(!store.is_replayed());
    is_free.store(true, Ordering::Relaxed);
    assert_eq!(newest(&store, 5).len(), long.len(), "what is in lanes belongs to the answer");
}

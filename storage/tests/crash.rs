//! The program is killed and the power fails under 200 writers: nothing acknowledged in class A is lost, telemetry is
//! lost within its window and without gaps, and every start succeeds.
//!
//! `LINCHPIN_CUTS=500` and `LINCHPIN_KILLS=1000` do more.

#![allow(clippy::print_stdout, reason = "the report of a test")]

mod world;

use std::path::Path;
use std::time::Duration;

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::Device;
use linchpin_storage::{Class, Error, Store};
use world::child::{Cost, ROUNDING_MS, Running, check, now_ms, number_of, settings_at};
use world::disk::{Disk, FileSystem, may_mount};
use world::{Folder, a_device, add_org, close, device, device_key, org};

/// What the tests below start.
#[test]
fn child_that_writes() {
    world::child::child_that_writes();
}

/// Writes that each end falls behind, at least.
const WRITES: usize = 20;

fn report(what: &str, costs: &[Cost]) {
    let sum: usize = costs.iter().map(|cost| cost.acknowledged).sum();
    let logged: usize = costs.iter().map(|cost| cost.logged).sum();
    let mut lost: Vec<u64> = costs.iter().map(|cost| cost.lost_ms).collect();
    lost.sort_unstable();
    let slowest = costs.iter().map(|cost| cost.opened).max().unwrap_or_default();
    let told = costs.iter().map(|cost| cost.told_ms).max().unwrap_or_default();
    println!(
        "{} {what}: {sum} acknowledged writes and {logged} events older than a second, 0 lost; telemetry lost: median {} ms, most {} ms (told: up to \
         {told} ms); 0 refused starts, the slowest took {slowest:?}",
        costs.len(),
        lost[lost.len() / 2],
        lost[lost.len() - 1],
    );
    assert!(logged > costs.len() || costs.len() < 7, "{logged} events");
    assert!(sum > costs.len() * WRITES, "{sum} writes: too little was written to show anything");
}

/// Let it run: differently long at each end, the same in each run, and until it has written something. Now and then long enough
/// for class B to be due.
fn pause(running: &Running, round: u32, seed: u32) {
    let number = round.wrapping_add(seed.wrapping_mul(1_009));
    std::thread::sleep(Duration::from_millis(80 + u64::from(number.wrapping_mul(2_654_435_761) >> 8) % 500));
    running.await_writes(WRITES + 1);
    if round % 7 == 6 {
        running.await_events(20);
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_program_is_killed() {
    let folder = Folder::new("kills");
    let anchor = folder.at("anchor");
    let store = Store::open(settings_at(&folder.0, &anchor)).expect("opens");
    add_org(&store, 1, "Acme");
    drop(store);
    let mut costs = Vec::new();
    for round in 0..number_of("LINCHPIN_KILLS", 50) {
        let first = round * 10_000 + round % 2 + 1;
        let mut running = Running::start(&folder.0, &anchor, first);
        pause(&running, round, 0);
        let ended_ms = now_ms();
        let said = running.kill();
        costs.push(check(settings_at(&folder.0, &anchor), &said, first, ended_ms));
    }
    report("kills", &costs);
}

/// What a file system leaves behind the last sync of the log can be anything: a length of the file that is on the disk before
/// its bytes are. It is nobody's: nothing of it was acknowledged. What is damaged before that end still refuses the start.
#[test]
fn what_follows_the_last_sync_of_the_log_may_be_anything() {
    let folder = Folder::new("torn");
    let anchor = folder.at("anchor");
    let store = Store::open(settings_at(&folder.0, &anchor)).expect("opens");
    add_org(&store, 1, "Acme");
    drop(store);
    for (round, bytes) in [7, 40, 3_000, 70_000].into_iter().enumerate() {
        let first = round as u32 * 10_000 + 1;
        let mut running = Running::start(&folder.0, &anchor, first);
        std::thread::sleep(Duration::from_millis(300));
        let ended_ms = now_ms();
        let said = running.kill();
        let newest = newest_log(&settings_at(&folder.0, &anchor).folder);
        let mut log = std::fs::OpenOptions::new().append(true).open(&newest).expect("opens the log");
        std::io::Write::write_all(&mut log, &vec![0xA5; bytes]).expect("writes");
        let cost = check(settings_at(&folder.0, &anchor), &said, first, ended_ms);
        assert!(cost.acknowledged > 0, "{bytes} bytes");
    }
    // The last written half of what is synced.
    let running = Running::start(&folder.0, &anchor, 90_001);
    std::thread::sleep(Duration::from_millis(300));
    drop(running);
    let newest = newest_log(&settings_at(&folder.0, &anchor).folder);
    let mut bytes = std::fs::read(&newest).expect("reads the log");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xFF);
    std::fs::write(&newest, &bytes).expect("writes the log");
    let opened = Store::open(settings_at(&folder.0, &anchor)).map(drop);
    assert!(opened.is_err(), "damage in the synced part is not silent");
    assert_eq!(std::fs::read(&newest).expect("reads the log"), bytes, "nothing was changed");
}

fn newest_log(store: &Path) -> std::path::PathBuf {
    let names = std::fs::read_dir(store.join("wal")).expect("the logs").filter_map(|entry| Some(entry.ok()?.path()));
    names.filter(|path| path.extension().is_some_and(|it| it == "log")).max().expect("a log")
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_fails() {
    if !may_mount("power cuts") {
        return;
    }
    let cuts = number_of("LINCHPIN_CUTS", 20);
    // The image is sparse: what is not written takes no space.
    power_cuts("power cuts", &Disk::new("cuts", 512 + 6 * u64::from(cuts)), cuts);
}

/// A disk with a cache that it loses: of what was written and not flushed it has some blocks and others not. The write of the
/// mark that is under way is torn. The anchor is on that disk, too.
#[test]
fn nothing_acknowledged_is_lost_when_the_disk_loses_its_cache() {
    if !may_mount("power cuts with a lost cache") {
        return;
    }
    let cuts = number_of("LINCHPIN_CACHE_CUTS", 8);
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let disk = Disk::with_cache("cache", file_system, 512 + 6 * u64::from(cuts));
        power_cuts(&format!("power cuts with a lost cache and torn writes on {file_system:?}"), &disk, cuts);
    }
}

/// Half a slot of the mark was written when the power failed: the one that is not the newest, with the next count.
fn tear_mark(store: &Path) {
    const SLOT_BYTES: usize = 4_096;
    const COUNT: std::ops::Range<usize> = 16..24;
    let path = store.join("wal.mark");
    let mut bytes = std::fs::read(&path).expect("the mark");
    bytes.resize(2 * SLOT_BYTES, 0);
    let count = |slot: usize| {
        let at = slot * SLOT_BYTES;
        u64::from_be_bytes(bytes[at + COUNT.start..at + COUNT.end].try_into().expect("eight bytes"))
    };
    let (newest, other) = if count(0) >= count(1) { (0, 1) } else { (1, 0) };
    let mut slot = bytes[newest * SLOT_BYTES..][..SLOT_BYTES].to_vec();
    slot[COUNT].copy_from_slice(&(count(newest) + 1).to_be_bytes());
    bytes[other * SLOT_BYTES..][..SLOT_BYTES / 2].copy_from_slice(&slot[..SLOT_BYTES / 2]);
    std::fs::write(path, bytes).expect("writes the mark");
}

fn power_cuts(what: &str, disk: &Disk, cuts: u32) {
    let folder = disk.mount.join("data");
    std::fs::create_dir(&folder).expect("a folder");
    let anchor = disk.mount.join("anchor");
    let store = Store::open(settings_at(&folder, &anchor)).expect("opens");
    add_org(&store, 1, "Acme");
    drop(store);
    let mut costs = Vec::new();
    let seed = number_of("LINCHPIN_CUTS_SEED", 0);
    for round in 0..cuts {
        let first = round * 10_000 + round % 2 + 1;
        let mut running = Running::start(&folder, &anchor, first);
        pause(&running, round, seed);
        let ended_ms = now_ms();
        disk.cut();
        let said = running.kill();
        disk.power_on();
        tear_mark(&settings_at(&folder, &anchor).folder);
        costs.push(check(settings_at(&folder, &anchor), &said, first, ended_ms));
    }
    report(what, &costs);
    disk.unmount();
}

/// On a disk that is gone, before any write of records has failed: a device whose records must be read first, and one that has
/// none, for which the run registers its data key first. Neither point is in memory and on the disk.
#[test]
fn points_that_a_dead_disk_refuses_are_at_risk() {
    if !may_mount("points that a dead disk refuses") {
        return;
    }
    for number in [1, 2] {
        let disk = Disk::new("unreadable", 256);
        let path = disk.mount.join("data");
        std::fs::create_dir(&path).expect("a folder");
        let open = || Store::open(settings_at(&path, &disk.folder.at("anchor"))).expect("opens");
        let write = |store: &Store, number: u32| {
            let mut lane = store.telemetry_lane().expect("a lane");
            lane.write(org(1), device(number), Pin::new_virtual(0), now_ms(), b"7").expect("room");
            lane.close_batch().expect("room");
        };
        let store = open();
        add_org(&store, 1, "Acme");
        write(&store, 1);
        store.store_all().expect("stores");
        close(store);
        let store = open();
        disk.cut();
        write(&store, number);
        let begun = std::time::Instant::now();
        while store.figures().telemetry_batches == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", store.figures());
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        let figures = store.figures();
        assert!(figures.unsynced_ms >= 100 - ROUNDING_MS, "device {number}: {figures:?}");
        let (refused, unjournaled) = (figures.refused_points > 0, figures.unjournaled_batches > 0);
        assert_eq!((refused || unjournaled, unjournaled), (true, number == 2), "device {number}: {figures:?}");
        drop(store);
        disk.unmount();
    }
}

#[test]
fn a_failed_sync_poisons_the_store_and_reads_go_on() {
    if !may_mount("a failed sync") {
        return;
    }
    let disk = Disk::new("poison", 256);
    let anchor = disk.folder.at("anchor");
    let store = Store::open(settings_at(&disk.mount, &anchor)).expect("opens");
    add_org(&store, 1, "Acme");
    let write = |number| {
        let mut batch = store.batch();
        batch.put(&device_key(1, number), &a_device(number)).expect("fits");
        store.commit(Class::A, batch)
    };
    write(1).expect("commits");
    disk.cut();
    let error = write(2).expect_err("the disk is gone");
    assert!(matches!(error, Error::Write { .. }), "{error}");
    // No second try may be acknowledged: the kernel calls pages clean now that were never written.
    for number in 3..6 {
        assert!(matches!(write(number), Err(Error::Poisoned)), "{number}");
    }
    let figures = store.figures();
    assert!(figures.is_poisoned && figures.queued == 0, "{figures:?}");
    assert_eq!(store.get::<Device>(&device_key(1, 1)).expect("reads go on"), Some(a_device(1)));
    assert!(store.close().expect_err("it cannot be closed properly").to_string().contains("restart the server"));
    drop(store);
    disk.unmount();
    disk.mount();
    let store = Store::open(settings_at(&disk.mount, &anchor)).expect("opens");
    assert_eq!(store.get::<Device>(&device_key(1, 1)).expect("reads"), Some(a_device(1)));
    close(store);
    disk.unmount();
}

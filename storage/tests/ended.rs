//! SIGKILL at every labelled step of the conversion of an older store and of a move of history: the next start finds it
//! completed or as it was, and goes on.

mod world;

use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use linchpin_protocol::model::Pin;
use linchpin_storage::schema::{Event, EventKey, Grain};
use linchpin_storage::{Class, Settings, Steps, Store, WallClock};
use world::{Folder, add_org, check_devices, copy, device, device_key, key, org, settings};

const BEGIN: u64 = 1_800_000_000_000;
/// Shortly after the older store was made, ms since 1970.
const OLD_MS: u64 = 1_795_950_845_825 + 60_000;
const POINTS: u64 = 1_500;
const PIN: Pin = Pin::new_virtual(0);

/// What is done in the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Convert,
    Move,
}

impl Work {
    fn settings(self, folder: &Path) -> Settings {
        let mut settings = match self {
            Self::Convert => Settings::new(folder.join("store"), key(1)),
            Self::Move => settings(folder),
        };
        settings.write_buffer_bytes = 1 << 20;
        let now = Arc::new(AtomicU64::new(if self == Self::Convert { OLD_MS } else { BEGIN + POINTS * 1_000 }));
        let uptime = Arc::clone(&now);
        let clock = WallClock::new(move || now.load(Ordering::Relaxed));
        settings.clock = clock.with_uptime(move || uptime.load(Ordering::Relaxed) - OLD_MS);
        settings
    }

    /// A store as it is before the work.
    fn prepare(self, folder: &Path) {
        if self == Self::Convert {
            let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-9c54907");
            return copy(&fixture, &folder.join("store"));
        }
        let store = Store::open(self.settings(folder)).expect("opens");
        (1..=2).for_each(|number| add_org(&store, number, "Acme"));
        let mut lane = store.telemetry_lane().expect("open");
        for n in 0..POINTS {
            lane.write(org(1), device(1), PIN, BEGIN + n * 1_000, n.to_string().as_bytes()).expect("room");
            if n % 500 == 0 {
                lane.close_batch().expect("room");
                store.store_all().expect("stores");
            }
        }
        lane.close_batch().expect("room");
        let mut batch = store.batch();
        for number in 0..5 {
            let key = EventKey { org: org(1), device: device(1), at_ms: BEGIN + u64::from(number), number };
            batch.put(&key, &Event::new("hot".into(), "".into())).expect("fits");
        }
        store.commit(Class::A, batch).expect("commits");
        world::close(store);
    }

    fn run(self, store: &Store) {
        match self {
            Self::Convert => drop(store.finalize().expect("upgrades")),
            Self::Move => drop(store.move_history(device(1), org(1), org(2)).expect("moves")),
        }
    }

    /// What must hold whatever was done: nothing is lost and nothing is there twice.
    fn check_whole(self, store: &Store) {
        if self == Self::Convert {
            return check_devices(store, 1, 5).expect("reads");
        }
        let values = |number| store.samples(device_key(number, 1), PIN, BEGIN, BEGIN + POINTS * 1_000).expect("reads");
        assert_eq!((values(1).len() + values(2).len()) as u64, POINTS);
        assert_eq!(events(store, 1) + events(store, 2), 5);
    }

    fn check_done(self, store: &Store) {
        self.check_whole(store);
        if self == Self::Convert {
            assert!(store.present().has_people() && store.finalize().expect("again").made.is_empty());
            return;
        }
        assert_eq!((events(store, 1), events(store, 2)), (0, 5));
        for grain in Grain::ALL {
            let rows = store.rows(device_key(2, 1), PIN, grain, 0, BEGIN + POINTS * 1_000).expect("reads");
            assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), POINTS, "{grain:?}");
            assert!(store.rows(device_key(1, 1), PIN, grain, 0, BEGIN + POINTS * 1_000).expect("reads").is_empty());
        }
    }
}

fn events(store: &Store, number: u32) -> usize {
    let mut count = 0;
    let scanned = store.scan_device::<Event>(device_key(number, 1), |_, _| {
        count += 1;
        ControlFlow::Continue(())
    });
    scanned.expect("reads");
    count
}

/// What the tests below start: the work, ended at the step of this number after the store is open.
#[test]
fn child_that_is_ended() {
    let Some(folder) = std::env::var_os("LINCHPIN_ENDED_FOLDER").map(PathBuf::from) else { return };
    let work = if std::env::var_os("LINCHPIN_ENDED_MOVE").is_some() { Work::Move } else { Work::Convert };
    let last: usize = std::env::var("LINCHPIN_ENDED_AT").expect("a number").parse().expect("a number");
    let (steps, begun) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
    let (seen, is_begun) = (Arc::clone(&steps), Arc::clone(&begun));
    let mut settings = work.settings(&folder);
    settings.steps = Steps::new(move |step| {
        // The collector looks at its lanes by the clock, whatever else goes on.
        if is_begun.load(Ordering::SeqCst) == 0 || step == "lanes looked at" {
            return;
        }
        let mut seen = seen.lock().expect("nobody panicked");
        seen.push(step);
        if seen.len() == last {
            // The name of the step is what the parent reads; then there is no more of this program.
            std::fs::write(folder.join("ended-at"), step).expect("writes");
            let own = std::process::id().to_string();
            let _ = Command::new("kill").args(["-9", &own]).status();
            loop {
                std::thread::park();
            }
        }
    });
    let store = Store::open(settings).expect("opens");
    begun.store(1, Ordering::SeqCst);
    work.run(&store);
}

/// A folder for one round. In memory where there is room: killed programs lose nothing that they wrote to either, and a
/// disk would make the rounds wait for it a thousand times.
fn folder(name: &str) -> Folder {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    if room < 1 << 30 {
        return Folder::new(name);
    }
    let path = memory.join(format!("linchpin-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder");
    Folder(path)
}

/// Ends the work at its first step, its second, and so on, until it gets through; the steps that it was ended at.
fn end_at_every_step(work: Work) -> Vec<String> {
    let mut ended = Vec::new();
    for at in 1..200 {
        let folder = folder(&format!("ended-{work:?}-{at}").to_lowercase());
        work.prepare(&folder.0);
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child.args(["--exact", "child_that_is_ended", "--test-threads=1"]).env("LINCHPIN_ENDED_FOLDER", &folder.0);
        child.env("LINCHPIN_ENDED_AT", at.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        if work == Work::Move {
            child.env("LINCHPIN_ENDED_MOVE", "1");
        }
        let status = child.status().expect("it runs");
        let store = Store::open(work.settings(&folder.0)).expect("the store opens after it");
        work.check_whole(&store);
        if status.success() {
            work.check_done(&store);
            return ended;
        }
        assert_eq!(status.signal(), Some(9), "step {at}");
        ended.push(std::fs::read_to_string(folder.at("ended-at")).expect("a step"));
        work.run(&store);
        work.check_done(&store);
        drop(store);
        work.check_done(&Store::open(work.settings(&folder.0)).expect("opens"));
    }
    panic!("{work:?} does not end: {ended:?}");
}

#[test]
fn a_conversion_that_is_killed_at_any_step_is_completed_by_the_next() {
    let ended = end_at_every_step(Work::Convert);
    let made = ended.iter().filter(|step| *step == "upgrade: family made").count();
    assert!(made > 10, "{ended:?}");
}

#[test]
fn a_move_that_is_killed_at_any_step_is_completed_by_the_next() {
    let ended = end_at_every_step(Work::Move);
    let count = |name: &str| ended.iter().filter(|step| *step == name).count();
    assert!(count("move: some history moved") > 0 && count("commit: group written") > 0, "{ended:?}");
}

//! A child that writes to a store as a server does, and is ended: what it was told is there must be there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use linchpin_protocol::model::Pin;
use linchpin_storage::limits::JOURNAL_BATCH_MS;
use linchpin_storage::schema::{Device, Event, EventKey, Grain};
use linchpin_storage::{Class, Error, Settings, Store, Writer};

use super::{a_device, close, device, device_key, org, settings};

/// System calls that a disk answers late.
const SYNCS: &str = "fsync,fdatasync,sync_file_range";
/// A call of a lane that takes this long has waited for somebody.
const SLOW: Duration = Duration::from_millis(200);

pub const WRITERS: u32 = 200;
/// 200 threads share the cores of the test: a thread may be late by this, ms.
const DELAY_MS: u64 = 60;
/// What is stated for class B while a sync takes half of it at most, ms.
const CLASS_B_MS: u64 = 1_000;
/// Two clocks that are read one after the other and cut to whole milliseconds may differ by this, ms.
pub const ROUNDING_MS: u64 = 3;
const TELEMETRY: u32 = 1_000_000;

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

pub fn number_of(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The store below this folder, its anchor beside it on another disk.
pub fn settings_at(folder: &Path, anchor: &Path) -> Settings {
    let mut settings = settings(folder);
    settings.anchor = Some(anchor.to_owned());
    settings
}

fn say(line: &str) {
    // One write a line: lines of 200 threads stay whole. When nobody listens any more the end is near.
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// What a test of this name does in the child: 200 threads add devices and say so when it is acknowledged, one writes
/// telemetry as a shard does. Nothing in the parent.
pub fn child_that_writes() {
    if std::env::var_os("LINCHPIN_TEST_FOLDER").is_none() {
        return;
    }
    say(&format!("pid {}", std::process::id()));
    let path = |name| PathBuf::from(std::env::var_os(name).expect("a path"));
    let first = number_of("LINCHPIN_TEST_FIRST", 1);
    let settings = settings_at(&path("LINCHPIN_TEST_FOLDER"), &path("LINCHPIN_TEST_ANCHOR"));
    let store = Store::open(settings).expect("opens");
    say("ready");
    let next = AtomicU32::new(first);
    let writer = store.writer();
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let mut batch = writer.batch();
                    batch.put(&device_key(1, number), &a_device(number)).expect("fits");
                    let begun = Instant::now();
                    match writer.commit(Class::A, batch) {
                        Ok(()) => say(&format!("A {number} {}", begun.elapsed().as_millis())),
                        Err(Error::Busy { .. }) => {}
                        Err(_) => return,
                    }
                }
            });
        }
        scope.spawn(|| write_telemetry(&store, first));
        scope.spawn(|| write_events(&writer, first));
        // What the running store does every five minutes: the crash falls into it.
        scope.spawn(|| {
            while store.store_all().is_ok() {
                std::thread::sleep(Duration::from_millis(30));
            }
        });
    });
}

/// Events, class B: acknowledged when they are taken, on the disk a second later.
fn write_events(writer: &Writer, first: u32) {
    for number in first.. {
        let mut batch = writer.batch();
        let event = Event::new("hot".into(), number.to_string().into());
        batch.put(&event_key(number), &event).expect("fits");
        if writer.commit(Class::B, batch).is_err() {
            return;
        }
        say(&format!("B {} {number}", now_ms()));
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn event_key(number: u32) -> EventKey {
    EventKey { org: org(1), device: device(1), at_ms: super::LATE_MS, number }
}

/// A point a millisecond, its value counting up; what is at risk is said as metrics would, after the points that it is about.
fn write_telemetry(store: &Store, first: u32) {
    let mut lane = store.telemetry_lane().expect("a lane");
    let (mut count, mut closed, mut said) = (0, Instant::now(), Instant::now());
    let (mut calls, mut slow) = (0, 0);
    loop {
        let text = count.to_string();
        let begun = Instant::now();
        if lane.write(org(1), device(TELEMETRY + first), Pin::new_virtual(0), now_ms(), text.as_bytes()).is_ok() {
            say(&format!("P {count} {}", now_ms()));
            count += 1;
        }
        if closed.elapsed() >= Duration::from_millis(JOURNAL_BATCH_MS) {
            closed = Instant::now();
            let _ = lane.close_batch();
        }
        calls += 1;
        slow += u32::from(begun.elapsed() >= SLOW);
        if said.elapsed() >= Duration::from_millis(5) {
            said = Instant::now();
            // The clock first: what is told is never younger than what was at risk then.
            let at_ms = now_ms();
            let figures = store.figures();
            say(&format!("U {at_ms} {}", figures.unsynced_ms));
            say(&format!("L {calls} {slow} {} {}", figures.queued, rss_kib()));
            if figures.is_poisoned {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Memory of this program, KiB.
fn rss_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// A running child and what it has said. Ended when dropped.
pub struct Running {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(folder: &Path, anchor: &Path, first: u32) -> Self {
        Self::start_on(folder, anchor, first, Duration::ZERO)
    }

    /// On a disk whose syncs take this much longer each.
    pub fn start_on(folder: &Path, anchor: &Path, first: u32, sync: Duration) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new(&this);
        if sync > Duration::ZERO {
            let inject = format!("inject={SYNCS}:delay_enter={}", sync.as_micros());
            command = Command::new("strace");
            let trace = format!("trace={SYNCS}");
            command.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
            command.arg(this);
        }
        let mut child = command
            .args(["--exact", "child_that_writes", "--test-threads=1", "--nocapture"])
            .env("LINCHPIN_TEST_FOLDER", folder)
            .env("LINCHPIN_TEST_ANCHOR", anchor)
            .env("LINCHPIN_TEST_FIRST", first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} runs (apt-get install strace): {error}"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, out) = (said.clone(), child.stdout.take().expect("a pipe"));
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                lines.lock().expect("a lock").push(line);
            }
        });
        let running = Self { child, said, reader: Some(reader) };
        let begun = Instant::now();
        while !running.said.lock().expect("a lock").iter().any(|line| line.ends_with("ready")) {
            assert!(begun.elapsed() < Duration::from_secs(20) + 60 * sync, "the child does not open the store");
            std::thread::sleep(Duration::from_millis(2));
        }
        running
    }

    /// Let it run until so many writes are acknowledged, however slow the machine is.
    pub fn await_writes(&self, count: usize) {
        self.await_said("writes", |said| said.iter().filter(|line| line.starts_with("A ")).count() >= count);
    }

    /// Let it run until so many events must be on the disk, as [`check`] counts them.
    pub fn await_events(&self, count: usize) {
        self.await_said("events", |said| due_events(said, &Told::last(said, now_ms()), now_ms()).count() >= count);
    }

    fn await_said(&self, what: &str, is_enough: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        while !is_enough(&self.said.lock().expect("a lock")) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the child says too few {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn kill(&mut self) -> Vec<String> {
        // Through strace its own child would go on.
        let own = self.said.lock().expect("a lock").iter().find_map(|line| Some(line.split_once("pid ")?.1.to_owned()));
        if let (Some(own), Ok(None)) = (own, self.child.try_wait()) {
            let _ = Command::new("kill").args(["-9", &own]).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reads");
        }
        std::mem::take(&mut *self.said.lock().expect("a lock"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What one end has cost.
pub struct Cost {
    pub acknowledged: usize,
    /// Events that must be there by now.
    pub logged: usize,
    /// Age of the oldest point that is lost, when the child last told what is at risk.
    pub lost_ms: u64,
    /// What it told then.
    pub told_ms: u64,
    pub opened: Duration,
}

/// The two numbers of all lines that begin like this.
fn pairs<'a>(said: &'a [String], front: &'a str) -> impl DoubleEndedIterator<Item = (u64, u64)> + 'a {
    said.iter().filter_map(move |line| {
        let (one, two) = line.strip_prefix(front)?.split_once(' ')?;
        Some((one.parse().ok()?, two.parse().ok()?))
    })
}

/// What it said last of what is at risk, and when.
struct Told {
    at_ms: u64,
    ms: u64,
}

impl Told {
    /// Its clock was read before the figures: they are of before the end if the next clock is.
    fn last(said: &[String], ended_ms: u64) -> Self {
        let told: Vec<(u64, u64)> = pairs(said, "U ").collect();
        let last = told.windows(2).rfind(|two| two[1].0 <= ended_ms);
        let (at_ms, ms) = last.map_or((0, 0), |two| two[0]);
        Self { at_ms, ms }
    }

    /// How old an event may be that is not on the disk: half a second until its sync begins, and as long as that takes.
    fn due_ms(&self) -> u64 {
        CLASS_B_MS.max(CLASS_B_MS / 2 + self.ms) + DELAY_MS
    }
}

/// Events that must be on the disk when the end begins: when they were acknowledged, ms, and their numbers.
fn due_events<'a>(said: &'a [String], told: &Told, ended_ms: u64) -> impl Iterator<Item = (u64, u64)> + use<'a> {
    let (until_ms, due_ms) = (ended_ms.min(told.at_ms), told.due_ms());
    pairs(said, "B ").filter(move |(at_ms, _)| at_ms + due_ms < until_ms)
}

/// Everything that the child said is there; how much telemetry is not. `ended_ms`: when its end began, and nothing was
/// promised any more. Before that it may have had no turn: what it told last says how long ago that was, and how old what
/// was at risk then had become, by slow syncs and by a machine that is busy. What it tells after its end is not looked at: no
/// power cut lets a program go on, and a sync under way may return as if all were well when ext4's journal is aborted.
pub fn check(settings: Settings, said: &[String], first: u32, ended_ms: u64) -> Cost {
    let begun = Instant::now();
    let store = Store::open(settings).unwrap_or_else(|error| panic!("REFUSED after {first}: {error}"));
    let opened = begun.elapsed();
    let told = Told::last(said, ended_ms);
    let (told_at_ms, told_ms, due_ms) = (told.at_ms, told.ms, told.due_ms());
    let acknowledged = said.iter().filter_map(|line| line.strip_prefix("A ")?.split_once(' ')?.0.parse::<u32>().ok());
    let mut count = 0;
    for number in acknowledged {
        count += 1;
        let found = store.get::<Device>(&device_key(1, number)).expect("reads");
        assert_eq!(found, Some(a_device(number)), "LOST: device {number} was acknowledged");
    }
    let mut logged = 0;
    for (at_ms, number) in due_events(said, &told, ended_ms) {
        let found = store.get::<Event>(&event_key(number as u32)).expect("reads").is_some();
        let age_ms = told_at_ms - at_ms;
        assert!(found, "LOST: event {number} is {age_ms} ms old, {due_ms} ms may be; {told_ms} ms were told");
        logged += 1;
    }
    let key = device_key(1, TELEMETRY + first);
    let samples = store.samples(key, Pin::new_virtual(0), 0, ended_ms + 60_000).expect("reads");
    // Points of one millisecond are one sample: values grow and skip at most those.
    assert!(samples.windows(2).all(|pair| pair[1].value - pair[0].value <= 4.0), "a gap in telemetry");
    // Values count from 0: each is in the roll-ups once.
    let stored = samples.last().map_or(0, |sample| sample.value as u64 + 1);
    for grain in Grain::ALL {
        let rows = store.rows(key, Pin::new_virtual(0), grain, 0, ended_ms + 60_000).expect("reads");
        let counted: u64 = rows.iter().map(|row| row.count).sum();
        assert_eq!(counted, stored, "{grain:?}");
    }
    // The oldest point that is not there was at risk when the child last spoke of that: it told its age, or more.
    let lost = pairs(said, "P ").find(|(number, _)| *number >= stored);
    let lost_ms = lost.map_or(0, |(_, written_ms)| told_at_ms.saturating_sub(written_ms));
    assert!(lost_ms <= told_ms + ROUNDING_MS, "{lost_ms} ms of telemetry are lost, {told_ms} ms were told");
    // Ended in both ways.
    if first.is_multiple_of(2) {
        close(store);
    }
    Cost { acknowledged: count, logged, lost_ms, told_ms, opened }
}

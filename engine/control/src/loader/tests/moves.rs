//! SIGKILL at every labelled step of a device's move to another organization.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use linchpin_protocol::model::{DeviceId, Pin, Token};
use linchpin_storage::schema::{Device, DeviceKey, SessionKind};
use linchpin_storage::{Steps, Store};
use rustix::process::{Signal, getpid, kill_process};

use super::erase::{copy, open};
use super::{HERE, World, email, org};
use crate::access::Assurance;
use crate::audit::By;
use crate::loader::session::NewSession;
use crate::loader::{Asker, Loader};

const POINTS: u64 = 300;
const PIN: Pin = Pin::new_virtual(0);

fn device() -> DeviceId {
    DeviceId::new(7).expect("not zero")
}

fn token() -> Token {
    Token::from_random(&[9; 24])
}

/// A device in organization 2 with history.
fn prepare(world: &World) -> u64 {
    let begin = world.now - POINTS * 1_000;
    let scope = world.loader.admit(&admin(&world.loader), org(2), super::now_ms()).expect("may make one");
    let mut made = [(device(), Device::new("Pump".into(), None, token(), world.now))];
    world.loader.create_devices(&scope, &mut made, world.now).expect("is made");
    let mut lane = world.store.telemetry_lane().expect("open");
    for n in 0..POINTS {
        lane.write(org(2), device(), PIN, begin + n * 1_000, n.to_string().as_bytes()).expect("room");
    }
    lane.close_batch().expect("room");
    drop(lane);
    world.store.close().expect("closes");
    begin
}

/// The Admin of all, signed in afresh.
fn admin(loader: &Loader) -> Asker {
    let person = loader.find_person(&email("admin@example.com")).expect("reads").expect("is there");
    let assurance = Assurance::PASSWORD;
    let new = NewSession { kind: SessionKind::Browser, assurance, agent: "test".into(), address: HERE };
    let (_, live) = loader.open_session(By::operator(), &person, &new, super::now_ms()).expect("opens");
    loader.asker(&live, HERE, "test", 1)
}

fn work(loader: &Loader, asker: &Asker) {
    let leave = loader.admit(asker, org(2), super::now_ms()).expect("may let it go");
    let enter = loader.admit(asker, org(3), super::now_ms()).expect("may take it");
    loader.move_device(&leave, &enter, device(), None, super::now_ms()).expect("moves");
    loader.move_history(org(3), device()).expect("its history follows");
}

/// The child of the next test, does nothing without it: moves, and is killed at the step of this number.
#[test]
fn child_that_moves() {
    let Some(folder) = std::env::var_os("LINCHPIN_MOVE_FOLDER").map(PathBuf::from) else { return };
    let last: usize = std::env::var("LINCHPIN_MOVE_AT").expect("a number").parse().expect("a number");
    let (begun, count) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let is_begun = Arc::clone(&begun);
    let steps = Steps::new(move |step| {
        if is_begun.load(Ordering::SeqCst) && count.fetch_add(1, Ordering::SeqCst) + 1 == last {
            std::fs::write(folder.join("ended-at"), step).expect("writes");
            let _ = kill_process(getpid(), Signal::KILL);
        }
    });
    let folder = std::env::var_os("LINCHPIN_MOVE_FOLDER").map(PathBuf::from).expect("a folder");
    let (_store, loader) = open(&folder, steps);
    let asker = admin(&loader);
    begun.store(true, Ordering::SeqCst);
    work(&loader, &asker);
}

/// Where the device is, and how much of its history is in organizations 2 and 3.
fn place(store: &Store, begin: u64) -> (u32, usize, usize) {
    let is_in = |at| store.get::<Device>(&DeviceKey::new(org(at), device())).expect("reads").is_some();
    let values = |at| {
        let key = DeviceKey::new(org(at), device());
        store.samples(key, PIN, begin, begin + POINTS * 1_000).expect("reads").len()
    };
    assert_ne!(is_in(2), is_in(3), "it is in one of them");
    let entry = store.lookup(&store.token_digest(&token())).expect("reads").expect("its token is known");
    let at = if is_in(2) { 2 } else { 3 };
    assert_eq!(entry.org, org(at), "the token leads there");
    (at, values(2), values(3))
}

fn end_at(template: &Path, folder: &Path, step: usize) -> Option<String> {
    copy(&template.join("store"), &folder.join("store"));
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "loader::tests::moves::child_that_moves", "--test-threads=1"])
        .env("LINCHPIN_MOVE_FOLDER", folder)
        .env("LINCHPIN_MOVE_AT", step.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("runs");
    if status.success() {
        return None;
    }
    assert_eq!(status.signal(), Some(9), "step {step}");
    Some(std::fs::read_to_string(folder.join("ended-at")).expect("a step"))
}

#[test]
fn a_move_that_is_killed_at_any_step_is_undone_or_completed() {
    let (world, _) = World::new("moved");
    let begin = prepare(&world);
    let (mut ended, mut undone) = (Vec::new(), 0);
    for step in 1..200 {
        let folder = world.folder.join(format!("step-{step}"));
        let killed = end_at(&world.folder, &folder, step);
        let (store, loader) = open(&folder, Steps::default());
        let (at, here, there) = place(&store, begin);
        assert_eq!((here + there) as u64, POINTS, "{killed:?}: no point is lost or there twice");
        if at == 2 {
            assert_eq!(there, 0, "{killed:?}: it is undone");
            undone += 1;
            work(&loader, &admin(&loader));
        }
        // As the server does at its start.
        for (at, device) in loader.moving().expect("reads") {
            loader.move_history(at, device).expect("completes");
        }
        assert_eq!(place(&store, begin), (3, 0, POINTS as usize), "{killed:?}");
        assert!(loader.moving().expect("reads").is_empty());
        store.close().expect("closes");
        let _ = std::fs::remove_dir_all(&folder);
        match killed {
            Some(step) => ended.push(step),
            None => break,
        }
    }
    let moved = ended.iter().filter(|step| *step == "move: some history moved").count();
    assert!(undone > 0 && moved > 0 && ended.len() > undone, "{ended:?}");
}
